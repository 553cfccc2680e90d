/*
 * golden: see golden.h.
 */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "drive.h"
#include "ui/text.h"

const struct golden_size golden_sizes[GOLDEN_SIZES] = { { 80, 24 }, { 120, 40 }, { 200, 60 } };

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	struct strbuf b = { 0 };
	char buf[4096];
	size_t n;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	return strbuf_take(&b);
}

static void first_difference(const char *want, const char *got)
{
	int line = 1;
	while (*want && *got) {
		size_t w = strcspn(want, "\n"), g = strcspn(got, "\n");
		if (w != g || memcmp(want, got, w)) {
			print_error("line %d\n  want %.*s\n  got  %.*s\n", line, (int)w, want,
				    (int)g, got);
			return;
		}
		want += w + (want[w] == '\n');
		got += g + (got[g] == '\n');
		line++;
	}
}

/* Every screen must have the right width, cell by cell, and be harmless. */
void golden_check_shape(const char *text, int columns, int lines)
{
	int n_lines = 0;
	for (const char *p = text; *p; n_lines++) {
		size_t n = strcspn(p, "\n");
		assert_int_equal(text_width(p, n), columns);
		for (size_t i = 0, used; i < n; i += used)
			assert_true(utf8_width(utf8_decode(p + i, n - i, &used)) >= 0);
		p += n + (p[n] == '\n');
	}
	assert_int_equal(n_lines, lines);
}

void golden_compare(const char *name, const struct golden_size *size, struct app *app)
{
	char *got = drive_text(app, false);
	golden_check_shape(got, size->columns, size->lines);
	golden_compare_text(name, size, got);
	free(got);
}

void golden_compare_text(const char *name, const struct golden_size *size, const char *got)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s-%dx%d.txt",
		 getenv("GOLDEN") ? getenv("GOLDEN") : "tests/tui/golden", name, size->columns,
		 size->lines);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	} else {
		char *want = read_file(path);
		if (!want)
			fail_msg("%s is missing: UPDATE_GOLDEN=1 writes it", path);
		if (strcmp(want, got)) {
			first_difference(want, got);
			fail_msg("%s-%dx%d differs", name, size->columns, size->lines);
		}
		free(want);
	}
}
