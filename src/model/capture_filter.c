/*
 * capture_filter: see capture_filter.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/capture_filter.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/vec.h"
#include "model/catalog.h"
#include "model/glob.h"

enum term_kind { TERM_NAME, TERM_GLOB, TERM_REGEX, TERM_THEME };

struct term {
	enum term_kind kind;
	bool is_negated;
	char *text; /* NAME: an event, or a category; GLOB */
	size_t n_text;
	pcre2_code *code; /* REGEX */
	enum catalog_theme theme;
};

struct capture_filter {
	VEC(struct term) terms;
	pcre2_match_data *match;
	pcre2_match_context *context;
};

#define MATCH_LIMIT 100000u

static void term_fini(struct term *t)
{
	free(t->text);
	pcre2_code_free(t->code);
}

static struct err *compile_regex(struct term *t, const char *text, const char *p, size_t n)
{
	int code;
	PCRE2_SIZE at;
	t->kind = TERM_REGEX;
	t->code = pcre2_compile((PCRE2_SPTR)p, n, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at,
				NULL);
	if (!t->code) {
		char message[160];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
		return err_with_at(err_create(ERR_SYNTAX, "-e: regular expression: %s", message),
				   (uint64_t)(p - text) + at);
	}
	/* optional: without JIT matching is only slower */
	pcre2_jit_compile(t->code, PCRE2_JIT_COMPLETE);
	return NULL;
}

static struct err *unknown_theme(const char *text, const char *p, size_t n)
{
	char known[512] = "";
	size_t len = 0;
	for (int i = 0; i < THEME_COUNT; i++) {
		const char *name = catalog_theme_name((enum catalog_theme)i);
		size_t more = strlen(name) + 2;
		if (len + more >= sizeof(known))
			break;
		memcpy(known + len, name, more - 2);
		memcpy(known + len + more - 2, ", ", 2);
		len += more;
	}
	known[len > 2 ? len - 2 : 0] = 0;
	return err_with_hint(
	    err_with_at(err_create(ERR_SYNTAX, "-e: there is no theme %.*s", (int)n, p),
			(uint64_t)(p - text)),
	    "themes: %s", known);
}

/* An unknown name may be an event of the program itself; a name that is close to a known one is a
 * typing error. */
static struct err *check_name(const char *text, const char *p, size_t n)
{
	struct nearest near = nearest_to(p, n, NEAREST_WORD);
	for (size_t i = 0; i < n_catalog_events; i++) {
		const char *names[] = { catalog_events[i].name, catalog_events[i].category };
		for (size_t k = 0; k < 2; k++) {
			if (strlen(names[k]) == n && !memcmp(names[k], p, n))
				return NULL;
			nearest_offer(&near, names[k], strlen(names[k]), 0);
		}
	}
	if (!near.n)
		return NULL;
	return err_with_hint(
	    err_with_at(err_create(ERR_SYNTAX, "-e: there is no event or category %.*s", (int)n, p),
			(uint64_t)(p - text)),
	    "did you mean %.*s? An event of your own of this name is /^%.*s$/",
	    (int)near.found[0].n_bytes, near.found[0].name, (int)n, p);
}

/* Compile one term p[0 … n), without spaces around it; *t owns what was allocated, also on
 * failure. */
static struct err *compile_term(struct term *t, const char *text, const char *p, size_t n)
{
	if (*p == '!') {
		t->is_negated = true;
		p++, n--;
		while (n && *p == ' ')
			p++, n--;
	}
	if (!n)
		return err_with_at(err_create(ERR_SYNTAX, "-e: expected an event name"),
				   (uint64_t)(p - text));
	if (*p == '/')
		return compile_regex(t, text, p + 1, n - 2);
	if (*p == '@') {
		t->kind = TERM_THEME;
		t->theme = catalog_theme_find(p + 1, n - 1);
		return t->theme == THEME_COUNT ? unknown_theme(text, p + 1, n - 1) : NULL;
	}
	const char *space = memchr(p, ' ', n);
	if (space)
		return err_with_at(err_create(ERR_SYNTAX, "-e: expected ',' between terms"),
				   (uint64_t)(space - text));
	t->kind = glob_is(p, n) ? TERM_GLOB : TERM_NAME;
	const struct catalog_event *known = t->kind == TERM_NAME ? catalog_find(p, n) : NULL;
	if (known) { /* a name that the docs misspell means the event that is raised */
		p = known->name;
		n = strlen(p);
	}
	struct err *err = t->kind == TERM_NAME && !known ? check_name(text, p, n) : NULL;
	if (err)
		return err;
	t->text = strndup(p, n);
	t->n_text = n;
	return t->text ? NULL : err_no_memory();
}

/* The end of the term at p: the comma after it, or the end of the text. NULL: an unclosed regular
 * expression. */
static const char *term_end(const char *p)
{
	const char *q = p;
	if (*q == '!')
		for (q++; *q == ' '; q++)
			;
	if (*q != '/')
		return q + strcspn(q, ",");
	for (q++; *q && *q != '/'; q++)
		if (*q == '\\' && q[1])
			q++;
	return *q ? q + 1 : NULL;
}

struct err *capture_filter_compile(const char *text, struct capture_filter **ret)
{
	CLEANUP(capture_filter) struct capture_filter *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	f->context = pcre2_match_context_create(NULL);
	f->match = pcre2_match_data_create(1, NULL);
	if (!f->context || !f->match)
		return err_no_memory();
	pcre2_set_match_limit(f->context, MATCH_LIMIT);
	const char *p = text ? text : "";
	for (;;) {
		p += strspn(p, " \t");
		if (!*p)
			break;
		if (*p == ',') {
			p++;
			continue;
		}
		const char *end = term_end(p);
		if (!end)
			return err_with_at(
			    err_create(ERR_SYNTAX, "-e: the regular expression has no closing '/'"),
			    (uint64_t)(p - text));
		size_t n = (size_t)(end - p);
		while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
			n--;
		struct term t = { 0 };
		struct err *err = compile_term(&t, text, p, n);
		if (!err && !vec_push(&f->terms, t))
			err = err_no_memory();
		if (err) {
			term_fini(&t);
			return err;
		}
		p = end + strspn(end, " \t");
		if (*p && *p != ',')
			return err_with_at(err_create(ERR_SYNTAX, "-e: expected ',' between terms"),
					   (uint64_t)(p - text));
	}
	*ret = take_ptr(f);
	return NULL;
}

void capture_filter_destroy(struct capture_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->terms.n; i++)
		term_fini(&f->terms.v[i]);
	vec_fini(&f->terms);
	pcre2_match_data_free(f->match);
	pcre2_match_context_free(f->context);
	free(f);
}

static bool term_fits(const struct capture_filter *f, const struct term *t, const char *name,
		      size_t n)
{
	switch (t->kind) {
	case TERM_THEME: return catalog_theme_of(name, n) == t->theme;
	case TERM_GLOB: return glob_match(t->text, t->n_text, name, n);
	case TERM_REGEX:
		return pcre2_match(t->code, (PCRE2_SPTR)name, n, 0, 0, f->match, f->context) >= 0;
	case TERM_NAME: {
		size_t n_category = catalog_category_bytes(name, n);
		return (t->n_text == n && !memcmp(t->text, name, n)) ||
		       (t->n_text == n_category && !memcmp(t->text, name, n_category));
	}
	}
	return false;
}

bool capture_filter_wants(const struct capture_filter *f, const char *name, size_t n_bytes)
{
	if (!f)
		return true;
	for (size_t i = f->terms.n; i-- > 0;)
		if (term_fits(f, &f->terms.v[i], name, n_bytes))
			return !f->terms.v[i].is_negated;
	return !f->terms.n || f->terms.v[0].is_negated;
}
