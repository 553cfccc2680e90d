/*
 * filter_names: see filter_names.h.
 */
#include "model/filter_names.h"

#include <string.h>

#include "base/nearest.h"
#include "model/catalog.h"
#include "model/filter_literal.h"
#include "model/filter_parser.h"
#include "model/trace.h"

static bool in_trace(const struct parser *p, const char *s, size_t n)
{
	return p->trace && trace_name_find(p->trace, s, n);
}

bool name_is_event(const struct parser *p, const char *s, size_t n)
{
	return catalog_find(s, n) || in_trace(p, s, n);
}

bool name_is_category(const struct parser *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n_catalog_events; i++)
		if (strlen(catalog_events[i].category) == n &&
		    !memcmp(catalog_events[i].category, s, n))
			return true;
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n_name;
		const char *name = trace_name(p->trace, i, &n_name);
		if (catalog_category_bytes(name, n_name) == n && !memcmp(name, s, n))
			return true;
	}
	return false;
}

void names_offer_events(const struct parser *p, struct nearest *near)
{
	for (size_t i = 0; i < n_catalog_events; i++) {
		nearest_offer(near, catalog_events[i].name, strlen(catalog_events[i].name), 0);
		nearest_offer(near, catalog_events[i].category, strlen(catalog_events[i].category),
			      0);
	}
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n;
		const char *name = trace_name(p->trace, i, &n);
		nearest_offer(near, name, n, 0);
	}
}

void names_offer_fields(struct nearest *near)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		nearest_offer(near, fields[i].name, strlen(fields[i].name), 0);
}

static void offer_arguments(struct nearest *near, const struct catalog_event *e)
{
	for (size_t i = 0; e && i < e->n_signatures; i++)
		for (size_t k = 0; k < e->signatures[i].n_args; k++)
			nearest_offer(near, e->signatures[i].args[k].name,
				      strlen(e->signatures[i].args[k].name), 0);
	for (size_t k = 0; e && k < e->n_args; k++)
		nearest_offer(near, e->args[k].name, strlen(e->args[k].name), 0);
}

/* Names of arguments are checked unless the capture has events that are not in the catalogue,
 * because their arguments are unknown. */
static bool has_own_events(const struct parser *p)
{
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n;
		const char *name = trace_name(p->trace, i, &n);
		if (!catalog_find(name, n))
			return true;
	}
	return false;
}

bool name_is_argument(const struct catalog_event *e, const char *s, size_t n)
{
	if (e)
		return catalog_arg_find(e, 0, s, n) >= 0;
	for (size_t i = 0; i < n_catalog_events; i++)
		if (catalog_arg_find(&catalog_events[i], 0, s, n) >= 0)
			return true;
	return false;
}

struct err *name_check_argument(struct parser *p, const struct catalog_event *e, const char *s,
				size_t n, size_t at)
{
	struct nearest near = nearest_to(s, n, NEAREST_WORD);
	if (e) {
		if (name_is_argument(e, s, n))
			return NULL;
		offer_arguments(&near, e);
		return literal_err_with_nearest(
		    SYNTAX(at, "%s has no argument %.*s", e->name, (int)n, s), &near);
	}
	if (name_is_argument(NULL, s, n) || has_own_events(p))
		return NULL;
	offer_arguments(&near, p->mentioned);
	for (size_t i = 0; !near.n && i < n_catalog_events; i++)
		offer_arguments(&near, &catalog_events[i]);
	if (p->mentioned)
		return literal_err_with_nearest(
		    SYNTAX(at, "%s has no argument %.*s", p->mentioned->name, (int)n, s), &near);
	return literal_err_with_nearest(SYNTAX(at, "no event has an argument %.*s", (int)n, s),
					&near);
}
