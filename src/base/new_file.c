/*
 * new_file: see new_file.h.
 *
 * All names are used relative to a descriptor of their folder, so it does not matter if the folder
 * is renamed or replaced meanwhile. A name is checked with lstat(2) before it is opened, opened
 * with O_NOFOLLOW, and checked again through the descriptor.
 */
#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lock_holder.h"
#include "base/strbuf.h"

enum { MAX_PARTS = 100, MAX_TRIES = 10, N_PENDING = 8 };

enum place {
	PLACE_STREAM,  /* written directly; never renamed or removed */
	PLACE_CREATED, /* the name was free: the file has its final name from the start */
	PLACE_EMPTY,   /* like PLACE_CREATED, but an empty file of ours had the name */
	PLACE_BESIDE   /* has a temporary name until it is finished */
};

struct new_file {
	enum place place;
	unsigned flags;
	int fd, folder; /* folder: -1 for streams without a name */
	int old; /* the file that will be replaced, locked; -1: none, or it cannot be opened */
	bool replaces, is_stdout;
	char *path; /* as given, for messages */
	char *base; /* last part of path */
	/* current name of the file in the folder; equals base if it has its final name */
	char *name;
	char *now_at; /* path of `name` */
};

/* ---- temporary files are removed when a signal ends us ---- */

static struct {
	volatile sig_atomic_t is_used;
	pid_t pid; /* a forked child must not remove its parent's file */
	int folder;
	const char *name;
} pending[N_PENDING];

static void on_signal(int number)
{
	for (int i = 0; i < N_PENDING; i++)
		if (pending[i].is_used && pending[i].pid == getpid())
			unlinkat(pending[i].folder, pending[i].name, 0);
	raise(number); /* SA_RESETHAND has restored the default action, so this ends the process */
}

/* Signals that are handled or ignored already are not touched. */
static void pending_add(const struct new_file *f)
{
	static const int deadly[] = { SIGINT, SIGTERM, SIGHUP };
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		struct sigaction old,
		    act = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_NODEFER };
		if (sigaction(deadly[i], NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
		    old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &act, NULL);
	}
	for (int i = 0; i < N_PENDING; i++) {
		if (pending[i].is_used)
			continue;
		pending[i].pid = getpid();
		pending[i].folder = f->folder;
		pending[i].name = f->name;
		pending[i].is_used = 1;
		return;
	}
}

static void pending_remove(const struct new_file *f)
{
	for (int i = 0; i < N_PENDING; i++)
		if (pending[i].is_used && pending[i].name == f->name)
			pending[i].is_used = 0;
}

/* ---- destinations that are not our file ---- */

/* The descriptor that `path` stands for ("-", /dev/stdout, /dev/fd/N); -1: none. Opening such a
 * name would start a file from its beginning again, and would fail for a socket. */
static int descriptor_of(const char *path)
{
	static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
	if (!strcmp(path, "-") || !strcmp(path, "/dev/stdout"))
		return STDOUT_FILENO;
	if (!strcmp(path, "/dev/stderr"))
		return STDERR_FILENO;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		size_t n = strlen(folders[i]);
		if (strncmp(path, folders[i], n) != 0 || !path[n] ||
		    strspn(path + n, "0123456789") != strlen(path + n))
			continue;
		long fd = strtol(path + n, NULL, 10);
		return fd <= INT_MAX ? (int)fd : INT_MAX;
	}
	return -1;
}

static struct err *refuse(const struct new_file *f, const char *what, const char *hint)
{
	return err_with_hint(
	    err_create(ERR_UNSUPPORTED, "cannot write %s: it is %s", f->path, what), "%s", hint);
}

static struct err *open_descriptor(struct new_file *f, int fd)
{
	int mode = fcntl(fd, F_GETFL);
	if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
		return err_sys(EBADF, "cannot write %s", f->path);
	if (f->flags & NEW_FILE_REGULAR)
		return refuse(f, "no file by name",
			      "this format is written at random places and needs one");
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (f->fd < 0)
		return err_sys(errno, "cannot write %s", f->path);
	if (fd > STDERR_FILENO) /* a launched program must not keep it open */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	f->place = PLACE_STREAM;
	f->is_stdout = fd == STDOUT_FILENO;
	return NULL;
}

static struct err *open_special(struct new_file *f, const struct stat *seen)
{
	struct stat st;
	if (f->flags & NEW_FILE_REGULAR)
		return refuse(f, S_ISFIFO(seen->st_mode) ? "a FIFO" : "a device",
			      "this format is written at random places and needs a file");
	f->fd = openat(f->folder, f->base, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return err_sys(errno, "cannot write %s", f->path);
	if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino || st.st_mode != seen->st_mode)
		return err_create(ERR_BUSY, "cannot write %s: it changes", f->path);
	f->place = PLACE_STREAM;
	return NULL;
}

/* ---- regular files ---- */

/* Take the lock by which two auditviews keep out of each other's way. An error only if another
 * process writes the file, or is about to replace it: who merely reads it can lock it as well. A
 * file system without locks is no reason to refuse. */
static struct err *lock(const struct new_file *f, int fd)
{
	pid_t pid;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
	    !lock_holder_is_writer(fd, &pid))
		return NULL;
	struct err *err =
	    pid ? err_create(ERR_BUSY, "cannot write %s: another process (%d) is writing it",
			     f->path, (int)pid)
		: err_create(ERR_BUSY, "cannot write %s: another process is writing it", f->path);
	return err_with_hint(err, "wait until that one has ended, or choose another name");
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Does the name still refer to the open file? */
static bool is_named(int folder, const char *name, int fd)
{
	struct stat a, b;
	return fstatat(folder, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       is_same(&a, &b);
}

static struct err *set_name(struct new_file *f, char *name)
{
	size_t n_folder = strlen(f->path) - strlen(f->base);
	free(f->name);
	free(f->now_at);
	f->name = name;
	f->now_at = NULL;
	if (name && asprintf(&f->now_at, "%.*s%s", (int)n_folder, f->path, name) < 0)
		f->now_at = NULL;
	return f->now_at ? NULL : err_no_memory();
}

/* The temporary name of an unfinished file. The base is shortened if the name would be too long. */
static char *beside_name(const struct new_file *f, unsigned try)
{
	char *name = NULL;
	uint64_t random;
	int n;
	if (f->flags & NEW_FILE_GROWS) {
		n = try ? asprintf(&name, "%.*s.part%u", NAME_MAX - 10, f->base, try + 1)
			: asprintf(&name, "%.*s.part", NAME_MAX - 10, f->base);
		return n < 0 ? NULL : name;
	}
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return NULL;
	n = asprintf(&name, ".%.*s.%016llx", NAME_MAX - 20, f->base, (unsigned long long)random);
	return n < 0 ? NULL : name;
}

/* Create the file under a temporary name. EEXIST: a file left by another process is never
 * touched. */
static struct err *create_beside(struct new_file *f)
{
	f->place = PLACE_BESIDE;
	for (unsigned try = 0; try < MAX_PARTS; try++) {
		struct err *err = set_name(f, beside_name(f, try));
		if (err)
			return err;
		f->fd = openat(f->folder, f->name,
			       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f->fd >= 0)
			break;
		if (errno != EEXIST)
			return err_sys(errno, "cannot write %s: cannot create a file beside it",
				       f->path);
	}
	if (f->fd < 0)
		return err_create(
		    ERR_BUSY,
		    "cannot write %s: too many unfinished files are left beside it, the last is %s",
		    f->path, f->now_at);
	struct err *err = lock(f, f->fd);
	if (!err && !(f->flags & NEW_FILE_GROWS))
		pending_add(f);
	return err;
}

/* Create the file under its final name. *ret_again: another process created it first. */
static struct err *create_here(struct new_file *f, bool *ret_again)
{
	struct err *err = set_name(f, strdup(f->base));
	if (err)
		return err;
	int fd = openat(f->folder, f->base, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	if (fd < 0 && errno == EEXIST) {
		*ret_again = true;
		return NULL;
	}
	if (fd < 0)
		return err_sys(errno, "cannot create %s", f->path);
	err = lock(f, fd);
	if (err) { /* another process opened and locked it before our lock */
		close(fd);
		return err;
	}
	f->fd = fd;
	f->place = PLACE_CREATED;
	return NULL;
}

/* Prepare to replace an existing regular file. */
static struct err *replace(struct new_file *f, const struct stat *seen, bool *ret_again)
{
	struct stat st = *seen;
	if (faccessat(f->folder, f->base, W_OK, AT_EACCESS) != 0)
		return err_sys(errno, "cannot replace %s", f->path);
	f->old = openat(f->folder, f->base,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->old >= 0 && (fstat(f->old, &st) != 0 || !is_same(&st, seen))) {
		*ret_again = true;
		return NULL;
	}
	struct err *err = lock(f, f->old);
	if (err)
		return err;
	if (f->old >= 0 &&
	    !is_named(f->folder, f->base,
		      f->old)) { /* its writer has just renamed another file to this name */
		*ret_again = true;
		return NULL;
	}
	if (f->flags & NEW_FILE_GROWS && f->old >= 0 && st.st_size == 0 && st.st_uid == geteuid() &&
	    st.st_nlink == 1) {
		err = set_name(f, strdup(f->base));
		if (err)
			return err;
		f->fd = openat(f->folder, f->base,
			       O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (f->fd < 0 || !is_named(f->folder, f->base, f->fd) || fchmod(f->fd, 0600) != 0)
			return err_sys(f->fd < 0 ? errno : EBUSY, "cannot write %s", f->path);
		f->place = PLACE_EMPTY;
		return NULL;
	}
	f->replaces = st.st_size > 0;
	return create_beside(f);
}

static struct err *open_once(struct new_file *f, bool *ret_again)
{
	struct stat st;
	if (fstatat(f->folder, f->base, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			return err_sys(errno, "cannot write %s", f->path);
		return f->flags & NEW_FILE_GROWS ? create_here(f, ret_again) : create_beside(f);
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFREG: return replace(f, &st, ret_again);
	case S_IFIFO:
	case S_IFCHR: return open_special(f, &st);
	case S_IFLNK: return refuse(f, "a symbolic link", "name the file that it points to");
	case S_IFDIR: return refuse(f, "a directory", "name a file in it");
	case S_IFSOCK: return refuse(f, "a socket", "name a file");
	default: return refuse(f, "a block device, and what is on it would be lost", "name a file");
	}
}

static struct err *open_folder(struct new_file *f)
{
	const char *slash = strrchr(f->path, '/');
	f->base = strdup(slash ? slash + 1 : f->path);
	char *folder = slash ? strndup(f->path, (size_t)(slash + 1 - f->path)) : strdup(".");
	if (!folder || !f->base) {
		free(folder);
		return err_no_memory();
	}
	f->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err *err = f->folder < 0
			      ? err_sys(errno, "cannot create %s: the folder %s", f->path, folder)
			      : NULL;
	free(folder);
	if (!err && (!*f->base || !strcmp(f->base, ".") || !strcmp(f->base, "..")))
		err = *f->path ? refuse(f, "a directory", "name a file in it")
			       : err_create(ERR_USAGE, "a file without a name cannot be written");
	return err;
}

struct err *new_file_open(const char *path, unsigned flags, struct new_file **ret)
{
	struct new_file *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	*f = (struct new_file){
		.flags = flags, .fd = -1, .folder = -1, .old = -1, .place = PLACE_STREAM
	};
	f->path = strdup(strcmp(path, "-") ? path : "standard output");
	int fd = descriptor_of(path);
	struct err *err = !f->path  ? err_no_memory()
			  : fd >= 0 ? open_descriptor(f, fd)
				    : open_folder(f);
	bool again = !err && fd < 0;
	for (unsigned try = 0; again; try++) {
		if (f->old >= 0)
			close(f->old);
		f->old = -1;
		again = false;
		err = try < MAX_TRIES
			  ? open_once(f, &again)
			  : err_create(ERR_BUSY, "cannot write %s: it changes all the time",
				       f->path);
	}
	if (err)
		new_file_destroy(f);
	else
		*ret = f;
	return err;
}

/* ---- finishing ---- */

static void release(struct new_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->old >= 0)
		close(f->old);
	pending_remove(f);
	if (f->folder >= 0)
		close(f->folder);
	free(f->path);
	free(f->base);
	free(f->name);
	free(f->now_at);
	free(f);
}

/* May the finished file take the name? Another file than the one seen at the start may be there
 * now. */
static struct err *check_place(struct new_file *f)
{
	struct stat st;
	if (fstatat(f->folder, f->base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? NULL : err_sys(errno, "cannot write %s", f->path);
	if (!S_ISREG(st.st_mode))
		return err_create(ERR_UNSUPPORTED,
				  "cannot write %s: it is no longer a regular file", f->path);
	if (f->old >= 0 && is_named(f->folder, f->base, f->old))
		return NULL;
	int now = openat(f->folder, f->base,
			 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct err *err = lock(f, now);
	if (now >= 0)
		close(now);
	return err;
}

/* Close the file. Some file systems report write errors only at this point. */
static struct err *close_written(struct new_file *f)
{
	int fd = f->fd;
	f->fd = -1;
	return close(fd) == 0 ? NULL : err_sys(errno, "cannot write %s", f->path);
}

/* Is the file still where the user will look for it? Its folder may have been removed, or the file
 * moved, replaced or removed, and none of that makes a write fail. */
static struct err *check_reachable(const struct new_file *f)
{
	struct stat own, at;
	char link[32], now[PATH_MAX];
	if (fstat(f->fd, &own) != 0)
		return err_sys(errno, "cannot write %s", f->path);
	if (lstat(f->now_at, &at) == 0 && is_same(&at, &own))
		return NULL;
	if (!own.st_nlink)
		return err_create(ERR_NOT_FOUND,
				  "%s was removed while it was written: what was written is lost",
				  f->now_at);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	ssize_t n = readlink(link, now, sizeof(now) - 1);
	now[n > 0 ? n : 0] = 0;
	bool is_found = lstat(now, &at) == 0 && is_same(&at, &own);
	return err_create(ERR_NOT_FOUND, "%s was moved while it was written%s%s", f->now_at,
			  is_found ? ": what was written is in "
				   : ", and what was written cannot be found under any name",
			  is_found ? now : "");
}

static struct err *take_place(struct new_file *f)
{
	struct err *err = check_place(f);
	if (!err && f->replaces && fdatasync(f->fd) != 0 && errno != EINVAL && errno != EROFS)
		err = err_sys(errno, "cannot write %s", f->path);
	if (!err)
		err = close_written(f);
	if (!err && renameat(f->folder, f->name, f->folder, f->base) != 0)
		err = err_sys(errno, "cannot rename %s to %s", f->now_at, f->path);
	if (err && f->flags & NEW_FILE_GROWS)
		err = err_with_hint(err, "what was written is in %s", f->now_at);
	else if (err)
		unlinkat(f->folder, f->name, 0);
	return err;
}

struct err *new_file_finish(struct new_file *f)
{
	struct err *err = f->place == PLACE_STREAM ? NULL : check_reachable(f);
	if (!err)
		err = f->place == PLACE_BESIDE ? take_place(f) : close_written(f);
	release(f);
	return err;
}

struct err *new_file_end(struct new_file *f, struct err *err)
{
	struct stat st;
	if (!err)
		return f ? new_file_finish(f) : NULL;
	if (!f || f->place == PLACE_STREAM || !(f->flags & NEW_FILE_GROWS) ||
	    fstat(f->fd, &st) != 0 || st.st_size == 0) {
		new_file_destroy(f);
		return err;
	}
	err = err_with_hint(err, "what was written before is in %s", f->now_at);
	new_file_keep(f);
	return err;
}

void new_file_keep(struct new_file *f)
{
	release(f);
}

void new_file_destroy(struct new_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0 && f->place == PLACE_EMPTY)
		(void)!ftruncate(f->fd, 0);
	else if (f->fd >= 0 && f->place != PLACE_STREAM && is_named(f->folder, f->name, f->fd))
		unlinkat(f->folder, f->name, 0);
	release(f);
}

struct err *new_file_write(const char *path, unsigned flags, const struct strbuf *text)
{
	CLEANUP(new_file) struct new_file *f = NULL;
	struct err *err = text->failed ? err_no_memory() : new_file_open(path, flags, &f);
	if (!err && !io_write(new_file_fd(f), strbuf_str(text), text->n))
		err = err_sys(errno, "cannot write %s", path);
	return err ? err : new_file_finish(take_ptr(f));
}

int new_file_fd(const struct new_file *f)
{
	return f->fd;
}

const char *new_file_path(const struct new_file *f)
{
	return f->path;
}

const char *new_file_now_at(const struct new_file *f)
{
	return f->now_at ? f->now_at : f->path;
}

bool new_file_is_stream(const struct new_file *f)
{
	return f->place == PLACE_STREAM;
}

bool new_file_replaces(const struct new_file *f)
{
	return f->replaces;
}

bool new_file_is_stdout(const struct new_file *f)
{
	return f->is_stdout;
}

bool new_file_is_terminal(const struct new_file *f)
{
	return isatty(f->fd);
}
