/*
 * app_write: shown, marked or all events into a file; the ending of its name says which format.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "export/exporter.h"
#include "ui/ui.h"

static struct err *write_rows(struct view *s, const struct selection *rows, const struct exporter_format *format, const char *path)
{
	CLEANUP(new_file) struct new_file *file = NULL;
	struct err *err = new_file_open(path, format->needs_path ? NEW_FILE_REGULAR : 0, &file);
	if (err)
		return err;
	struct exporter_options options = { .path = path };
	struct exporter *x = NULL;
	err = exporter_create(s->trace, format, new_file_fd(file), &options, &x);
	if (!err) {
		err = exporter_write(x, rows, 0, s->n_events);
		if (err)
			exporter_destroy(x);
		else
			err = exporter_close(x);
	}
	return err ? err : new_file_finish(take_ptr(file));
}

bool ui_write_file(struct ui *ui, const char *what, const char *path)
{
	struct view *s = ui->s;
	const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
	char *expanded = NULL;
	if (path[0] == '~' && path[1] == '/' && getenv("HOME") && asprintf(&expanded, "%s%s", getenv("HOME"), path + 1) >= 0)
		path = expanded;
	if (!access(path, F_OK)) {
		ui_flash(ui, "cannot write %s: it exists", path);
		free(expanded);
		return false;
	}
	const struct exporter_format *format = NULL;
	struct err *err = exporter_find_checked(dot && (!slash || dot > slash) ? dot : "jsonl", &format);
	CLEANUP(selection) struct selection *marked = NULL;
	const struct selection *rows = NULL;
	if (!err && !strcmp(what, "marked")) {
		err = selection_create(s->n_events, false, &marked);
		for (size_t i = 0; !err && i < s->marks.n; i++)
			if (s->marks.v[i].seq < s->n_events)
				selection_set(marked, s->marks.v[i].seq, true);
		rows = marked;
	} else if (!strcmp(what, "shown") && s->run) {
		rows = s->shown;
	} else if (!err && strcmp(what, "all") && strcmp(what, "shown")) {
		err = err_create(ERR_USAGE, "write shown, marked or all, not \"%s\"", what);
	}
	if (!err)
		err = write_rows(s, rows, format, path);
	bool done = !err;
	if (err) {
		ui_flash_err(ui, err);
	} else {
		struct strbuf b = { 0 };
		strbuf_add_count(&b, !rows ? s->n_events : rows == marked ? s->marks.n : view_n_shown(s));
		ui_flash(ui, "%s events written to %s (%s)", strbuf_str(&b), path, format->name);
		ui_message(ui, "written", SELECTION_NONE, false, "%s events (%s) to %s, %s", strbuf_str(&b), what, path, format->doc);
		strbuf_fini(&b);
	}
	free(expanded);
	return done;
}
