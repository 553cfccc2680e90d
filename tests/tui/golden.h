/*
 * golden: screens compared with golden/<name>-<size>.txt.
 *
 * UPDATE_GOLDEN=1 writes the files anew: check the difference before you commit it.
 */
#pragma once

struct app;

/* The sizes of all screens that are compared: { columns, lines }. */
enum { GOLDEN_SIZES = 3 };
extern const struct golden_size {
	int columns, lines;
} golden_sizes[GOLDEN_SIZES];

/* Fail the test if the screen differs from its file, or if a line has the wrong width. */
void golden_compare(const char *name, const struct golden_size *size, struct app *app);
/* The same for a text that was made of a screen. */
void golden_compare_text(const char *name, const struct golden_size *size, const char *got);
/* Fail the test unless the text is so many lines of so many cells, and harmless. */
void golden_check_shape(const char *text, int columns, int lines);
