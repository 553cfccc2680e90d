/*
 * list: a cursor in a list of lines, and the part of the list that is on the screen.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ui/action.h"

struct list {
	uint64_t n, cursor, top;
	int n_lines; /* of the screen */
};

void list_set(struct list *l, uint64_t n, int n_lines); /* keeps the cursor inside and in sight */
void list_go(struct list *l, uint64_t to);
/* Movement actions: true if `a` was one. */
bool list_act(struct list *l, enum action a, uint64_t count);
/* The line of the screen was clicked: true if there is an entry. */
bool list_click(struct list *l, int line);
void list_wheel(struct list *l, int lines); /* scroll, the cursor is dragged along at the edges */
