/*
 * pane_diff: what other files ask of the page of differences.
 */
#pragma once
#include <stdbool.h>

struct pane;

/* Is there a capture to compare with? */
bool pane_diff_has(const struct pane *p);
/* Compare with this capture; if that fails, a message says why and false is returned. */
bool pane_diff_with(struct pane *p, const char *path);
