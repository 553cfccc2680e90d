/*
 * lesson_steps: how many steps of each lesson were completed.
 *
 * They are kept in $XDG_STATE_HOME/auditview/lessons, in lines "NUMBER STEPS". If the file is
 * missing, no step was completed yet; if it cannot be written, nothing is kept. With --no-config
 * none of these functions is called.
 */
#pragma once
#include "ui/canvas.h"

struct lesson;

enum { LESSONS_MAX = 64 };

/* Read the number of completed steps, indexed by the number of the lesson. */
void lesson_steps_read(unsigned steps[LESSONS_MAX]);
unsigned lesson_steps_done(int number);
/* Record that this many steps were completed, unless more are recorded already. */
void lesson_steps_set(int number, unsigned done);

/* Draw a lesson's line in a list: number, title, minutes, completed steps. */
void lesson_steps_draw(struct area a, int y, const struct lesson *l, unsigned done);
