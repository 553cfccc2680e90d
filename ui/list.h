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
	int n_head;  /* lines of the pane above the first entry; not clicked */
};

/* the cursor stays inside and on the screen */
void list_set(struct list *l, uint64_t n, int n_lines);
void list_go(struct list *l, uint64_t to);
/* Do a movement action; return false if `a` is none. */
bool list_act(struct list *l, enum action a, uint64_t count);
/* A line of the screen was clicked; return true if it has an entry. */
bool list_click(struct list *l, int line);
void list_wheel(struct list *l, int lines); /* scroll; the cursor is moved along at the edges */
