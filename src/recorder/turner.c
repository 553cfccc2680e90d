/*
 * turner: see turner.h.
 *
 * A turn happens between two records of the rings: what was decoded before is in the one file, what
 * comes after in the next one, and nothing is in both. The order of steps keeps what was captured
 * whenever we are killed: the next file is there before the first is finished, and the oldest goes
 * last.
 */
#include "recorder/turner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "recorder/client.h"
#include "recorder/decoder.h"
#include "recorder/ending.h"
#include "recorder/native.h"
#include "recorder/notes.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"

/* A flight recorder has that many, and up to two more: the one that is written, and a part of the
 * one that holds the oldest event of what was asked for. So the disk holds at most 20/18 of that,
 * which leaves room for the block that makes a piece full: the manual says 9/8. */
#define PIECES          18u
#define PIECE_BYTES_MIN (64u << 10)
#define PIECE_NS_MIN    100000000u

struct turn_file {
	char *path;
	uint64_t begin_ns, n_bytes; /* monotonic_ns(); n_bytes: once it is finished */
	dev_t device;
	ino_t inode;
};

struct turner {
	struct turner_options o;
	uint64_t wall_ns, mono_ns; /* both of the start */
	uint64_t next_ns;          /* monotonic_ns() at which the file is old enough */
	uint64_t n_made, n_snapshots;
	VEC(struct turn_file) files; /* that are there, oldest first */
};

struct err *turner_create(const struct turner_options *options, struct turner **ret)
{
	struct turner *t = calloc(1, sizeof(*t));
	struct timespec wall;
	if (!t)
		return err_no_memory();
	clock_gettime(CLOCK_REALTIME, &wall);
	t->o = *options;
	if (turner_keeps(t)) {
		uint64_t bytes = t->o.keep_bytes / PIECES, ns = t->o.keep_ns / PIECES;
		t->o.max_files = 0;
		t->o.max_bytes = !t->o.keep_bytes          ? 0
				 : bytes > PIECE_BYTES_MIN ? bytes
							   : PIECE_BYTES_MIN;
		t->o.max_ns = !t->o.keep_ns ? 0 : ns > PIECE_NS_MIN ? ns : PIECE_NS_MIN;
	}
	t->wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
	t->mono_ns = monotonic_ns();
	*ret = t;
	return NULL;
}

void turner_destroy(struct turner *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->files.n; i++)
		free(t->files.v[i].path);
	vec_fini(&t->files);
	free(t);
}

static char *stamped_path(const struct turner *t, const char *infix, uint64_t number)
{
	uint64_t now_ns = t->wall_ns + (monotonic_ns() - t->mono_ns);
	time_t seconds = (time_t)(now_ns / 1000000000u);
	const char *path = t->o.path, *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	const char *base = slash ? slash + 1 : path;
	size_t n_stem = dot && dot > base ? (size_t)(dot - path) : strlen(path);
	char *made = NULL, stamp[32];
	struct tm tm;
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	if (asprintf(&made, "%.*s%s_%s_%06" PRIu64 "%s", (int)n_stem, path, infix, stamp, number,
		     path + n_stem) < 0)
		return NULL;
	return made;
}

/* Only a file that we made is removed, not another one that has its name now. */
static void remove_oldest(struct turner *t)
{
	struct turn_file oldest = t->files.v[0];
	struct stat st;
	if (lstat(oldest.path, &st) == 0 && st.st_dev == oldest.device && st.st_ino == oldest.inode)
		unlink(oldest.path);
	free(oldest.path);
	t->files.n--;
	memmove(t->files.v, t->files.v + 1, t->files.n * sizeof(*t->files.v));
}

struct err *turner_open(struct turner *t, struct new_file **ret)
{
	struct new_file *file;
	struct stat st;
	char *path = stamped_path(t, turner_keeps(t) ? "_keep" : "", t->n_made + 1);
	struct err *err = path ? new_file_open(path, NEW_FILE_GROWS, &file) : err_no_memory();
	if (err) {
		free(path);
		return err;
	}
	if (new_file_is_stream(file) || fstat(new_file_fd(file), &st) != 0)
		err = err_create(ERR_UNSUPPORTED, "cannot write %s: it is no regular file", path);
	struct turn_file made = { .path = path,
				  .begin_ns = monotonic_ns(),
				  .device = err ? 0 : st.st_dev,
				  .inode = err ? 0 : st.st_ino };
	if (!err && !vec_push(&t->files, made))
		err = err_no_memory();
	if (err) {
		new_file_destroy(file);
		free(path);
		return err;
	}
	t->n_made++;
	t->next_ns = t->o.max_ns ? monotonic_ns() + t->o.max_ns : UINT64_MAX;
	*ret = file;
	return NULL;
}

void turner_add_names(const struct turner *t, struct strbuf *to)
{
	size_t n = t->files.n;
	if (n && access(t->files.v[n - 1].path, F_OK) != 0) /* nothing could be written there */
		n--;
	if (!n)
		return;
	strbuf_adds(to, t->files.v[0].path);
	if (n > 1)
		strbuf_addf(to, " to %s (%zu files)", t->files.v[n - 1].path, n);
}

bool turner_keeps(const struct turner *t)
{
	return t && (t->o.keep_bytes || t->o.keep_ns);
}

struct err *turner_pieces(const struct turner *t, const char ***ret)
{
	const char **paths = calloc(t->files.n + 1, sizeof(*paths));
	if (!paths)
		return err_no_memory();
	for (size_t i = 0; i < t->files.n; i++)
		paths[i] = t->files.v[i].path;
	*ret = paths;
	return NULL;
}

/* Remove pieces that are not needed: the others without the current one hold enough. */
static void remove_old_pieces(struct turner *t)
{
	struct stat st;
	uint64_t n_bytes = 0, now_ns = monotonic_ns();
	size_t n = t->files.n;
	if (n >= 2 && lstat(t->files.v[n - 2].path, &st) == 0)
		t->files.v[n - 2].n_bytes = (uint64_t)st.st_size;
	for (size_t i = 0; i + 1 < n; i++)
		n_bytes += t->files.v[i].n_bytes;
	while (t->files.n > 2) {
		if (t->o.keep_bytes && n_bytes - t->files.v[0].n_bytes < t->o.keep_bytes)
			break;
		if (t->o.keep_ns && now_ns - t->files.v[1].begin_ns < t->o.keep_ns)
			break;
		n_bytes -= t->files.v[0].n_bytes;
		remove_oldest(t);
	}
}

static void turn(struct recorder *r)
{
	struct turner *t = r->options.turner;
	struct new_file *file;
	struct err *err = turner_open(t, &file);
	if (!err && !turner_keeps(t))
		notes_add(r, NOTE_MESSAGE, UINT32_MAX, "this capture continues in %s",
			  new_file_path(file));
	if (!err)
		err = writer_turn(r->writer, file);
	if (err)
		writer_fail(r->writer, err);
	if (writer_is_broken(r->writer))
		return;
	for (size_t i = 0; i < r->taps.n; i++)
		for (uint32_t k = 0; k < r->taps.v[i]->n_slots; k++) {
			struct client *c = r->taps.v[i]->clients[k];
			if (c && c->decoder)
				decoder_turn(c->decoder);
			if (c && c->native)
				native_context_turn(c->native);
		}
	while (t->o.max_files && t->files.n > t->o.max_files)
		remove_oldest(t);
	if (turner_keeps(t))
		remove_old_pieces(t);
}

/* In a process of its own, so that the rings are drained meanwhile. Its parent ends at once: the
 * recorder must not have children that it does not trace. */
static void snapshot_write(const struct turner *t, const char *const *pieces, const int *fds,
			   size_t n, const char *path, int answer_fd)
{
	sigset_t none;
	sigemptyset(&none);
	signal(SIGINT, SIG_IGN); /* of the keyboard: it is for the recorder */
	signal(SIGQUIT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "auditview-dump");
	if (fork() == 0)
		t->o.snapshot(pieces, fds, n, path, answer_fd);
	_exit(0);
}

bool turner_snapshot(struct recorder *r, const char *given, int answer_fd)
{
	struct turner *t = r->options.turner;
	if (!turner_keeps(t) || !t->o.snapshot || writer_is_broken(r->writer) ||
	    phase_is_leaving(r->phase)) /* at the end a capture is made anyway */
		return false;
	if (writer_n_in_file(r->writer))
		turn(r);
	size_t n = t->files.n ? t->files.n - 1 : 0;
	const char **pieces;
	struct err *err = turner_pieces(t, &pieces);
	if (err || writer_is_broken(r->writer) || !n) {
		err_destroy(err);
		if (!err)
			free(pieces);
		return false;
	}
	int *fds = calloc(n, sizeof(*fds));
	char *path = given ? strdup(given) : stamped_path(t, "", ++t->n_snapshots);
	for (size_t i = 0; fds && i < n; i++)
		fds[i] = open(pieces[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = fds && path ? fork() : -1;
	if (pid == 0)
		snapshot_write(t, pieces, fds, n, path, answer_fd);
	bool is_begun = pid > 0;
	if (pid < 0)
		notes_add(r, NOTE_WARNING, UINT32_MAX, "what is kept could not be written: %s",
			  strerror(errno));
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; fds && i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	free(path);
	free(pieces);
	return is_begun;
}

void turner_check(struct recorder *r, uint64_t now_ns)
{
	const struct turner *t = r->options.turner;
	if (!t || writer_is_broken(r->writer) || writer_is_over(r->writer))
		return;
	bool is_full = t->o.max_bytes && writer_n_bytes(r->writer) >= t->o.max_bytes;
	if ((is_full || now_ns >= t->next_ns) && writer_n_in_file(r->writer))
		turn(r);
}
