/*
 * drive: the screen without a terminal, for tests: keys in, canvas out, time by hand.
 */
#pragma once
#include <stdbool.h>

struct ui;
struct ui_options;

/* A screen on a capture (NULL: the start page), `columns` × `lines`, everything loaded. Aborts on
 * failure. */
struct ui *drive_open(const char *path, const char *filter, int columns, int lines);
struct ui *drive_open_options(const struct ui_options *options, int columns, int lines);
/* Key names parted by blanks, as the key table spells them; "=text" types text ('_' in it is a
 * blank). Works off all that waits after each. */
void drive_keys(struct ui *ui, const char *keys);
void drive_settle(struct ui *ui); /* work off what waits, then draw */
/* The canvas as text; the caller frees. */
char *drive_text(struct ui *ui, bool roles);
