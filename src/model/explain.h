/*
 * explain: pages of text from the catalogue and the measurements.
 *
 * A page has lines of at most `width` cells (at least 40) in the style of a manual page: headings
 * in capitals at the left edge, text indented by four. In English it is plain ASCII, and it has no
 * control characters; it is in the language of the reader (tr.h). A viewer may make unindented
 * lines bold. `minor` is the version to describe, 0 for all.
 */
#pragma once
#include <stddef.h>

#include "model/catalog.h"

struct strbuf;

void explain_event(struct strbuf *to, const struct catalog_event *e, int minor, unsigned width);
/* A call of the standard library; false (and nothing appended) if it was not measured. */
bool explain_api(struct strbuf *to, const char *api, size_t n_bytes, int minor, unsigned width);
void explain_theme(struct strbuf *to, enum catalog_theme theme, int minor, unsigned width);
/* Whatever has that name: event, wrong name of the docs, API, theme ("@network" or "network"),
 * "blind spots", category, call that was not measured, in this order; an event that is also a call
 * is explained as both. False if nothing has it. */
bool explain_name(struct strbuf *to, const char *name, size_t n_bytes, int minor, unsigned width);

/* "3.8 to 3.12" for a set of minors (bit N: 3.N), with commas for gaps. */
void explain_minors(struct strbuf *to, uint32_t minors);
/* "name, name, name" of arguments in 3.minor. */
void explain_arg_names(struct strbuf *to, const struct catalog_event *e, int minor);
