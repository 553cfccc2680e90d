/*
 * lesson_steps: the file of completed steps, and the line of a lesson.
 */
#include "ui/lesson_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "model/lesson.h"
#include "ui/area.h"
#include "ui/keep.h"

void lesson_steps_read(unsigned steps[LESSONS_MAX])
{
	memset(steps, 0, LESSONS_MAX * sizeof(steps[0]));
	char *path = keep_state_path("lessons", false);
	struct strbuf text = { 0 };
	if (path)
		err_destroy(folder_read_file(path, false, 1 << 16, &text));
	unsigned number, done;
	int n;
	for (const char *p = strbuf_str(&text); sscanf(p, "%u %u%n", &number, &done, &n) == 2;
	     p += n)
		if (number < LESSONS_MAX)
			steps[number] = done;
	strbuf_fini(&text);
	free(path);
}

unsigned lesson_steps_done(int number)
{
	unsigned steps[LESSONS_MAX];
	lesson_steps_read(steps);
	return number >= 0 && number < LESSONS_MAX ? steps[number] : 0;
}

void lesson_steps_set(int number, unsigned done)
{
	unsigned steps[LESSONS_MAX];
	if (number < 0 || number >= LESSONS_MAX)
		return;
	lesson_steps_read(steps);
	if (steps[number] >= done)
		return;
	steps[number] = done;
	char *path = keep_state_path("lessons", true);
	struct strbuf text = { 0 };
	for (int i = 0; i < LESSONS_MAX; i++)
		if (steps[i])
			strbuf_addf(&text, "%d %u\n", i, steps[i]);
	/* the lessons work without the file */
	err_destroy(path ? new_file_write(path, NEW_FILE_REGULAR, &text) : NULL);
	strbuf_fini(&text);
	free(path);
}

void lesson_steps_draw(struct area a, int y, const struct lesson *l, unsigned done)
{
	struct strbuf b = { 0 };
	strbuf_addf(&b, "%2d", l->number);
	area_put(a, y, 2, 3, ROLE_DIM, strbuf_str(&b));
	area_put_cut(a, y, 6, a.n_columns - 34, ROLE_TEXT, tr(l->title));
	strbuf_clear(&b);
	strbuf_addf(&b, tr("%d min"), l->minutes);
	area_put_right(a, y, a.n_columns - 27, 7, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	if (done >= l->n_steps)
		strbuf_adds(&b, tr("done"));
	else if (done)
		strbuf_addf(&b, tr("step %u of %zu"), done + 1, l->n_steps);
	else
		strbuf_adds(&b, l->second_program ? tr("runs two programs") : tr("runs a program"));
	area_put_cut(a, y, a.n_columns - 18, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}
