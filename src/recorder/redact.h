/*
 * redact: keep secrets out of a capture (--no-redact keeps them in).
 *
 * There are values by name: a variable, key, option, member or header says so (DB_PASSWORD,
 * api_key, Authorization); and parts of text that a rule finds: the password of a URL, --password
 * X, a login, a token of known shape.
 *
 * Which names and which parts is data: data/redaction.rec. A value becomes the object `redacted`
 * with its length in characters, a part becomes "***". Both say that something was here.
 *
 * A text costs one pass over its bytes, and a pass of each pattern whose anchors it holds. Each
 * pattern has a limit of steps; if a text exceeds it, the rest of the text is hidden.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct redactor; /* the rules, compiled when they are first needed; for one thread */
struct strbuf;

MUST_CHECK struct err *redactor_create(struct redactor **ret);
void redactor_destroy(struct redactor *r); /* NULL is fine */

/* Does this name say that its value is a secret? Leading dashes and a colon at its end are ignored.
 */
bool redact_is_secret(const char *name, size_t n_bytes);
/* May the value of a secret name be shown all the same: nothing, a switch (true, no), the path of a
 * file of credentials? */
bool redact_is_open_value(const char *name, size_t n_name, const char *value, size_t n_value);
/* Append, in place of a text of n_bytes, what is kept of it: an encoded value (base/value.h). */
void redact_add_value(struct strbuf *to, const char *text, size_t n_bytes);
/* The same in place of n_chars characters of anything. */
void redact_add_length(struct strbuf *to, uint64_t n_chars);

/*
 * Append the text with its secret parts replaced; false, and nothing appended, if it has none.
 * event: the name of the event in whose arguments it stands, NULL for none. is_cut: there was more
 * of it; what may begin a secret at its end is hidden too.
 */
bool redact_text(struct redactor *r, const char *event, const char *text, size_t n_bytes,
		 bool is_cut, struct strbuf *to);

/* The words of a command line (or of any list of texts), looked at one by one and together. */
struct redact_word {
	const char *s;
	size_t n;
	bool is_cut;
	size_t n_clean; /* written by redact_words(): bytes in `to` */
};
/* Append all words, one right behind the other, with their secret parts replaced; false, and
 * nothing appended, if there are none. */
bool redact_words(struct redactor *r, const char *event, struct redact_word *words, size_t n_words,
		  struct strbuf *to);
