/*
 * filter_names: which names of events, categories and arguments are known, and which are near to an
 * unknown one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct catalog_event;
struct nearest;
struct parser;

/* Do the catalogue or the parser's capture have such an event, or such a category? */
bool name_is_event(const struct parser *p, const char *s, size_t n);
bool name_is_category(const struct parser *p, const char *s, size_t n);
/* Does the event e (NULL: any event of the catalogue) have an argument of this name, in any
 * version? */
bool name_is_argument(const struct catalog_event *e, const char *s, size_t n);
/* ERR_SYNTAX at `at`, with the nearest name, if the event (NULL: each event) has no such argument.
 * If the capture has events that are not in the catalogue, any name is right for NULL. */
MUST_CHECK struct err *name_check_argument(struct parser *p, const struct catalog_event *e,
					   const char *s, size_t n, size_t at);
/* Offer all names of events and categories, or of fields. */
void names_offer_events(const struct parser *p, struct nearest *near);
void names_offer_fields(struct nearest *near);
