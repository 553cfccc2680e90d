/*
 * pane_timeline: what other files ask of the timeline.
 */
#pragma once
#include <stdbool.h>

struct pane;

/* A drag with the mouse, in columns of the pane. done: the button was released. */
void pane_timeline_drag(struct pane *p, int from, int to, bool done);
