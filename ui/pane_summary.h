/*
 * pane_summary: what other files ask of the summary.
 */
#pragma once

struct pane;

/* Group by this field ("caller"); a message says if there is none of that name. */
void pane_summary_by(struct pane *p, const char *field);
