/*
 * pane_summary: what other files ask of the summary.
 */
#pragma once

struct pane;

/* Group by this field ("caller"); if there is no field of that name, a message says so. */
void pane_summary_by(struct pane *p, const char *field);
