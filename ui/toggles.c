/*
 * toggles: see toggles.h.
 */
#include "ui/toggles.h"

#include <stdlib.h>
#include <string.h>

#include "model/catalog.h"
#include "model/fields.h"
#include "ui/view.h"

void toggles_fini(struct toggles *t)
{
	filter_switches_fini(&t->switches);
	free(t->rest.text);
	*t = (struct toggles){ 0 };
}

void toggles_read(struct toggles *t, const struct filter *filter)
{
	toggles_fini(t);
	struct err *err = filter ? filter_switches(filter, &t->switches, &t->negated, &t->rest)
				 : NULL;
	err_destroy(err); /* memory is short: everything is shown as on */
}

bool toggles_has(const struct toggles *t, const char *name, size_t n)
{
	if (!t->switches.n)
		return true;
	for (size_t i = 0; i < t->switches.n; i++)
		if (filter_switch_fits(&t->switches.v[i], name, n))
			return !t->negated;
	return t->negated;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '/';
}

/* Words of the filter language: a bare name that is one of them must be quoted. */
static bool is_keyword(const char *name, size_t n)
{
	static const char *const words[] = { "and", "or", "not", "AND", "OR", "NOT" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], name, n))
			return true;
	return n > 0 && name[0] >= '0' && name[0] <= '9';
}

/* Is the name also the category of another event? Then the bare word would match both. */
static bool is_category_too(struct trace *t, const char *name, size_t n)
{
	for (uint32_t id = 1; id <= trace_n_names(t); id++) {
		size_t n_other;
		const char *other = trace_name(t, id, &n_other);
		if (n_other > n && catalog_category_bytes(other, n_other) == n &&
		    !memcmp(other, name, n))
			return true;
	}
	return false;
}

static void add_name(struct strbuf *to, struct trace *t, const char *name, size_t n)
{
	bool plain = n > 0 && name[0] != '/' && field_find(name, n) == FIELD_COUNT &&
		     !is_keyword(name, n) && !is_category_too(t, name, n);
	for (size_t i = 0; i < n; i++)
		plain = plain && is_word_char(name[i]);
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
	for (; *theme; theme++) /* the filter language writes "code execution" as @code_execution */
		strbuf_addc(to, *theme == ' ' ? '_' : *theme);
}

/* Append terms for all names with on[id] == want: whole themes, whole categories, single events.
 * Returns how many. */
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
			/* name the whole category once, at its first name */
			size_t n;
			const char *name = trace_name(s->trace, id, &n);
			size_t cat = catalog_category_bytes(name, n);
			bool cat_all = cat < n, first = true;
			unsigned members = 0;
			for (uint32_t other = 1; other <= n_names && cat_all; other++) {
				size_t on_n;
				const char *on_name = trace_name(s->trace, other, &on_n);
				if (catalog_category_bytes(on_name, on_n) != cat ||
				    memcmp(on_name, name, cat) || on_n == cat)
					continue;
				members++;
				if (on[other] != want ||
				    view_name(s, other)->theme != (enum catalog_theme)theme)
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
				add_name(to, s->trace, name, n);
			}
		}
	}
	return n_terms;
}

void toggles_filter(const struct toggles *t, struct view *s, const bool *on, struct strbuf *to)
{
	struct strbuf yes = { 0 }, no = { 0 };
	size_t n_yes = add_terms(&yes, s, on, true), n_no = add_terms(&no, s, on, false);
	if (n_no == 0) {
		/* everything is on: only the rest remains */
	} else if (n_yes == 0 || n_no < n_yes) {
		strbuf_addf(to, n_no > 1 ? "not (%s)" : "not %s", strbuf_str(&no));
	} else {
		strbuf_addf(to, t->rest.text && n_yes > 1 ? "(%s)" : "%s", strbuf_str(&yes));
	}
	if (t->rest.text && n_no)
		strbuf_addf(to, t->rest.needs_a_bracket ? " and (%s)" : " and %s", t->rest.text);
	else if (t->rest.text)
		strbuf_adds(to, t->rest.text);
	strbuf_fini(&yes);
	strbuf_fini(&no);
}
