/*
 * pane_summary: what other files ask of the summary.
 */
#pragma once
#include <stddef.h>

struct pane;

/* Group by this field ("caller"), or make a ready summary (model/summary_ready.h): its filter
 * becomes the one in use. If there is neither of that name, a message says so. */
void pane_summary_by(struct pane *p, const char *field);
/* The fields there are, for completion; NULL after the last. */
const char *pane_summary_field_at(size_t i);
