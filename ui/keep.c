/*
 * keep: see keep.h.
 */
#include "ui/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ui/ui.h"

enum { LINE_BYTES = 8192, MARKS_MAX = 100000 };

/* How a line of the history begins, by the number of the prompt's history. */
static const char *const history_names[PROMPT_HISTORIES] = { "filter", "search", "command", "write" };

char *keep_state_path(const char *name, bool make_folder)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *folder = NULL, *path = NULL;
	int n = -1;
	if (base && *base == '/')
		n = asprintf(&folder, "%s/auditview", base);
	else if (home && *home)
		n = asprintf(&folder, "%s/.local/state/auditview", home);
	if (n < 0)
		return NULL;
	for (char *p = folder + 1; make_folder && *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(folder, 0700);
			*p = '/';
		}
	if (make_folder)
		mkdir(folder, 0700);
	if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	free(folder);
	return path;
}

static void cannot_keep(struct ui *ui, const char *what, const char *path)
{
	if (!ui->said_cannot_keep)
		ui_message(ui, "note", SELECTION_NONE, false, "%s are kept for this session only: cannot write %s (%s)", what, path,
			   strerror(errno));
	ui->said_cannot_keep = true;
}

/* A line without its end; false: the file is at its end. Longer ones are passed over in parts. */
static bool read_line(FILE *f, char line[LINE_BYTES])
{
	if (!fgets(line, LINE_BYTES, f))
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

/* ---- history ---- */

void keep_history_load(struct ui *ui)
{
	char *path = ui->options.no_config ? NULL : keep_state_path("history", false);
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[LINE_BYTES];
	size_t n_lines = 0;
	for (; f && read_line(f, line); n_lines++) {
		char *space = strchr(line, ' ');
		if (!space || !utf8_is_valid(space + 1, strlen(space + 1)))
			continue;
		*space = 0;
		for (int h = 0; h < PROMPT_HISTORIES; h++)
			if (!strcmp(line, history_names[h]))
				prompt_remember(&ui->prompt, h, space + 1);
	}
	if (f)
		fclose(f);
	if (n_lines > 2u * PROMPT_HISTORIES * PROMPT_HISTORY_MAX) { /* too long by now: what was taken in is what stays */
		f = fopen(path, "we");
		for (int h = 0; f && h < PROMPT_HISTORIES; h++)
			for (size_t i = 0; i < ui->prompt.history[h].n; i++)
				fprintf(f, "%s %s\n", history_names[h], ui->prompt.history[h].v[i]);
		if (f)
			fclose(f);
	}
	free(path);
}

void keep_history_add(struct ui *ui, int history, const char *text)
{
	if (ui->options.no_config || history < 0 || !*text || strchr(text, '\n'))
		return;
	char *path = keep_state_path("history", true);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	struct strbuf line = { 0 };
	strbuf_addf(&line, "%s %s\n", history_names[history], text);
	/* one write, so that two sessions do not mix their lines */
	if (fd < 0 || write(fd, strbuf_str(&line), line.n) != (ssize_t)line.n)
		cannot_keep(ui, "filters and searches", path ? path : "a history");
	if (fd >= 0)
		close(fd);
	strbuf_fini(&line);
	free(path);
}

/* ---- marks ---- */

/* The first line says whose marks they are: another capture of the same name has begun at another time. */
static const char marks_head[] = "# auditview marks of the capture begun at";

static char *marks_path(const struct ui *ui)
{
	char *path = NULL;
	if (ui->options.no_config || !ui->s || !ui->s->path || !strcmp(ui->s->path, "-") || asprintf(&path, "%s.marks", ui->s->path) < 0)
		return NULL;
	return path;
}

void keep_marks_load(struct ui *ui)
{
	char *path = marks_path(ui);
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[LINE_BYTES];
	uint64_t begun;
	bool ours = f && read_line(f, line) && !strncmp(line, marks_head, sizeof(marks_head) - 1) &&
		    sscanf(line + sizeof(marks_head) - 1, "%" SCNu64, &begun) == 1 &&
		    begun == trace_about_get(ui->s->trace)->wall_anchor_ns;
	while (ours && read_line(f, line) && ui->s->marks.n < MARKS_MAX) {
		char *end;
		uint64_t seq = strtoull(line, &end, 10);
		if (end == line || (*end && *end != ' ') || seq == SELECTION_NONE ||
		    (seq >= trace_n_events(ui->s->trace) && trace_is_finished(ui->s->trace)))
			continue;
		const char *note = *end ? end + 1 : "";
		view_mark_note(ui->s, seq, utf8_is_valid(note, strlen(note)) ? note : "");
	}
	if (f)
		fclose(f);
	free(path);
}

void keep_marks_save(struct ui *ui)
{
	char *path = marks_path(ui), *new = NULL;
	if (!path || asprintf(&new, "%s.new", path) < 0) {
		free(path);
		return;
	}
	if (!ui->s->marks.n) {
		if (unlink(path) && errno != ENOENT)
			cannot_keep(ui, "marks", path);
		free(path);
		free(new);
		return;
	}
	int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok = f && fprintf(f, "%s %" PRIu64 "\n", marks_head, trace_about_get(ui->s->trace)->wall_anchor_ns) > 0;
	for (size_t i = 0; ok && i < ui->s->marks.n; i++) {
		const struct mark *m = &ui->s->marks.v[i];
		ok = fprintf(f, "%" PRIu64 "%s%s\n", m->seq, m->note ? " " : "", m->note ? m->note : "") > 0;
	}
	if (f)
		ok = !fclose(f) && ok;
	if (!ok || rename(new, path)) {
		cannot_keep(ui, "marks", path);
		unlink(new);
	}
	free(path);
	free(new);
}
