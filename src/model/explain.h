/*
 * explain: what the catalogue and the measurements know, as pages of text.
 *
 * A page is lines of at most `width` cells (40 at least) in the manner of a manual page: headings
 * in capitals at the left edge, text indented by four. Plain ASCII, no control characters; a viewer
 * may make what starts at the edge bold. `minor` is the version to speak about, 0 for all.
 */
#pragma once
#include <stddef.h>

#include "model/catalog.h"

struct strbuf;

void explain_event(struct strbuf *to, const struct catalog_event *e, int minor, unsigned width);
/* A call of the standard library; false (nothing added) if it was not measured. */
bool explain_api(struct strbuf *to, const char *api, size_t n_bytes, int minor, unsigned width);
void explain_theme(struct strbuf *to, enum catalog_theme theme, int minor, unsigned width);
/* Events of a category, also one that is not in the catalogue (then false, and nothing added). */
bool explain_category(struct strbuf *to, const char *category, size_t n_bytes, int minor,
		      unsigned width);
/* Everything that is known not to raise events, and why hooks are no sandbox. */
void explain_blind_spots(struct strbuf *to, unsigned width);
/* Whatever goes by that name: event, wrong name of the docs, API, theme ("@network" or "network"),
 * "blind spots", category, call that was not measured, in this order; an event that is also a call
 * is explained as both. False if nothing does. */
bool explain_name(struct strbuf *to, const char *name, size_t n_bytes, int minor, unsigned width);

/* "3.8 to 3.12" for a set of minors (bit N: 3.N), commas where it has gaps. */
void explain_minors(struct strbuf *to, uint32_t minors);
/* A type of the catalogue in words: "path|None" becomes "path or None". */
void explain_type(struct strbuf *to, const char *type);
/* "name, name, name" of arguments in 3.minor. */
void explain_arg_names(struct strbuf *to, const struct catalog_event *e, int minor);
