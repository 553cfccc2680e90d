/*
 * fuzz_filter: model/filter_lexer.c, filter_parse.c, filter_literal.c, filter_regex.c,
 * filter_complete.c, capture_filter.c: the texts of the filter prompt, and of -e.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "model/capture_filter.h"
#include "model/filter.h"

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	if (n_bytes > 2000)
		n_bytes = 2000;
	char *text = malloc(n_bytes + 1);
	if (!text)
		return;
	memcpy(text, bytes, n_bytes);
	text[n_bytes] = 0;

	struct filter *f = NULL;
	struct err *err = filter_compile(text, n_bytes, NULL, &f);
	if (err) {
		struct strbuf b = { 0 };
		size_t n = strlen(text);
		if (err->code != ERR_SYNTAX || err->at > n_bytes || !*err->message)
			abort();
		size_t n_wrong = filter_error_bytes(text, n_bytes, err->at);
		if (!n_wrong || (err->at + n_wrong > n_bytes && n_wrong > 1))
			abort();
		if (n == n_bytes)
			filter_error_show(&b, text, err);
		strbuf_fini(&b);
		err_destroy(err);
	}
	filter_destroy(f);

	size_t cursor = n_bytes ? bytes[0] % (n_bytes + 1) : 0;
	for (int i = 0; i < 2; i++, cursor = n_bytes) {
		struct filter_completion c;
		if (filter_complete(NULL, text, n_bytes, cursor, &c))
			abort();
		if (c.at + c.n_bytes > n_bytes)
			abort();
		filter_completion_fini(&c);
	}

	struct capture_filter *capture = NULL;
	err = capture_filter_compile(text, &capture);
	if (err && (err->code != ERR_SYNTAX || err->at > strlen(text)))
		abort();
	err_destroy(err);
	if (capture)
		capture_filter_wants(capture, "socket.connect", 14);
	capture_filter_destroy(capture);

	struct strbuf quoted = { 0 };
	strbuf_adds(&quoted, "event == ");
	filter_quote(&quoted, text, n_bytes);
	f = NULL;
	err = filter_compile(strbuf_str(&quoted), quoted.n, NULL, &f);
	if (err) /* any text becomes a literal if it is quoted */
		abort();
	filter_destroy(f);
	strbuf_fini(&quoted);
	free(text);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	(void)number;
	(void)to;
	(void)cap;
	return 0;
}
