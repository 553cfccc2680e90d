/*
 * pane_lesson: what other files ask of the page of one lesson.
 */
#pragma once

struct pane_host;

/* Open the page of a lesson at the step that was reached before, and run its program. */
void pane_lesson_begin(const struct pane_host *h, int number);
