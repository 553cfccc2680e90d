/*
 * source_reader: see source_reader.h. The child is a worker (base/worker.h).
 */
#include "ui/source_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "base/worker.h"

#define DEADLINE_NS 1000000000ull
#define STARVED_NS  10000000000ull /* a child that is runnable only lacks a processor */
/* What takes longer than SLOW_NS is a debt of its place. */
#define SLOW_NS     100000000ull
#define DEBT_MAX_NS 2000000000ull
enum { POLL_MS = 50, IDLE_MS = 3000, PLACES_MAX = 16, ABANDONED_MAX = 8, PATH_BYTES = 8192 };

struct request {
	struct source_root root;
	bool is_read;
	size_t n_bytes;
	uint64_t modified_ns;
	char path[PATH_BYTES];
	char text[SOURCE_BYTES_MAX];
};

/* A place that was slow or did not answer: all that another process sees, or a folder of ours. */
struct place {
	struct source_root root;
	char *folder; /* NULL: free */
	bool is_silent;
	struct worker_debt debt;
};

static struct {
	struct worker child; /* its shared memory is a struct request */
	struct place places[PLACES_MAX];
	unsigned next_place;
} state = { .child = WORKER_NONE };

/* ---- in the child ---- */

/* Is the process of this folder of /proc the one that was started then? */
static bool is_of_then(int folder, uint64_t start_ticks)
{
	char text[1024];
	unsigned long long ticks;
	int fd = openat(folder, "stat", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *p = strrchr(text, ')'); /* the name before it may have any byte */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %llu", &ticks) == 1 && ticks == start_ticks;
}

/* The root of a process. A descriptor of its folder in /proc is never one of a later process of
 * that number (kernel fs/proc/base.c, proc_pid_instantiate()). */
static int root_open(struct source_root root)
{
	char name[32];
	snprintf(name, sizeof(name), "/proc/%u", root.pid);
	int folder = root.pid ? open(name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, top = -1;
	if (folder < 0)
		return -1;
	if (!root.start_ticks || is_of_then(folder, root.start_ticks))
		top = openat(folder, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(folder);
	return top;
}

/* Open the path with O_PATH, which does not open the file itself, so that no driver and no writer
 * of a FIFO notices it. */
static int look_up(const char *path, struct source_root root)
{
	if (root.is_ours)
		return open(path, O_PATH | O_CLOEXEC);
	int top = root_open(root);
	if (top < 0)
		return -1;
	/* openat2(2): absolute links and ".." stay below that root */
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, top, path, &how, sizeof(how));
	close(top);
	return fd;
}

/* Open the regular file of this name for reading; -1: there is none. */
static int open_regular(const char *path, struct source_root root, struct stat *ret)
{
	char name[40];
	int found = look_up(path, root), fd = -1;
	if (found < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", found);
	if (!fstat(found, ret) && S_ISREG(ret->st_mode))
		fd = io_open_now(name, O_RDONLY);
	close(found);
	return fd;
}

static void obey(struct request *q)
{
	struct stat st;
	int fd = open_regular(q->path, q->root, &st);
	q->is_read = fd >= 0 && st.st_size <= SOURCE_BYTES_MAX;
	q->n_bytes = 0;
	for (ssize_t n = 1; q->is_read && n > 0 && q->n_bytes < (size_t)st.st_size;) {
		n = read(fd, q->text + q->n_bytes, (size_t)st.st_size - q->n_bytes);
		q->n_bytes += n > 0 ? (size_t)n : 0;
	}
	if (q->is_read)
		q->modified_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
				 (uint64_t)st.st_mtim.tv_nsec;
	if (fd >= 0)
		close(fd);
}

static void child_serve(int fd, pid_t owner, void *shared)
{
	char byte;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	while (poll(&wait, 1, IDLE_MS) > 0 && recv(fd, &byte, 1, 0) == 1) {
		if (!worker_begin(owner))
			break;
		obey(shared);
		worker_end();
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
}

/* ---- in the screen ---- */

static bool is_same_place(const struct place *p, struct source_root root, const char *folder,
			  size_t n_folder)
{
	return p->folder && p->root.is_ours == root.is_ours && p->root.pid == root.pid &&
	       p->root.start_ticks == root.start_ticks &&
	       (!root.is_ours ||
		(strlen(p->folder) == n_folder && memcmp(p->folder, folder, n_folder) == 0));
}

/* The entry of the place of a file. NULL: it has none, and `make` is false or memory is short. */
static struct place *place_of(const char *path, struct source_root root, bool make)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	for (unsigned i = 0; i < PLACES_MAX; i++)
		if (is_same_place(&state.places[i], root, path, n))
			return &state.places[i];
	char *folder = make ? strndup(path, n) : NULL;
	if (!folder)
		return NULL;
	struct place *p = &state.places[state.next_place++ % PLACES_MAX];
	free(p->folder);
	*p = (struct place){ .root = root, .folder = folder };
	return p;
}

enum ask { ASK_ANSWERED, ASK_ENDED, ASK_SILENT };

static enum ask ask(uint64_t *ret_took)
{
	char byte = 0;
	uint64_t asked = monotonic_ns();
	struct pollfd wait = { .fd = state.child.fd, .events = POLLIN };
	if (send(state.child.fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return ASK_ENDED;
	for (;;) {
		int n = poll(&wait, 1, POLL_MS);
		*ret_took = monotonic_ns() - asked;
		if (n > 0)
			return recv(state.child.fd, &byte, 1, 0) == 1 ? ASK_ANSWERED : ASK_ENDED;
		if (*ret_took >= DEADLINE_NS &&
		    (*ret_took >= STARVED_NS || !worker_is_runnable(&state.child)))
			return ASK_SILENT;
	}
}

/* The answer is in the shared memory. */
static enum ask ask_child(const char *path, struct source_root root, uint64_t *ret_took)
{
	enum ask answer = ASK_ENDED;
	for (int try = 0; try < 2 && answer == ASK_ENDED; try++) { /* an idle child ends */
		if (!state.child.pid &&
		    !worker_start(&state.child, sizeof(struct request), ABANDONED_MAX, child_serve))
			return ASK_ENDED;
		struct request *q = state.child.shared;
		strcpy(q->path, path);
		q->root = root;
		answer = ask(ret_took);
		if (answer != ASK_ANSWERED)
			worker_abandon(&state.child, true);
	}
	return answer;
}

enum source_answer source_reader_read(const char *path, struct source_root root, char **ret_text,
				      size_t *ret_n_bytes, uint64_t *ret_modified_ns)
{
	struct place *place = place_of(path, root, false);
	uint64_t took = 0;
	if (place && place->is_silent)
		return SOURCE_SILENT;
	if (strlen(path) >= PATH_BYTES || (!root.is_ours && !root.pid))
		return SOURCE_ABSENT;
	enum ask answer = ask_child(path, root, &took);
	if (took > SLOW_NS && (place = place_of(path, root, true)))
		place->is_silent = worker_debt_add(&place->debt, took) > DEBT_MAX_NS;
	if (answer == ASK_SILENT && place)
		place->is_silent = true;
	if (answer != ASK_ANSWERED)
		return answer == ASK_SILENT ? SOURCE_SILENT : SOURCE_ABSENT;
	const struct request *q = state.child.shared;
	size_t n = q->n_bytes < SOURCE_BYTES_MAX ? q->n_bytes : SOURCE_BYTES_MAX;
	char *text = q->is_read ? malloc(n + 1) : NULL;
	if (!text)
		return SOURCE_ABSENT;
	memcpy(text, q->text, n);
	text[n] = 0;
	*ret_text = text;
	*ret_n_bytes = n;
	*ret_modified_ns = q->modified_ns;
	return SOURCE_READ;
}

void source_reader_forget(void)
{
	worker_abandon(&state.child, true);
	for (unsigned i = 0; i < PLACES_MAX; i++)
		free(state.places[i].folder);
	memset(state.places, 0, sizeof(state.places));
}
