/*
 * kept_view: what a flight recorder keeps, as a capture that grows, for the screen.
 *
 * The screen follows one file, but a flight recorder writes pieces and removes the oldest. So a
 * process of its own joins the pieces into an unnamed file while they are written. That file only
 * grows. When it has become twice as large (long) as what is kept, another process begins a new one
 * with the oldest piece that is there; once that has caught up, the screen takes it instead, and
 * the first is dropped.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct kept_view;
struct trace;

/* path: of the capture that is made at the end; first: of the first piece. Waits until something
 * can be shown. *ret_trace is the caller's. */
MUST_CHECK struct err *kept_view_create(const char *path, const char *first, const char *keep,
					struct kept_view **ret, struct trace **ret_trace);
void kept_view_destroy(struct kept_view *k); /* NULL is fine */
DEFINE_CLEANUP(kept_view);
/* Called some times a second with the trace that is shown. Returns the trace to show from now on,
 * which becomes the caller's; NULL: go on with this one. is_frozen: it must stay; then its file
 * does not grow beyond the limit either. */
struct trace *kept_view_renew(struct kept_view *k, struct trace *shown, bool is_frozen);
