/*
 * keep: see keep.h.
 */
#include "commands/keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "merge/join.h"
#include "model/trace.h"
#include "options.h"
#include "recorder/control.h"
#include "recorder/session_end.h"
#include "recorder/turner.h"

bool keep_parse(const char *text, uint64_t *ret_bytes, uint64_t *ret_ns)
{
	static const char *const times[] = { "ns", "us", "ms", "s", "m", "min", "h", "d" };
	const char *unit = text + strspn(text, "0123456789. ");
	bool is_time = false;
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		is_time |= !strcmp(unit, times[i]);
	*ret_bytes = *ret_ns = 0;
	return is_time ? options_number_parse(text, OPTION_DURATION, ret_ns) && *ret_ns &&
			     *ret_ns < UINT64_MAX / 4
		       : options_number_parse(text, OPTION_BYTES, ret_bytes) && *ret_bytes;
}

struct err *keep_check(const struct options *o, const char *path)
{
	uint64_t bytes, ns;
	struct stat st;
	if (!keep_parse(o->keep, &bytes, &ns))
		return err_create(ERR_USAGE,
				  "cannot use \"%s\" for --keep: expected a size such as 64M, "
				  "or a time such as 10m",
				  o->keep);
	if (!strcmp(path, "-") || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
		return err_with_hint(
		    err_create(ERR_USAGE, "a capture in several files cannot go to %s", path),
		    "-o run.avc makes run_TIME_NUMBER.avc");
	return NULL;
}

/* ---- which pieces are there ---- */

/* Their names are "run_keep_" and what sorts by time, and ".avc". Another recording of the same
 * name may have left some, which are older than `first`. */
char *keep_piece_after(const char *path, const char *first, const char *after)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path,
		   *dot = strrchr(base, '.'), *end = dot && dot > base ? dot : base + strlen(base),
		   *least = strrchr(after ? after : first, '/');
	least = least ? least + 1 : after ? after : first;
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./"),
	     *found = NULL, *whole = NULL;
	struct strbuf start = { 0 };
	strbuf_addf(&start, "%.*s_keep_", (int)(end - base), base);
	DIR *d = folder ? opendir(folder) : NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		size_t n = strlen(e->d_name), n_end = strlen(end);
		int order = strcmp(e->d_name, least);
		if (n != strlen(least) || strncmp(e->d_name, strbuf_str(&start), start.n) != 0 ||
		    strcmp(e->d_name + n - n_end, end) != 0 || (after ? order <= 0 : order < 0))
			continue;
		if (found && strcmp(found, e->d_name) <= 0)
			continue;
		free(found);
		found = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	if (found && asprintf(&whole, "%s%s", slash ? folder : "", found) < 0)
		whole = NULL;
	strbuf_fini(&start);
	free(folder);
	free(found);
	return whole;
}

/* ---- one capture of them ---- */

/* "the newest 1200 events (3.5 s) are in kept.avc" */
static void snapshot_words(const char *path, uint64_t n_events, char *ret, size_t n_ret)
{
	struct trace *t = NULL;
	char span[48] = "";
	struct err *err = trace_open(path, NULL, &t);
	if (!err) {
		const struct trace_about *a = trace_about_get(t);
		snprintf(span, sizeof(span), ", %.1f s,", (double)(a->last_ns - a->first_ns) / 1e9);
	}
	err_destroy(err);
	trace_close(t);
	snprintf(ret, n_ret, "the newest %llu event%s%s %s in %s", (unsigned long long)n_events,
		 n_events == 1 ? "" : "s", span, n_events == 1 ? "is" : "are", path);
}

static void snapshot(const char *const *pieces, const int *fds, size_t n, const char *path,
		     int answer_fd)
{
	struct new_file *file;
	uint64_t n_events = 0;
	struct join_options options = { .done = NULL };
	struct control_report m = { .is_answer = 1 };
	struct err *err = new_file_open(path, NEW_FILE_GROWS, &file);
	if (!err)
		err = join_write(fds, pieces, n, file, &options, &n_events);
	if (err)
		snprintf(m.text, sizeof(m.text), "what is kept could not be written to %s: %s",
			 path, err->message);
	else
		snapshot_words(path, n_events, m.text, sizeof(m.text));
	m.failed = err != NULL;
	if (answer_fd < 0)
		say_error("%s", m.text);
	else
		(void)!send(answer_fd, &m, sizeof(m), MSG_NOSIGNAL);
	err_destroy(err);
}

/* ---- start and end ---- */

struct err *keep_start(const struct options *o, const char *path, struct turner **ret_turner,
		       struct new_file **ret)
{
	struct turner_options t = { .path = path, .snapshot = snapshot };
	CLEANUP(turner) struct turner *turner = NULL;
	struct err *err = keep_check(o, path);
	(void)keep_parse(o->keep, &t.keep_bytes, &t.keep_ns);
	if (!err)
		err = turner_create(&t, &turner);
	if (!err)
		err = turner_open(turner, ret);
	if (!err)
		*ret_turner = take_ptr(turner);
	return err;
}

static void piece_done(void *ctx, size_t i)
{
	const char *const *pieces = ctx;
	unlink(pieces[i]);
}

struct err *keep_finish(const struct turner *t, const char *path, struct session_end *end,
			struct strbuf *names)
{
	const char **pieces = NULL;
	struct new_file *file;
	struct err *err = turner_pieces(t, &pieces);
	size_t n = 0;
	while (!err && pieces[n])
		n++;
	int *fds = err ? NULL : calloc(n + 1, sizeof(*fds));
	if (!err && !fds)
		err = err_no_memory();
	for (size_t i = 0; !err && i < n; i++)
		fds[i] = open(pieces[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_open = false;
	if (!err) {
		err = new_file_open(path, NEW_FILE_GROWS, &file);
		is_open = !err;
	}
	if (is_open) {
		uint64_t n_events = 0;
		struct join_options options = { .done = piece_done, .ctx = pieces };
		char *now_at = strdup(new_file_now_at(file));
		err = join_write(fds, pieces, n, file, &options, &n_events);
		if (!err) {
			session_end_count(end, n_events);
			strbuf_adds(names, path);
		} else if (now_at) {
			err = err_with_hint(err,
					    "what is in %s is not in the other pieces, which "
					    "are kept beside it",
					    now_at);
		}
		free(now_at);
	}
	for (size_t i = 0; fds && !is_open && i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	free(pieces);
	return err;
}
