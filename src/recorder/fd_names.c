/*
 * fd_names: see fd_names.h.
 */
#include "recorder/fd_names.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/value.h"
#include "capture/block.h"
#include "capture/value_scan.h"
#include "recorder/intake.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "system/descriptor.h"

enum {
	KNOWN_MAX = 16,        /* answers of one process that are kept */
	GIVEN_MAX = 1024,      /* and events that may still lose theirs */
	CONNECTED_MAX = 64,    /* names of connections of one process that are kept */
	SOCKETS_SHARE = 20,    /* one part in so many of the time goes into lists of sockets, */
	SOCKETS_NS = 50000000, /* after as much at once */
};

struct known {
	char *text; /* malloc'ed; "" if there was no such descriptor; NULL: free */
	int fd;
	bool is_socket;
	uint64_t before_ns, after_ns; /* capture times between which it was looked up */
};
struct given { /* to an event, which opened nothing itself */
	uint64_t seq, after_ns;
	bool is_socket;
	uint64_t name; /* of a file: name_key() of its path */
};
/* A stream that is connected. Its name is the same as long as it lives, and the kernel gives an
 * inode number again only after 2^32 others (Linux 6.1 fs/inode.c, get_next_ino()). */
struct connected {
	uint64_t inode;
	char *name; /* malloc'ed; NULL: free */
};
struct fd_names {
	struct known known[KNOWN_MAX];
	unsigned next; /* the place that is used next */
	struct connected connected[CONNECTED_MAX];
	unsigned next_connected;
	VEC(struct given) given;
};

static int compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct fd_names_event *)row)->name);
}

uint32_t fd_names_of(const char *name, size_t n_bytes)
{
	char text[64];
	if (n_bytes >= sizeof(text))
		return 0;
	memcpy(text, name, n_bytes);
	text[n_bytes] = 0;
	const struct fd_names_event *e = bsearch(text, fd_names_events, fd_names_n_events,
						 sizeof(*e), compare);
	bool opens = !strcmp(text, "open") || !strcmp(text, "socket.__new__");
	return strlen(text) != n_bytes ? 0 : (e ? e->args : 0) | (opens ? FD_NAMES_OPENS : 0);
}

/* ---- the numbers in the arguments ---- */

/* The fd of an object that begins at p (VALUE_OBJECT_AT). */
static bool fd_of_object(const uint8_t *p, const uint8_t *end, int64_t *ret)
{
	uint64_t n_type, n_attrs, n_name, number;
	if (end - p < 9)
		return false;
	p += 9;
	if (!varint_get(&p, end, &n_type) || n_type > (uint64_t)(end - p))
		return false;
	p += n_type;
	if (!varint_get(&p, end, &n_attrs))
		return false;
	for (uint64_t i = 0; i < n_attrs && p; i++) {
		if (!varint_get(&p, end, &n_name) || n_name > (uint64_t)(end - p))
			return false;
		bool is_fd = n_name == 2 && !memcmp(p, "fd", 2);
		p += n_name;
		if (is_fd && p < end && *p == VALUE_INT) {
			p++;
			if (!varint_get(&p, end, &number))
				return false;
			*ret = unzigzag(number);
			return true;
		}
		p = value_scan_end(p, end);
	}
	return false;
}

static bool fd_of(const uint8_t *p, const uint8_t *end, int64_t *ret, bool *ret_is_object)
{
	uint64_t number;
	*ret_is_object = p < end && *p == VALUE_OBJECT_AT;
	if (*ret_is_object)
		return fd_of_object(p, end, ret);
	if (p == end || *p++ != VALUE_INT || !varint_get(&p, end, &number))
		return false;
	*ret = unzigzag(number);
	return true;
}

/* ---- what they are ---- */

/* Is it certain that the pid is still this process? If it was a tracee until now, it is not reaped
 * yet. */
static bool is_there(struct recorder *r, const struct process *p)
{
	struct pollfd fd = { .fd = p->pidfd, .events = POLLIN };
	return !p->ended && (p->pidfd >= 0 ? poll(&fd, 1, 0) == 0 : follow_has(r->follow, p->pid));
}

/* Does a socket of this name keep it? A stream never gets another peer. Of a Unix socket, the
 * process at the other end may not have been found, and is then looked for again. */
static bool is_final(const char *name)
{
	return strstr(name, "->") &&
	       (!strncmp(name, "tcp ", 4) || (!strncmp(name, "unix ", 5) && strchr(name, '[')));
}

static void keep_connected(struct fd_names *f, uint64_t inode, const char *name)
{
	struct connected *c = &f->connected[f->next_connected];
	char *copy = strdup(name);
	if (!copy)
		return;
	free(c->name);
	*c = (struct connected){ .inode = inode, .name = copy };
	f->next_connected = (f->next_connected + 1) % CONNECTED_MAX;
}

/* The addresses of a socket, if they are known or there is time to look for them. */
static void name_socket(struct recorder *r, struct process *p, uint64_t inode, char text[PATH_MAX])
{
	char name[DESCRIPTOR_SOCKET_BYTES];
	uint64_t now = monotonic_ns();
	for (unsigned i = 0; i < CONNECTED_MAX; i++) {
		const struct connected *c = &p->fd_names->connected[i];
		if (c->name && c->inode == inode) {
			strcpy(text, c->name);
			return;
		}
	}
	r->sockets_left_ns += (int64_t)((now - r->sockets_ns) / SOCKETS_SHARE);
	if (!r->sockets_ns || r->sockets_left_ns > SOCKETS_NS)
		r->sockets_left_ns = SOCKETS_NS;
	r->sockets_ns = now;
	if (r->sockets_left_ns <= 0)
		return;
	uint64_t start = thread_cpu_ns();
	if (descriptor_socket(p->pid, inode, name)) {
		strcpy(text, name);
		if (is_final(name))
			keep_connected(p->fd_names, inode, name);
	}
	r->sockets_left_ns -= (int64_t)(thread_cpu_ns() - start);
}

static const struct known *look(struct recorder *r, struct process *p, int fd, uint64_t time_ns)
{
	struct fd_names *f = p->fd_names;
	unsigned place = f->next;
	uint64_t inode;
	char text[PATH_MAX];
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		if (!f->known[i].text || f->known[i].fd != fd)
			continue;
		if (f->known[i].before_ns >= time_ns)
			return &f->known[i];
		place = i;
	}
	struct known *k = &f->known[place], new = { .fd = fd };
	new.before_ns = clock_time_now(&r->clock);
	size_t n = descriptor_read(p->pid, fd, text, sizeof(text));
	text[n] = 0;
	new.is_socket = descriptor_is_socket(text, &inode);
	if (new.is_socket)
		name_socket(r, p, inode, text);
	if (!is_there(r, p))
		text[0] = 0;
	new.after_ns = clock_time_now(&r->clock);
	new.text = strdup(text);
	if (!new.text)
		return NULL;
	free(k->text);
	*k = new;
	if (place == f->next)
		f->next = (f->next + 1) % KNOWN_MAX;
	return k;
}

/* ---- what may still turn out to be wrong ---- */

/* A key of the last part of a path. */
static uint64_t name_key(const char *path, size_t n)
{
	static const char deleted[] = " (deleted)";
	size_t n_deleted = sizeof(deleted) - 1;
	if (n > n_deleted && !memcmp(path + n - n_deleted, deleted, n_deleted))
		n -= n_deleted;
	while (n > 1 && path[n - 1] == '/')
		n--;
	const char *slash = memrchr(path, '/', n);
	size_t at = slash ? (size_t)(slash + 1 - path) : 0;
	return hash_map_text_key(path + at, n - at);
}

/* What an event opens, from its first argument: *ret_name is the name_key() of a path, 0 unknown.
 * Returns false if it opens nothing: a descriptor is only wrapped. */
static bool opens(const uint8_t *p, const uint8_t *end, uint64_t *ret_name)
{
	uint64_t n;
	*ret_name = 0;
	if (p == end)
		return true;
	uint8_t tag = *p++;
	if ((tag == VALUE_STR || tag == VALUE_BYTES) && varint_get(&p, end, &n) &&
	    n <= (uint64_t)(end - p))
		*ret_name = name_key((const char *)p, n);
	return tag != VALUE_INT;
}

/* A file or a socket was opened at time_ns: take back what may have been found of it. name: of a
 * file; 0 unknown. */
static void doubt(struct recorder *r, struct fd_names *f, bool is_socket, uint64_t name,
		  uint64_t time_ns)
{
	size_t n = 0;
	for (size_t i = 0; i < f->given.n; i++) {
		const struct given *g = &f->given.v[i];
		if (g->after_ns <= time_ns)
			continue; /* nothing that follows is earlier than the look */
		if (g->is_socket == is_socket && (is_socket || !name || g->name == name))
			writer_event_doubt(r->writer, g->seq);
		else
			f->given.v[n++] = *g;
	}
	f->given.n = n;
}

/* Returns false if it could not be taken back. */
static bool give(struct fd_names *f, const struct given *g, uint64_t time_ns)
{
	size_t n = 0;
	for (size_t i = 0; f->given.n >= GIVEN_MAX && i < f->given.n; i++)
		if (f->given.v[i].after_ns > time_ns)
			f->given.v[n++] = f->given.v[i];
	if (f->given.n >= GIVEN_MAX)
		f->given.n = n;
	return f->given.n < GIVEN_MAX && vec_push(&f->given, *g);
}

uint32_t fd_names_look(struct recorder *r, struct process *p, uint32_t wanted, const uint8_t *args,
		       size_t n_bytes, uint64_t time_ns)
{
	const uint8_t *end = args + n_bytes, *at;
	struct strbuf texts = { 0 };
	uint64_t n_args;
	size_t n = 0; /* bytes up to the last that is known */
	if (!p->fd_names && !(p->fd_names = calloc(1, sizeof(*p->fd_names))))
		return 0;
	if (!value_scan_container(args, end, &at, &n_args))
		return 0;
	/* socket.__new__ has no descriptor among its arguments */
	bool is_socket = wanted == FD_NAMES_OPENS;
	uint64_t name;
	if (wanted & FD_NAMES_OPENS && (opens(n_args ? at : end, end, &name) || is_socket))
		doubt(r, p->fd_names, is_socket, name, time_ns);
	for (uint32_t i = 0; i < n_args && i < 31 && at && wanted >> i; i++) {
		int64_t fd;
		bool is_object;
		const struct known *k = NULL;
		if (wanted >> i & 1 && fd_of(at, end, &fd, &is_object) && fd >= 0 && fd <= INT_MAX)
			k = look(r, p, (int)fd, time_ns);
		struct given g = { .seq = writer_n_events(r->writer) };
		/* of a socket object it is known that it is a socket */
		bool is_said = k && k->text[0] &&
			       (!is_object || (k->is_socket && k->text[0] != 's'));
		if (is_said) {
			g.after_ns = k->after_ns;
			g.is_socket = k->is_socket;
			g.name = name_key(k->text, strlen(k->text));
			if (give(p->fd_names, &g, time_ns)) {
				strbuf_adds(&texts, k->text);
				n = texts.n + 1;
			}
		}
		strbuf_addc(&texts, 0);
		at = value_scan_end(at, end);
	}
	uint32_t id = n && !texts.failed ? intake_texts(r->writer, r->redactor, texts.s, n) : 0;
	strbuf_fini(&texts);
	return id;
}

void fd_names_fini(struct process *p)
{
	struct fd_names *f = p->fd_names;
	if (!f)
		return;
	for (unsigned i = 0; i < KNOWN_MAX; i++)
		free(f->known[i].text);
	for (unsigned i = 0; i < CONNECTED_MAX; i++)
		free(f->connected[i].name);
	vec_fini(&f->given);
	free(f);
	p->fd_names = NULL;
}
