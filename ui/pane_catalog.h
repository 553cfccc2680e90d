/*
 * pane_catalog: what other files ask of the catalogue page.
 */
#pragma once

struct pane;

/* Put the cursor on this event; if it is not in the catalogue, a message names the nearest one. */
void pane_catalog_show(struct pane *p, const char *event);
