/*
 * toggles: filter text to switches and back. Only the shape that toggles_filter() writes is read back.
 */
#include "ui/toggles.h"

#include <stdlib.h>
#include <string.h>

#include "model/catalog.h"
#include "ui/view.h"

void toggles_fini(struct toggles *t)
{
	for (size_t i = 0; i < t->terms.n; i++)
		free(t->terms.v[i].text);
	vec_fini(&t->terms);
	free(t->rest);
	t->rest = NULL;
	t->negated = false;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '*' ||
	       c == '@';
}

/* One term: a bare word, @theme, or event == "name". Returns the end, NULL if there is none. */
static const char *read_term(const char *p, const char **ret, size_t *ret_n)
{
	static const char event_is[] = "event == \"";
	if (!strncmp(p, event_is, sizeof(event_is) - 1)) {
		p += sizeof(event_is) - 1;
		const char *end = strchr(p, '"');
		if (!end || memchr(p, '\\', (size_t)(end - p)))
			return NULL;
		*ret = p;
		*ret_n = (size_t)(end - p);
		return end + 1;
	}
	size_t n = 0;
	while (is_word_char(p[n]))
		n++;
	if (!n || (n == 3 && (!strncmp(p, "not", 3) || !strncmp(p, "and", 3))) || (n == 2 && !strncmp(p, "or", 2)))
		return NULL;
	/* "pid == 4" is a comparison, no toggle */
	const char *after = p + n + strspn(p + n, " ");
	if (*after && strncmp(after, "or ", 3) && strncmp(after, "and ", 4) && *after != ')')
		return NULL;
	*ret = p;
	*ret_n = n;
	return p + n;
}

static const char *read_terms(struct toggles *t, const char *p)
{
	for (;;) {
		const char *term;
		size_t n;
		p = read_term(p, &term, &n);
		if (!p || !vec_reserve(&t->terms, 1))
			return NULL;
		char *text = strndup(term, n);
		if (!text)
			return NULL;
		t->terms.v[t->terms.n++] = (struct toggle_term){ text };
		if (strncmp(p, " or ", 4))
			return p;
		p += 4;
	}
}

void toggles_parse(struct toggles *t, const char *filter)
{
	toggles_fini(t);
	const char *p = filter;
	bool negated = !strncmp(p, "not ", 4);
	if (negated)
		p += 4;
	bool paren = *p == '(';
	const char *end = read_terms(t, p + paren);
	if (end && paren)
		end = *end == ')' ? end + 1 : NULL;
	if (end && (negated || t->terms.n > 1) && !paren && (*end || (negated && t->terms.n > 1)))
		end = NULL; /* "a or b and c", "not a or b": and and not bind tighter */
	if (end && *end && strncmp(end, " and ", 5))
		end = NULL;
	if (!end) {
		toggles_fini(t);
		t->rest = *filter ? strdup(filter) : NULL;
		return;
	}
	t->negated = negated;
	if (*end)
		t->rest = strdup(end + 5);
}

static bool term_has(const char *term, const char *name, size_t n)
{
	if (*term == '@')
		return catalog_theme_of(name, n) == catalog_theme_find(term + 1, strlen(term + 1));
	size_t len = strlen(term);
	if (len > 1 && term[len - 1] == '*')
		return n >= len - 1 && !memcmp(term, name, len - 1);
	return len == n && !memcmp(term, name, n);
}

bool toggles_has(const struct toggles *t, const char *name, size_t n)
{
	if (!t->terms.n)
		return true;
	for (size_t i = 0; i < t->terms.n; i++)
		if (term_has(t->terms.v[i].text, name, n))
			return !t->negated;
	return t->negated;
}

static void add_name(struct strbuf *to, const char *name, size_t n)
{
	bool plain = n > 0;
	for (size_t i = 0; i < n; i++)
		plain = plain && is_word_char(name[i]) && name[i] != '*' && name[i] != '@';
	if (plain) {
		strbuf_add(to, name, n);
	} else {
		strbuf_adds(to, "event == ");
		filter_quote(to, name, n);
	}
}

static void add_theme(struct strbuf *to, const char *theme)
{
	strbuf_addc(to, '@');
	for (; *theme; theme++) /* "code execution" is @code_execution to the filter */
		strbuf_addc(to, *theme == ' ' ? '_' : *theme);
}

/* Terms for all names with on[id] == want: whole themes, whole categories, single events. Returns how many. */
static size_t add_terms(struct strbuf *to, struct view *s, const bool *on, bool want)
{
	uint32_t n_names = trace_n_names(s->trace);
	size_t n_terms = 0;
	for (int theme = 0; theme < THEME_COUNT; theme++) {
		bool all = true, any = false;
		for (uint32_t id = 1; id <= n_names; id++)
			if (view_name(s, id)->theme == (enum catalog_theme)theme) {
				all = all && on[id] == want;
				any = any || on[id] == want;
			}
		if (!any)
			continue;
		if (all) {
			strbuf_adds(to, n_terms++ ? " or " : "");
			add_theme(to, catalog_theme_name((enum catalog_theme)theme));
			continue;
		}
		for (uint32_t id = 1; id <= n_names; id++) {
			if (view_name(s, id)->theme != (enum catalog_theme)theme || on[id] != want)
				continue;
			/* the whole category, named once, by its first name */
			size_t n;
			const char *name = trace_name(s->trace, id, &n);
			size_t cat = catalog_category_bytes(name, n);
			bool cat_all = cat < n, first = true;
			unsigned members = 0;
			for (uint32_t other = 1; other <= n_names && cat_all; other++) {
				size_t on_n;
				const char *on_name = trace_name(s->trace, other, &on_n);
				if (catalog_category_bytes(on_name, on_n) != cat || memcmp(on_name, name, cat) || on_n == cat)
					continue;
				members++;
				if (on[other] != want || view_name(s, other)->theme != (enum catalog_theme)theme)
					cat_all = false;
				if (other < id)
					first = false;
			}
			if (cat_all && members > 1) {
				if (!first)
					continue;
				strbuf_adds(to, n_terms++ ? " or " : "");
				strbuf_add(to, name, cat);
				strbuf_adds(to, ".*");
			} else {
				strbuf_adds(to, n_terms++ ? " or " : "");
				add_name(to, name, n);
			}
		}
	}
	return n_terms;
}

void toggles_filter(const struct toggles *t, struct view *s, const bool *on, struct strbuf *to)
{
	struct strbuf yes = { 0 }, no = { 0 };
	size_t n_yes = add_terms(&yes, s, on, true), n_no = add_terms(&no, s, on, false);
	bool has_rest = t->rest && *t->rest;
	if (n_no == 0) {
		/* all on: only the rest remains */
	} else if (n_yes == 0 || n_no < n_yes) {
		strbuf_addf(to, n_no > 1 ? "not (%s)" : "not %s", strbuf_str(&no));
	} else {
		strbuf_addf(to, n_yes > 1 && has_rest ? "(%s)" : "%s", strbuf_str(&yes));
	}
	if (has_rest)
		strbuf_addf(to, "%s%s", to->n ? " and " : "", t->rest);
	strbuf_fini(&yes);
	strbuf_fini(&no);
}
