/*
 * keep: see keep.h.
 */
#include "ui/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/new_file.h"
#include "base/utf8.h"
#include "ui/config.h"
#include "ui/prompt.h"
#include "ui/view.h"

enum { FILE_BYTES = 8 << 20, MARKS_MAX = 100000 };

/* How a line of the history file begins, by the number of the prompt's history. */
static const char *const history_names[PROMPT_HISTORIES] = { "filter", "search", "command",
							     "write" };

char *keep_state_path(const char *name, bool make_folder)
{
	char *folder = NULL, *path = NULL;
	struct err *err = folder_find(FOLDER_STATE, make_folder, &folder);
	if (err)
		err_destroy(err);
	else if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	free(folder);
	return path;
}

/* Return the next line of a text, with its end replaced by a NUL; NULL if there is none. */
static char *next_line(char **text)
{
	char *line = *text;
	if (!line || !*line)
		return NULL;
	size_t n = strcspn(line, "\n");
	*text = line + n + (line[n] == '\n');
	line[n] = 0;
	return line;
}

/* Append the lines of one of our files to *to. A NUL is read as the end of a line: none of our
 * lines has one, and what follows it must not be lost. */
static struct err *read_lines(const char *path, struct strbuf *to)
{
	struct err *err = folder_read_file(path, false, FILE_BYTES, to);
	for (size_t i = 0; i < to->n; i++)
		if (!to->s[i])
			to->s[i] = '\n';
	return err;
}

/* ---- history ---- */

struct err *keep_history_load(struct prompt *p)
{
	char *path = keep_state_path("history", false), *line;
	struct strbuf text = { 0 }, shorter = { 0 };
	size_t n_lines = 0;
	struct err *err = path ? read_lines(path, &text) : NULL;
	if (err && err->code != ERR_DENIED) { /* no history was kept yet */
		err_destroy(err);
		err = NULL;
	}
	for (char *rest = text.s; (line = next_line(&rest)); n_lines++) {
		char *space = strchr(line, ' ');
		if (!space || !utf8_is_valid(space + 1, strlen(space + 1)))
			continue;
		*space = 0;
		for (int h = 0; h < PROMPT_HISTORIES; h++)
			if (!strcmp(line, history_names[h]))
				prompt_remember(p, h, space + 1);
	}
	/* the file is too long: keep the lines that were read into the prompt */
	if (n_lines > 2u * PROMPT_HISTORIES * PROMPT_HISTORY_MAX) {
		for (int h = 0; h < PROMPT_HISTORIES; h++)
			for (size_t i = 0; i < p->history[h].n; i++)
				strbuf_addf(&shorter, "%s %s\n", history_names[h],
					    p->history[h].v[i]);
		err_destroy(new_file_write(path, NEW_FILE_REGULAR,
					   &shorter)); /* the next start tries again */
	}
	strbuf_fini(&text);
	strbuf_fini(&shorter);
	free(path);
	return err;
}

/* Open one of our files to append to it. */
static int open_to_append(const char *path)
{
	struct stat st;
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		return fd;
	if (fd >= 0) {
		close(fd);
		errno = EPERM;
	}
	return -1;
}

struct err *keep_history_add(int history, const char *text)
{
	if (history < 0 || !*text || strchr(text, '\n'))
		return NULL;
	char *path = keep_state_path("history", true);
	int fd = path ? open_to_append(path) : -1;
	struct strbuf line = { 0 };
	struct err *err = NULL;
	strbuf_addf(&line, "%s %s\n", history_names[history], text);
	/* one write, so that two sessions do not mix their lines */
	if (fd < 0 || write(fd, strbuf_str(&line), line.n) != (ssize_t)line.n)
		err = path ? err_sys(errno, "cannot write %s", path)
			   : err_create(ERR_NOT_FOUND, "there is no private folder for a history");
	if (fd >= 0)
		close(fd);
	strbuf_fini(&line);
	free(path);
	return err;
}

/* ---- how a capture was looked at ---- */

/* A line: when the capture began, its columns, its filter. Returns the filter; NULL: the line is of
 * another capture, or malformed. */
static const char *look_of_line(const struct view *s, const char *line, unsigned *ret_columns)
{
	uint64_t begun;
	int n = 0;
	if (sscanf(line, "%" SCNu64 " %x %n", &begun, ret_columns, &n) != 2 || !n ||
	    begun != trace_about_get(s->trace)->wall_anchor_ns ||
	    !utf8_is_valid(line + n, strlen(line + n)))
		return NULL;
	return line + n;
}

struct err *keep_look_load(const struct view *s, struct keep_look *ret)
{
	char *path = keep_state_path("views", false), *line;
	struct strbuf text = { 0 };
	struct err *err = path ? read_lines(path, &text) : NULL;
	err = err_ignore(err, ERR_NOT_FOUND);
	for (char *rest = text.s; !err && (line = next_line(&rest));) {
		unsigned columns;
		const char *filter = look_of_line(s, line, &columns);
		if (!filter)
			continue;
		ret->filter = strdup(filter);
		ret->columns = columns & ((1u << COLUMN_COUNT) - 1);
		break;
	}
	strbuf_fini(&text);
	free(path);
	return err;
}

struct err *keep_look_save(const struct view *s, unsigned columns)
{
	char *path = keep_state_path("views", true), *line;
	struct strbuf old = { 0 }, text = { 0 };
	unsigned unused, n = 1;
	bool is_known = false, is_plain = !*s->filter_text && !columns;
	struct err *err = path ? read_lines(path, &old) : NULL;
	err = err_ignore(err, ERR_NOT_FOUND);
	if (!is_plain && !strchr(s->filter_text, '\n'))
		strbuf_addf(&text, "%" PRIu64 " %x %s\n", trace_about_get(s->trace)->wall_anchor_ns,
			    columns, s->filter_text);
	for (char *rest = old.s; !err && (line = next_line(&rest));) {
		if (look_of_line(s, line, &unused))
			is_known = true;
		else if (n++ < KEEP_VIEWS_MAX)
			strbuf_addf(&text, "%s\n", line);
	}
	if (path && !err && (!is_plain || is_known))
		err = new_file_write(path, NEW_FILE_REGULAR, &text);
	strbuf_fini(&old);
	strbuf_fini(&text);
	free(path);
	return err;
}

/* ---- marks ---- */

/* A head line identifies the capture of the marks after it by the time it began: other captures may
 * have had the same file name. */
static const char marks_head[] = "# auditview marks of the capture begun at";

static char *marks_path(const struct view *s)
{
	char *path = NULL;
	if (!s->path || !strcmp(s->path, "-") || asprintf(&path, "%s.marks", s->path) < 0)
		return NULL;
	return path;
}

typedef VEC(struct mark) marks_vec;

static void marks_clear(marks_vec *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].note);
	m->n = 0;
}

static const struct mark *mark_find(const struct mark *v, size_t n, uint64_t seq)
{
	size_t from = 0, to = n;
	while (from < to) {
		size_t at = from + (to - from) / 2;
		if (v[at].seq < seq)
			from = at + 1;
		else
			to = at;
	}
	return from < n && v[from].seq == seq ? &v[from] : NULL;
}

static bool is_same_note(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static bool mark_push(marks_vec *to, uint64_t seq, const char *note)
{
	struct mark m = { seq, note && *note ? strdup(note) : NULL };
	if (vec_push(to, m))
		return true;
	free(m.note);
	return false;
}

static int by_seq(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Read the marks of our capture into *to, by seq. The lines of other captures of that name, with
 * their heads, go into *others. */
static struct err *marks_read(const struct view *s, const char *path, marks_vec *to,
			      struct strbuf *others)
{
	struct strbuf text = { 0 };
	struct err *err = read_lines(path, &text);
	uint64_t begun = 0;
	bool is_ours = false;
	char *line;
	err = err_ignore(err, ERR_NOT_FOUND);
	for (char *rest = text.s; !err && (line = next_line(&rest));) {
		if (!strncmp(line, marks_head, sizeof(marks_head) - 1))
			is_ours = sscanf(line + sizeof(marks_head) - 1, "%" SCNu64, &begun) == 1 &&
				  begun == trace_about_get(s->trace)->wall_anchor_ns;
		else if (is_ours && to->n < MARKS_MAX) {
			char *end;
			uint64_t seq = strtoull(line, &end, 10);
			if (end == line || (*end && *end != ' ') || seq == SELECTION_NONE ||
			    (seq >= trace_n_events(s->trace) && trace_is_finished(s->trace)))
				continue;
			const char *note = *end ? end + 1 : "";
			if (!mark_push(to, seq, utf8_is_valid(note, strlen(note)) ? note : ""))
				err = err_no_memory();
			continue;
		}
		if (!is_ours)
			strbuf_addf(others, "%s\n", line);
	}
	if (to->n)
		qsort(to->v, to->n, sizeof(to->v[0]), by_seq);
	strbuf_fini(&text);
	return err;
}

struct err *keep_marks_load(struct view *s)
{
	char *path = marks_path(s);
	marks_vec read = { 0 };
	struct strbuf others = { 0 };
	struct err *err = path ? marks_read(s, path, &read, &others) : NULL;
	for (size_t i = 0; !err && i < read.n; i++) {
		view_mark_note(s, read.v[i].seq, read.v[i].note ? read.v[i].note : "");
		if (!mark_push((marks_vec *)&s->marks_kept, read.v[i].seq, read.v[i].note))
			err = err_no_memory();
	}
	marks_clear(&read);
	vec_fini(&read);
	strbuf_fini(&others);
	free(path);
	return err;
}

/*
 * Another viewer may have changed the file after this one read it. The changes made here are the
 * difference between our marks and those last read or written (marks_kept). They are applied to
 * the marks that the file has now, and the result is shown and written.
 */
static void marks_merge(struct view *s, const marks_vec *now)
{
	for (size_t i = 0; i < now->n; i++) { /* added or changed by another viewer */
		const struct mark *n = &now->v[i],
				  *kept = mark_find(s->marks_kept.v, s->marks_kept.n, n->seq),
				  *own = view_mark(s, n->seq);
		bool is_changed_by_us = kept ? !own || !is_same_note(own->note, kept->note)
					     : own != NULL;
		if (!is_changed_by_us)
			view_mark_note(s, n->seq, n->note ? n->note : "");
	}
	for (size_t i = s->marks_kept.n;
	     i-- > 0;) { /* removed by another viewer, and not changed here */
		const struct mark *kept = &s->marks_kept.v[i], *own = view_mark(s, kept->seq);
		if (own && is_same_note(own->note, kept->note) &&
		    !mark_find(now->v, now->n, kept->seq))
			view_mark_toggle(s, kept->seq);
	}
}

static struct err *marks_save(struct view *s, const char *path)
{
	marks_vec now = { 0 };
	struct strbuf text = { 0 };
	bool is_there = access(path, F_OK) == 0;
	struct err *err = marks_read(s, path, &now, &text);
	if (!err)
		marks_merge(s, &now);
	marks_clear(&now);
	vec_fini(&now);
	if (!err && s->marks.n)
		strbuf_addf(&text, "%s %" PRIu64 "\n", marks_head,
			    trace_about_get(s->trace)->wall_anchor_ns);
	for (size_t i = 0; !err && i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		strbuf_addf(&text, "%" PRIu64 "%s%s\n", m->seq, m->note ? " " : "",
			    m->note ? m->note : "");
	}
	if (!err && (text.n || is_there))
		err = new_file_write(path, NEW_FILE_REGULAR | (is_there ? 0 : NEW_FILE_GROWS),
				     &text);
	if (!err && !text.n && is_there && unlink(path) != 0)
		err = err_sys(errno, "cannot remove %s", path);
	strbuf_fini(&text);
	return err;
}

struct err *keep_marks_save(struct view *s)
{
	enum { TRIES = 20, PAUSE_MS = 10 };
	char *path = marks_path(s);
	if (!path)
		return NULL;
	struct err *err = marks_save(s, path);
	/* wait while another viewer writes the file */
	for (int i = 0; err && err->code == ERR_BUSY && i < TRIES; i++) {
		err_destroy(err);
		poll(NULL, 0, PAUSE_MS);
		err = marks_save(s, path);
	}
	if (!err) {
		marks_vec *kept = (marks_vec *)&s->marks_kept;
		marks_clear(kept);
		for (size_t i = 0; i < s->marks.n; i++)
			if (!mark_push(kept, s->marks.v[i].seq, s->marks.v[i].note))
				break;
	}
	free(path);
	return err;
}
