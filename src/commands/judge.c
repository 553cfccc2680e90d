/*
 * judge: see judge.h.
 *
 *     screen ◀─ rows, one a packet ─ helper ◀─ verdicts, one a packet ─ judging child
 *            ── 'l' to list again ─▶           (killed and replaced when a verdict takes too long)
 *
 * Packets have a fixed size and are exchanged between processes of this program only.
 */
#include "base/tr.h"
#include "commands/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "visit/access.h"
#include "system/procs.h"

enum packet_kind { PACKET_BEGIN, PACKET_ROW, PACKET_END };

struct packet {
	enum packet_kind kind;
	int pid, ppid;
	bool is_judged, is_ready, is_stale; /* stale: not seen since the last BEGIN */
	uint64_t up_ns;
	double cpu;
	char python[16], where[64], verdict[24];
	char command[560], why[1024];
};

struct judge {
	judge_fn *check;
	pid_t helper; /* 0 none */
	int fd;
	bool is_looking;
	VEC(struct packet) known; /* by pid */
	VEC(struct app_process) rows;
};

static void send_packet(int fd, const struct packet *p)
{
	while (send(fd, p, sizeof(*p), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Give up what a process forked from the screen must not keep: its signal handlers, its terminal,
 * and all descriptors but one. */
static void leave_screen(int keep_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigset_t none;
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (keep_fd != 3 && dup2(keep_fd, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
}

/* ---- the judging child ---- */

static void judge_one(judge_fn *check, struct packet *p)
{
	struct access access;
	struct err *err = check(p->pid, &access);
	p->is_judged = true;
	if (err) {
		snprintf(p->verdict, sizeof(p->verdict), N_("unknown"));
		snprintf(p->why, sizeof(p->why), "%s", err->message);
		err_destroy(err);
		return;
	}
	if (access.version[0])
		snprintf(p->python, sizeof(p->python), "%.15s", access.version);
	snprintf(p->verdict, sizeof(p->verdict), "%s", access_verdict_name(access.verdict));
	p->is_ready = access.verdict == ACCESS_READY;
	const char *why = access.why[0] ? access.why : access.note;
	bool has_cure = *why && access.cure[0];
	snprintf(p->why, sizeof(p->why), "%s%s%s", why, has_cure ? "; " : "",
		 has_cure ? access.cure : "");
}

/* Start a child that judges packets[from … n) and sends each; *ret_fd to read them from. Returns 0
 * if it cannot be started. */
static pid_t judging_start(judge_fn *check, const struct packet *packets, size_t from, size_t n,
			   int *ret_fd)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		leave_screen(ends[1]);
		for (size_t i = from; i < n; i++) {
			struct packet p = packets[i];
			judge_one(check, &p);
			send_packet(3, &p);
		}
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return 0;
	}
	*ret_fd = ends[0];
	return pid;
}

static void judging_end(pid_t pid, int fd)
{
	close(fd);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void judge_all(judge_fn *check, const struct packet *packets, size_t n, int to)
{
	pid_t child = 0;
	int fd = -1;
	for (size_t i = 0; i < n; i++) {
		struct packet p;
		if (!child)
			child = judging_start(check, packets, i, n, &fd);
		struct pollfd look = { .fd = fd, .events = POLLIN };
		bool is_in_time = child && poll(&look, 1, JUDGE_DEADLINE_MS) > 0;
		if (is_in_time && recv(fd, &p, sizeof(p), 0) == sizeof(p) &&
		    p.pid == packets[i].pid) {
			send_packet(to, &p);
			continue;
		}
		p = packets[i];
		p.is_judged = true;
		snprintf(p.verdict, sizeof(p.verdict), is_in_time ? N_("unknown") : N_("slow"));
		snprintf(p.why, sizeof(p.why),
			 is_in_time ? "looking at it failed"
				    : "looking at it took longer than %d s and was given up",
			 JUDGE_DEADLINE_MS / 1000);
		send_packet(to, &p);
		if (child)
			judging_end(child, fd);
		child = 0;
	}
	if (child)
		judging_end(child, fd);
}

/* ---- the helper ---- */

static void describe(const struct proc *p, struct packet *ret)
{
	*ret = (struct packet){ .kind = PACKET_ROW,
				.pid = p->pid,
				.ppid = p->ppid,
				.up_ns = p->uptime_ns,
				.cpu = p->cpu_percent / 100 };
	snprintf(ret->python, sizeof(ret->python), "%.15s", p->version);
	const char *gap = p->framework[0] && p->venv[0] ? ", " : "";
	bool is_known = p->framework[0] || p->venv[0];
	snprintf(ret->command, sizeof(ret->command), "%s%s%s%s%s%s%s%s%s", p->command,
		 is_known ? "  (" : "", p->framework, gap, p->venv[0] ? "venv " : "", p->venv,
		 is_known ? ")" : "", p->cwd[0] ? "  in " : "", p->cwd);
	if (p->in_container)
		snprintf(ret->where, sizeof(ret->where), "%s",
			 p->container[0] ? p->container : "in a container");
	else if (p->uid != getuid())
		snprintf(ret->where, sizeof(ret->where), "%s", p->user);
}

static void look_once(judge_fn *check, struct procs *procs, int fd)
{
	struct err *err = procs_update(procs);
	size_t n = 0;
	const struct proc *list = err ? NULL : procs_get(procs, &n);
	struct packet *packets = calloc(n ? n : 1, sizeof(*packets));
	struct packet mark = { .kind = PACKET_BEGIN };
	send_packet(fd, &mark);
	for (size_t i = 0; packets && i < n; i++) {
		describe(&list[i], &packets[i]);
		send_packet(fd, &packets[i]);
	}
	if (packets)
		judge_all(check, packets, n, fd);
	mark.kind = PACKET_END;
	send_packet(fd, &mark);
	free(packets);
	err_destroy(err);
}

static void helper_main(judge_fn *check, int fd)
{
	struct procs *procs = NULL;
	char request;
	leave_screen(fd);
	struct err *err = procs_create(&procs);
	while (!err && recv(3, &request, 1, 0) == 1)
		look_once(check, procs, 3);
	_exit(0);
}

/* ---- the screen's side ---- */

struct err *judge_create(judge_fn *check, struct judge **ret)
{
	struct judge *j = calloc(1, sizeof(*j));
	if (!j)
		return err_no_memory();
	j->check = check;
	j->fd = -1;
	*ret = j;
	return NULL;
}

static void helper_end(struct judge *j)
{
	if (j->helper) {
		kill(j->helper, SIGKILL);
		while (waitpid(j->helper, NULL, 0) < 0 && errno == EINTR)
			;
		close(j->fd);
	}
	j->helper = 0;
	j->fd = -1;
	j->is_looking = false;
}

void judge_destroy(struct judge *j)
{
	if (!j)
		return;
	helper_end(j);
	vec_fini(&j->known);
	vec_fini(&j->rows);
	free(j);
}

static struct err *helper_start(struct judge *j)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return err_sys(errno, "cannot look for Python processes");
	pid_t pid = fork();
	if (pid == 0)
		helper_main(j->check, ends[1]);
	int sys = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_sys(sys, "cannot look for Python processes");
	}
	j->helper = pid;
	j->fd = ends[0];
	return NULL;
}

struct err *judge_look(struct judge *j)
{
	struct err *err = j->helper ? NULL : helper_start(j);
	if (err || j->is_looking)
		return err;
	j->is_looking = send(j->fd, "l", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
	if (!j->is_looking)
		helper_end(j); /* the next judge_look() starts another helper */
	return NULL;
}

int judge_fd(const struct judge *j)
{
	return j->fd;
}

static void take_row(struct judge *j, struct packet *p)
{
	size_t i = 0;
	while (i < j->known.n && j->known.v[i].pid < p->pid)
		i++;
	if (i < j->known.n && j->known.v[i].pid == p->pid) {
		struct packet *old = &j->known.v[i];
		if (!p->is_judged && old->is_judged &&
		    !strcmp(p->command, old->command)) { /* keep the last verdict */
			p->is_judged = true;
			p->is_ready = old->is_ready;
			memcpy(p->verdict, old->verdict, sizeof(p->verdict));
			memcpy(p->why, old->why, sizeof(p->why));
			memcpy(p->python, old->python, sizeof(p->python));
		}
		*old = *p;
		return;
	}
	if (!vec_reserve(&j->known, 1))
		return;
	memmove(&j->known.v[i + 1], &j->known.v[i], (j->known.n - i) * sizeof(*p));
	j->known.v[i] = *p;
	j->known.n++;
}

static void take_packet(struct judge *j, struct packet *p)
{
	size_t n = 0;
	switch (p->kind) {
	case PACKET_BEGIN:
		for (size_t i = 0; i < j->known.n; i++)
			j->known.v[i].is_stale = true;
		break;
	case PACKET_ROW: take_row(j, p); break;
	case PACKET_END:
		for (size_t i = 0; i < j->known.n; i++)
			if (!j->known.v[i].is_stale)
				j->known.v[n++] = j->known.v[i];
		j->known.n = n;
		j->is_looking = false;
		break;
	}
}

static void make_rows(struct judge *j)
{
	j->rows.n = 0;
	for (size_t i = 0; i < j->known.n && vec_reserve(&j->rows, 1); i++) {
		const struct packet *p = &j->known.v[i];
		struct app_process row = { .pid = p->pid,
					   .ppid = p->ppid,
					   .up_ns = p->up_ns,
					   .cpu = p->cpu,
					   .command = p->command,
					   .where = p->where[0] ? p->where : NULL,
					   .why = p->why[0] ? p->why : NULL,
					   .verdict = p->is_judged ? p->verdict : N_("looking"),
					   .is_ready = p->is_ready };
		memcpy(row.python, p->python, sizeof(row.python));
		j->rows.v[j->rows.n++] = row;
	}
}

bool judge_read(struct judge *j)
{
	bool any = false;
	struct packet p;
	ssize_t n;
	while (j->fd >= 0 && (n = recv(j->fd, &p, sizeof(p), MSG_DONTWAIT)) != -1) {
		any = true;
		if (n != sizeof(p)) { /* it has ended */
			helper_end(j);
			break;
		}
		take_packet(j, &p);
	}
	if (any)
		make_rows(j);
	return any;
}

const struct app_process *judge_rows(const struct judge *j, size_t *ret_n, bool *ret_done)
{
	*ret_n = j->rows.n;
	*ret_done = !j->is_looking;
	return j->rows.v;
}
