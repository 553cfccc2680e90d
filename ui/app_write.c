/*
 * app_write: write shown, marked or all events to a file; the suffix of its name is the format.
 *
 * An existing file is never overwritten, and symbolic links are not followed. If writing fails, the
 * file is removed.
 */
#include "ui/app_write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "export/exporter.h"
#include "import/import.h"
#include "ui/app_messages.h"
#include "ui/app_state.h"

static struct err *export_rows(struct view *s, const struct selection *rows,
			       const struct exporter_format *format, int fd, const char *path)
{
	struct exporter_options options = { .path = path };
	struct exporter *x = NULL;
	struct err *err = exporter_create(s->trace, format, fd, &options, &x);
	if (err)
		return err;
	err = exporter_write(x, rows, 0, s->n_events);
	if (err)
		exporter_destroy(x);
	else
		err = exporter_close(x);
	return err;
}

/* Write a capture with a part of the events: a child process writes them as JSON lines, which lose
 * nothing, and they are imported here. */
static struct err *write_capture(struct view *s, const struct selection *rows, const char *path)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return err_sys(errno, "cannot write %s", path);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL); /* ends the child if the reader stops reading */
		close(ends[0]);
		struct err *err = export_rows(s, rows, exporter_find("jsonl"), ends[1], path);
		_exit(err ? 1 : 0);
	}
	close(ends[1]);
	struct err *err = pid < 0 ? err_sys(errno, "cannot write %s", path) : NULL;
	struct import_result result;
	if (!err)
		err = import_jsonl(ends[0], "the events", path, &result);
	close(ends[0]);
	int status = 0;
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (!err && status)
		err = err_create(ERR_SYS, "cannot write %s: the events could not be read", path);
	return err;
}

/* Write to the new file `path`. If the file exists, that is an error; if writing fails, the file is
 * removed. format NULL: a capture. */
static struct err *write_rows(struct view *s, const struct selection *rows,
			      const struct exporter_format *format, const char *path)
{
	struct stat st;
	if (!lstat(path, &st))
		return err_create(ERR_USAGE, "cannot write %s: it exists", path);
	if (!format)
		return write_capture(s, rows, path);
	CLEANUP(new_file) struct new_file *file = NULL;
	struct err *err = new_file_open(path, format->needs_path ? NEW_FILE_REGULAR : 0, &file);
	if (!err)
		err = export_rows(s, rows, format, new_file_fd(file), path);
	return err ? err : new_file_finish(take_ptr(file));
}

static struct err *choose_rows(struct view *s, const char *what, struct selection **ret_own,
			       const struct selection **ret, uint64_t *ret_n)
{
	if (!strcmp(what, "marked")) {
		struct err *err = selection_create(s->n_events, false, ret_own);
		for (size_t i = 0; !err && i < s->marks.n; i++)
			if (s->marks.v[i].seq < s->n_events)
				selection_set(*ret_own, s->marks.v[i].seq, true);
		if (err)
			return err;
		*ret = *ret_own;
		*ret_n = selection_count(*ret_own);
	} else if (!strcmp(what, "shown") && s->run) {
		*ret = s->shown;
		*ret_n = view_n_shown(s);
	} else {
		*ret_n = s->n_events;
	}
	if (!*ret_n)
		return err_create(ERR_NOT_FOUND, !strcmp(what, "marked")
						     ? "no event is marked: m marks one"
						     : "there is no event to write");
	return NULL;
}

/* Read a path. With blanks it may be quoted, but need not be. *ret_path is malloc'ed. */
static struct err *read_path(const char *text, const char *what, char **ret_path)
{
	size_t n = strlen(text);
	while (n && text[n - 1] == ' ')
		n--;
	if (n > 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0])
		text++, n -= 2;
	if (!n)
		return err_create(ERR_USAGE, "where to? write the name of a file%s%s%s",
				  *what ? " behind \"" : "", what, *what ? "\"" : "");
	const char *home = text[0] == '~' && (n == 1 || text[1] == '/') ? getenv("HOME") : NULL;
	if (asprintf(ret_path, "%s%.*s", home ? home : "", (int)n - (home != NULL),
		     text + (home != NULL)) < 0)
		return err_no_memory();
	return NULL;
}

/* Read "what PATH", or a path alone. */
static struct err *read_words(const char *text, const char **ret_what, char **ret_path)
{
	static const char *const words[] = { "shown", "marked", "all" };
	*ret_what = "shown";
	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);
		if (!strncmp(text, words[i], n) && (text[n] == ' ' || !text[n])) {
			*ret_what = words[i];
			text += n + strspn(text + n, " ");
			break;
		}
	}
	return read_path(text, *ret_what, ret_path);
}

bool app_write(struct app *app, const char *text)
{
	struct view *s = app->host.view;
	const char *what;
	char *path = NULL;
	const struct exporter_format *format = NULL;
	const struct selection *rows = NULL;
	CLEANUP(selection) struct selection *own = NULL;
	uint64_t n = 0;
	bool is_capture = false;
	struct err *err = read_words(text, &what, &path);
	if (!err) {
		const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
		const char *suffix = dot && (!slash || dot > slash) ? dot : ".jsonl";
		is_capture = !strcmp(suffix, ".avc");
		if (!is_capture)
			err = exporter_find_checked(suffix, &format);
	}
	if (!err)
		err = choose_rows(s, what, &own, &rows, &n);
	if (!err)
		err = write_rows(s, rows, format, path);
	if (err) {
		app_flash_err(app, err);
	} else {
		struct strbuf b = { 0 }, safe = { 0 };
		strbuf_add_count(&b, n);
		utf8_escape(&safe, path, strlen(path), 0);
		app_flash(
		    app, n == 1 ? "%s event written to %s (%s)" : "%s events written to %s (%s)",
		    strbuf_str(&b), strbuf_str(&safe), is_capture ? tr("capture") : format->name);
		app_message(app, "written", SELECTION_NONE, false,
			    n == 1 ? "%s event (%s) to %s, %s" : "%s events (%s) to %s, %s",
			    strbuf_str(&b), what, strbuf_str(&safe),
			    is_capture ? tr("a capture") : format->doc);
		strbuf_fini(&b);
		strbuf_fini(&safe);
	}
	free(path);
	return !err;
}

bool app_dump(struct app *app, const char *text)
{
	const struct app_live_ops *l = app->host.view->live;
	struct stat st;
	char *path = NULL;
	struct err *err = read_path(text + strspn(text, " "), "", &path);
	if (!err && !lstat(path, &st))
		err = err_create(ERR_USAGE, "cannot write %s: it exists", path);
	if (!err)
		err = l && l->dump ? l->dump(app->host.view->live_ctx, path)
				   : err_create(ERR_UNSUPPORTED, "this session cannot do that");
	free(path);
	if (!err) {
		app_flash(app, "writing what is kept …");
		return true;
	}
	app_flash_err(app, err);
	return false;
}

void app_dump_answer(struct app *app)
{
	const struct app_live_ops *l = app->host.view ? app->host.view->live : NULL;
	char text[512];
	bool failed;
	if (!l || !l->answer || !l->answer(app->host.view->live_ctx, text, sizeof(text), &failed))
		return;
	struct strbuf safe = { 0 };
	utf8_escape(&safe, text, strlen(text), 0);
	app_flash(app, "%s", strbuf_str(&safe));
	app_message(app, failed ? "! warning" : "written", SELECTION_NONE, failed, "%s",
		    strbuf_str(&safe));
	strbuf_fini(&safe);
}
