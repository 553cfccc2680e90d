/*
 * theme: what a role looks like. A role is a meaning; only themes and the terminal know colours.
 *
 * To add a theme, add one row to themes[] (theme.c). A user's theme is a file of `role = style`
 * lines, read by theme_parse() on top of a built-in one. tests/tui/test_ui.c checks contrast
 * and that mono uses no colour.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/canvas.h"

enum style_attr { STYLE_BOLD = 1, STYLE_UNDERLINE = 2, STYLE_REVERSE = 4, STYLE_DIM = 8 };

#define COLOR_NONE (-1) /* the terminal's default colour */

struct style {
	short fg, bg;   /* xterm-256 index or COLOR_NONE */
	unsigned attrs; /* enum style_attr */
};

struct theme {
	const char *name;
	const char *doc;
	bool is_light;
	struct style full[ROLE_COUNT]; /* for 256 colours and more */
	struct style few[ROLE_COUNT];  /* for 8 and 16 colours */
	struct style bar, bar_few;     /* the cursor's line: only bg and attrs are used */
};

extern const struct theme themes[];
extern const size_t n_themes;

/* NULL if there is no theme of that name. "cb" is cb-dark or cb-light, "auto" is dark or light, by
 * is_light. */
const struct theme *theme_find(const char *name, bool is_light);

/* Change *theme by `role = style` (style: words bold underline reverse dim, a number 0…255, "on
 * N"). Errors: ERR_SYNTAX. */
MUST_CHECK struct err *theme_set(struct theme *theme, const char *role, const char *style);
