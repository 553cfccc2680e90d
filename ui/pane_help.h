/*
 * pane_help: what other files ask of the help page.
 */
#pragma once
#include <stdbool.h>

#include "ui/pane_id.h"

struct pane;

/* Show the keys of this pane; `all`: the keys of every pane. */
void pane_help_about(struct pane *p, enum pane_id about, bool all);
