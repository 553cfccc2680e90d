/*
 * lesson_steps: how many steps of each lesson were done.
 *
 * Kept in $XDG_STATE_HOME/auditview/lessons, in lines "NUMBER STEPS". Without the file nothing was
 * done yet, and where it cannot be written nothing is kept. With --no-config call neither.
 */
#pragma once
#include "ui/canvas.h"

struct lesson;

enum { LESSONS_MAX = 64 };

/* Steps done, by the number of the lesson. */
void lesson_steps_read(unsigned steps[LESSONS_MAX]);
unsigned lesson_steps_done(int number);
/* Keep that this many steps were done, unless more were done before. */
void lesson_steps_set(int number, unsigned done);

/* A lesson's line in a list: number, title, minutes, what was done. */
void lesson_steps_draw(struct area a, int y, const struct lesson *l, unsigned done);
