/*
 * session: see session.h.
 */
#include "commands/session.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "model/capture_filter.h"
#include "options.h"
#include "probe/abi.h"
#include "tracer/access.h"
#include "tracer/ptrace.h"

enum { MAX_FRAMES = 1024, MAX_ITEMS = 64, N_SLOTS = 64 };

static bool wanted(void *ctx, const char *name, uint32_t n)
{
	return capture_filter_wants(ctx, name, n);
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);
	return n >= m && strcmp(s + n - m, tail) == 0;
}

struct err *capture_plan_make(const struct options *o, const char *path, struct capture_plan *ret)
{
	struct capture_plan p = { 0 };
	struct recorder_options *r = &p.recorder;
	r->path = path;
	r->control_fd = -1;
	r->duration_ns = o->duration_ns;
	r->limit = o->limit;
	r->follow = o->follow == YES || (o->follow == UNSET && o->program);
	r->only_targets = o->follow == NO;
	r->keep_secrets = o->redact == NO;
	static const int ends[] = {
		[ON_EXIT_WAIT] = RECORDER_WAIT, [ON_EXIT_DETACH] = RECORDER_LEAVE, [ON_EXIT_TERM] = RECORDER_TERM, [ON_EXIT_KILL] = RECORDER_KILL,
	};
	r->on_end = ends[o->on_exit];
	bool native = o->stack == STACK_NATIVE || o->stack == STACK_BOTH;
	r->probe = (struct probe_options){
		.flags = (o->may_drop ? PROBE_DROP : 0) | (o->stack == STACK_PYTHON || o->stack == STACK_BOTH ? PROBE_STACK_PYTHON : 0) |
			 (native ? PROBE_STACK_NATIVE : 0),
		.string_bytes = o->string_bytes,
		.bulk_bytes = o->bulk_bytes,
		.max_frames = MAX_FRAMES,
		.max_items = MAX_ITEMS,
		.slice_bytes = native ? o->stack_bytes : 0,
		.n_slots = N_SLOTS,
		.slot_data_bytes = 1u << 20,
	};
	if (r->probe.string_bytes > 64 * 1024) /* a record must fit into the smallest ring */
		r->probe.string_bytes = 64 * 1024;
	uint64_t ring = o->ring_bytes ? o->ring_bytes : native ? 32u << 20 : 4u << 20;
	while (r->probe.slot_data_bytes < ring && r->probe.slot_data_bytes < 1u << 30)
		r->probe.slot_data_bytes <<= 1;
	if (o->events) {
		struct err *err = capture_filter_compile(o->events, &p.filter);
		if (err && err->code == ERR_SYNTAX)
			err->code = ERR_USAGE; /* it came with the command line */
		if (err)
			return err;
		r->probe.filter_on = true;
		r->wants = wanted;
		r->wants_ctx = p.filter;
	}
	p.argv = o->program;
	if (p.argv && ends_with(p.argv[0], ".py")) { /* a script is run by a Python, as its owner would */
		size_t n = 0;
		while (p.argv[n])
			n++;
		char **argv = calloc(n + 2, sizeof(*argv));
		if (!argv) {
			capture_filter_destroy(p.filter);
			return err_no_memory();
		}
		p.argv_own[0] = strdup(o->python ? o->python : "python3");
		argv[0] = p.argv_own[0];
		memcpy(argv + 1, p.argv, n * sizeof(*argv));
		p.argv = argv;
	}
	*ret = p;
	return NULL;
}

void capture_plan_fini(struct capture_plan *p)
{
	capture_filter_destroy(p->filter);
	if (p->argv_own[0]) {
		free(p->argv);
		free(p->argv_own[0]);
	}
	*p = (struct capture_plan){ 0 };
}

struct err *capture_plan_check(const struct options *o)
{
	struct err *err = NULL;
	for (size_t i = 0; !err && i < o->n_pids; i++) {
		struct access access;
		err = access_check(o->pids[i], &access);
		if (!err && !(o->follow == YES && access.cause == ACCESS_NOT_PYTHON)) /* its children may be */
			err = access_to_err(&access);
	}
	return err;
}

void capture_remove(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
}

struct err *capture_plan_start(const struct capture_plan *p, const struct options *o, struct recorder *r,
			       const struct follow_stdio *io)
{
	if (p->argv)
		return recorder_launch(r, p->argv, o->user, io);
	for (size_t i = 0; i < o->n_pids; i++) {
		struct err *err = recorder_attach(r, o->pids[i]);
		if (err)
			return err;
	}
	return NULL;
}

struct err *capture_path_make(const char *name, char **ret)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct strbuf path = { 0 };
	if (cache && cache[0] == '/')
		strbuf_addf(&path, "%s", cache);
	else
		strbuf_addf(&path, "%s/.cache", home && home[0] == '/' ? home : "/tmp");
	mkdir(strbuf_str(&path), 0700);
	strbuf_adds(&path, "/auditview");
	if (mkdir(strbuf_str(&path), 0700) < 0 && errno != EEXIST) {
		struct err *err = err_sys(errno, "cannot make the folder %s for captures", strbuf_str(&path));
		strbuf_fini(&path);
		return err_with_hint(err, "-o FILE puts the capture elsewhere");
	}
	time_t now = time(NULL);
	struct tm tm;
	localtime_r(&now, &tm);
	strbuf_addc(&path, '/');
	for (size_t i = 0; name[i] && i < 40; i++)
		strbuf_addc(&path, isalnum((unsigned char)name[i]) || strchr("._-", name[i]) ? name[i] : '_');
	strbuf_addf(&path, "-%04d%02d%02d-%02d%02d%02d-%d.avc", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec, (int)getpid());
	*ret = strbuf_take(&path);
	return *ret ? NULL : err_no_memory();
}

int exit_status_of(int status)
{
	if (status == -1)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- the other process ---- */

static NORETURN void recorder_process(const struct options *o, const char *path, const struct follow_stdio *io, int fd)
{
	struct capture_plan plan = { 0 };
	struct recorder *r = NULL;
	struct recorder_summary sum = { 0 };
	prctl(PR_SET_NAME, "auditview-rec");
	struct err *err = capture_plan_make(o, path, &plan);
	if (!err) {
		plan.recorder.control_fd = fd;
		plan.recorder.own_terminal = io->terminal >= 0;
		err = capture_plan_check(o);
	}
	if (!err)
		err = recorder_create(&plan.recorder, &r);
	bool is_created = !err;
	if (!err)
		err = capture_plan_start(&plan, o, r, io);
	if (err && is_created)
		capture_remove(path);
	struct control_report m = { .state = RECORDER_LIVE, .exit_status = -1, .failed = err != NULL };
	if (err) {
		m.state = RECORDER_ENDED;
		m.exit_status = err->code == ERR_USAGE ? 2 : 1;
		snprintf(m.text, sizeof(m.text), "%s", err->message);
		snprintf(m.hint, sizeof(m.hint), "%s", err->hint ? err->hint : "");
	}
	if (send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0 && !err)
		err = err_create(ERR_CANCELLED, "the viewer is gone");
	if (!err)
		err = recorder_run(r, &sum);
	recorder_destroy(r);
	capture_plan_fini(&plan);
	int status = err ? 1 : 0;
	err_destroy(err);
	_exit(status);
}

struct err *session_start(const struct options *o, const char *path, const struct follow_stdio *io, struct session **ret)
{
	CLEANUP(session) struct session *s = calloc(1, sizeof(*s));
	int fds[2];
	if (!s)
		return err_no_memory();
	s->control_fd = -1;
	if (path) {
		s->path = strdup(path);
	} else {
		char name[64];
		const char *base = o->program ? strrchr(o->program[0], '/') : NULL;
		if (o->program)
			snprintf(name, sizeof(name), "%s", base ? base + 1 : o->program[0]);
		else
			snprintf(name, sizeof(name), "%d", o->n_pids ? o->pids[0] : 0);
		struct err *err = capture_path_make(name, &s->path);
		if (err)
			return err;
	}
	if (!s->path)
		return err_no_memory();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(errno, "cannot talk to the recorder");
	s->pid = fork();
	if (s->pid == 0) {
		close(fds[0]);
		recorder_process(o, s->path, io, fds[1]);
	}
	close(fds[1]);
	s->control_fd = fds[0];
	if (s->pid < 0) {
		s->pid = 0;
		return err_sys(errno, "cannot start the recorder");
	}
	ssize_t n;
	do
		n = recv(s->control_fd, &s->last, sizeof(s->last), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(s->last)) {
		s->ended = true;
		return err_create(ERR_SYS, "the recorder ended before it began");
	}
	if (s->last.failed) {
		s->ended = true;
		struct err *err = err_create(s->last.exit_status == 2 ? ERR_USAGE : ERR_SYS, "%.*s", (int)sizeof(s->last.text) - 1,
					     s->last.text);
		if (s->last.hint[0])
			err = err_with_hint(err, "%.*s", (int)sizeof(s->last.hint) - 1, s->last.hint);
		return err;
	}
	*ret = take_ptr(s);
	return NULL;
}

bool session_poll(struct session *s)
{
	bool any = false;
	struct control_report m;
	while (!s->ended) {
		ssize_t n = recv(s->control_fd, &m, sizeof(m), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n != (ssize_t)sizeof(m)) {
			s->ended = true;
			any = true;
			break;
		}
		s->last = m;
		any = true;
		if (m.state == RECORDER_ENDED)
			s->ended = true;
	}
	return any;
}

void session_request(struct session *s, enum control_request request)
{
	struct control_message m = { .request = request };
	if (!s->ended && send(s->control_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE)
		s->ended = true;
}

bool session_wait(struct session *s, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	for (;;) {
		session_poll(s);
		if (s->ended)
			return true;
		uint64_t now = monotonic_ns();
		if (now >= deadline)
			return false;
		struct pollfd p = { .fd = s->control_fd, .events = POLLIN };
		uint64_t left_ms = (deadline - now) / 1000000 + 1;
		poll(&p, 1, left_ms > 1000 ? 1000 : (int)left_ms);
	}
}

int session_status(const struct session *s)
{
	if (s->last.state != RECORDER_ENDED || s->last.failed)
		return 1;
	return s->last.target_ended ? exit_status_of(s->last.exit_status) : 0;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	if (s->pid > 0) {
		if (!s->ended)
			session_request(s, CONTROL_DETACH);
		session_wait(s, 5000000000ull);
		if (s->control_fd >= 0)
			close(s->control_fd);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	} else if (s->control_fd >= 0) {
		close(s->control_fd);
	}
	if (s->is_temporary && s->path)
		unlink(s->path);
	free(s->path);
	free(s);
}
