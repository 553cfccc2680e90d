/*
 * drive: the screen without a terminal, for tests: keys in, canvas out, time set by hand.
 */
#pragma once
#include <stdbool.h>

struct app;
struct app_options;

/* Open a screen of `columns` × `lines` on a capture (NULL: the start page), with everything loaded.
 * Aborts on failure. */
struct app *drive_open(const char *path, const char *filter, int columns, int lines);
struct app *drive_open_options(const struct app_options *options, int columns, int lines);
/* Key names separated by blanks, as the key table spells them; "=text" types text ('_' in it is a
 * blank). All waiting work is done after each. */
void drive_keys(struct app *app, const char *keys);
void drive_settle(struct app *app); /* do all waiting work, then draw */
/* The canvas as text; the caller frees. */
char *drive_text(struct app *app, bool roles);
