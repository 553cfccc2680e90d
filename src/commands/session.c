/*
 * session: see session.h.
 */
#include "commands/session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
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

#include "base/folder.h"
#include "base/new_file.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/capture_count.h"
#include "capture/writer.h"
#include "command.h"
#include "commands/given.h"
#include "commands/holder.h"
#include "commands/keep.h"
#include "commands/until.h"
#include "model/capture_filter.h"
#include "model/catalog.h"
#include "options.h"
#include "probe/abi.h"
#include "recorder/turner.h"
#include "system/proc_file.h"
#include "visit/access.h"
#include "visit/ptrace.h"

enum { MAX_FRAMES = 1024, MAX_ITEMS = 64, N_SLOTS = 64 };
/*
 * At most 16 MiB of a target's address space are taken, because programs limit themselves
 * (RLIMIT_AS, mlockall, cgroups). A slot is for a process, or for a thread where threads run side
 * by side; forked processes share a ring. The first process of a ring has a larger slot: a slot of
 * 512 KiB is full some thousand times a second, and each time the process waits. If children are
 * not recorded, other slots are needed for threads only. With the private part (0.8 MiB for eight
 * lanes) and the head of the ring the sum is 15.5 MiB. Native stacks have records of 64 KiB and
 * more.
 */
enum {
	DEFAULT_SLOTS = 26,
	FIRST_SLOT_BYTES = 2 << 20,
	ALONE_SLOTS = 13,
	ALONE_SLOT_BYTES = 8 << 20
};
enum { NATIVE_SLOTS = 30, NATIVE_SLOT_BYTES = 4 << 20 };
#define SECOND_NS 1000000000ull
/* What is not written when the recorder is killed is not known. */
#define COUNT_NS (5 * SECOND_NS)
/* how long a leaving recorder may be silent, on a heavily loaded machine */
#define FINISH_NS 60000000000ull
#define HURRY_NS  10000000000ull

static const char *known_name(size_t i)
{
	return i < n_catalog_events ? catalog_events[i].name : NULL;
}

static bool wanted(void *ctx, const char *name, uint32_t n)
{
	return capture_filter_wants(ctx, name, n);
}

/* If the program is a *.py file, put the Python that runs it before it. */
static struct err *script_argv(const struct options *o, struct capture_plan *p)
{
	struct stat st;
	size_t n = 0;
	while (o->program[n])
		n++;
	if (stat(o->program[0], &st) != 0)
		return err_sys(errno, "cannot run %s", o->program[0]);
	struct err *err = given_python(o->python, &p->argv_own[0]);
	char **argv = err ? NULL : calloc(n + 2, sizeof(*argv));
	if (!err && !argv)
		err = err_no_memory();
	if (err)
		return err;
	argv[0] = p->argv_own[0];
	memcpy(argv + 1, o->program, n * sizeof(*argv));
	p->argv = p->argv_script = argv;
	return NULL;
}

/* Events are counted in the target. A ring is needed only for names that are new. */
static void plan_count(const struct options *o, struct recorder_options *r)
{
	uint64_t half = o->interval_ns / 2; /* so that each table has what belongs to it */
	r->probe.counts = r->probe.filter_on = true;
	r->probe.flags &= ~(uint32_t)(PROBE_STACK_PYTHON | PROBE_STACK_NATIVE);
	r->probe.first_data_bytes /= 2; /* the counters need address space, too */
	r->known_name = known_name;
	r->count_ns = !half ? COUNT_NS : half < SECOND_NS ? half : SECOND_NS;
}

/* Who decides about holds: those of the command line, and of the screen. */
static struct err *plan_hold(const struct options *o, const char *path, struct capture_plan *p)
{
	bool is_record = o->command->name && !strcmp(o->command->name, "record");
	struct err *err = holder_create(o, is_record && path && strcmp(path, "-") != 0, &p->holder);
	p->recorder.hold = holder_options(p->holder);
	p->recorder.hold_locals_bytes = o->hold_locals;
	p->recorder.known_name = known_name;
	return err;
}

struct err *session_plan_make(const struct options *o, const char *path, struct capture_plan *ret)
{
	struct capture_plan p = { 0 };
	struct recorder_options *r = &p.recorder;
	r->path = path;
	r->file = NULL;
	r->control_fd = -1;
	r->duration_ns = o->duration_ns;
	r->limit = o->limit;
	r->follow = o->follow == YES || (o->follow == UNSET && o->program);
	r->only_targets = !r->follow;
	r->keep_secrets = o->redact == NO;
	static const int ends[] = {
		[ON_EXIT_WAIT] = RECORDER_WAIT,
		[ON_EXIT_DETACH] = RECORDER_LEAVE,
		[ON_EXIT_TERM] = RECORDER_TERM,
		[ON_EXIT_KILL] = RECORDER_KILL,
	};
	r->on_end = ends[o->on_exit];
	bool native = o->stack == STACK_NATIVE || o->stack == STACK_BOTH;
	r->probe = (struct probe_options){
		.flags = (o->may_drop ? PROBE_DROP : 0) |
			 (o->stack == STACK_PYTHON || o->stack == STACK_BOTH ? PROBE_STACK_PYTHON
									     : 0) |
			 (native ? PROBE_STACK_NATIVE : 0),
		.string_bytes = o->string_bytes,
		.bulk_bytes = o->bulk_bytes,
		.max_frames = MAX_FRAMES,
		.max_items = MAX_ITEMS,
		.slice_bytes = native ? o->stack_bytes : 0,
		.n_slots = o->ring_bytes ? N_SLOTS
			   : native      ? NATIVE_SLOTS
					 : DEFAULT_SLOTS,
		.slot_data_bytes = RING_SLOT_MIN_BYTES,
		.first_data_bytes = o->ring_bytes || native ? 0 : FIRST_SLOT_BYTES,
	};
	if (r->only_targets) {
		r->probe.flags |= PROBE_ALONE;
		if (r->probe.first_data_bytes) {
			r->probe.n_slots = ALONE_SLOTS;
			r->probe.first_data_bytes = ALONE_SLOT_BYTES;
		}
	}
	if (r->probe.string_bytes > 64 * 1024) /* a record must fit into the smallest ring */
		r->probe.string_bytes = 64 * 1024;
	uint64_t ring = o->ring_bytes ? o->ring_bytes
			: native      ? NATIVE_SLOT_BYTES
				      : RING_SLOT_MIN_BYTES;
	/* registers and anchors */
	uint64_t two_records = native ? RING_SLOT_MIN_BYTES +
					    2 * ((uint64_t)r->probe.slice_bytes + 16384)
				      : 0;
	ring = ring < two_records ? two_records : ring;
	while (r->probe.slot_data_bytes < ring && r->probe.slot_data_bytes < 1u << 30)
		r->probe.slot_data_bytes <<= 1;
	if (o->events) {
		struct err *err = capture_filter_compile(o->events, &p.filter);
		if (err && err->code == ERR_SYNTAX)
			err->code = ERR_USAGE; /* the text is from the command line */
		if (err)
			return err;
		r->probe.filter_on = true;
		r->wants = wanted;
		r->wants_ctx = p.filter;
		r->known_name = known_name;
	}
	if (o->count)
		plan_count(o, r);
	p.argv = o->program;
	struct err *err = o->until ? until_create(o->until, &p.until) : NULL;
	r->until = until_gate(p.until);
	if (!err && (o->hold || (o->hold_silently && !o->may_drop && !o->count)))
		err = plan_hold(o, path, &p);
	if (!err && options_is_script(o))
		err = script_argv(o, &p);
	if (err)
		session_plan_fini(&p);
	else
		*ret = p;
	return err;
}

void session_plan_fini(struct capture_plan *p)
{
	capture_filter_destroy(p->filter);
	until_destroy(p->until);
	holder_destroy(p->holder);
	free(p->argv_script);
	free(p->argv_own[0]);
	*p = (struct capture_plan){ 0 };
}

struct err *session_plan_check(const struct options *o)
{
	struct err *err = NULL;
	for (size_t i = 0; !err && i < o->n_pids; i++) {
		struct access access;
		err = access_check(o->pids[i], &access);
		/* with -f its children may be Python */
		if (!err && !(o->follow == YES && access.cause == ACCESS_NOT_PYTHON))
			err = access_to_err(&access);
	}
	return err;
}

struct err *session_plan_start(const struct capture_plan *p, const struct options *o,
			       struct recorder *r, const struct follow_stdio *io)
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

/* The folder for captures: the user's, or, if there is no home, a new one below /tmp. A container
 * whose root cannot be written, or has nothing in it, still has a /dev/shm. */
static struct err *captures_folder(char **ret, bool *ret_is_own)
{
	struct err *err = folder_find(FOLDER_CACHE, true, ret);
	if (!err || err->code == ERR_NO_MEMORY)
		return err;
	const char *const places[] = { getenv("TMPDIR"), "/tmp", "/dev/shm" };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *path = NULL;
		if (!places[i] || places[i][0] != '/')
			continue;
		if (asprintf(&path, "%s/auditview-XXXXXX", places[i]) < 0)
			break;
		if (mkdtemp(path)) {
			err_destroy(err);
			*ret = path;
			*ret_is_own = true;
			return NULL;
		}
		free(path);
	}
	return err_with_hint(err, "-o FILE puts the capture elsewhere");
}

static struct err *capture_path_make(const char *name, char **ret, char **ret_folder)
{
	struct strbuf path = { 0 };
	char *folder;
	bool is_own = false;
	struct err *err = captures_folder(&folder, &is_own);
	if (err)
		return err;
	strbuf_adds(&path, folder);
	if (is_own)
		*ret_folder = folder;
	else
		free(folder);
	time_t now = time(NULL);
	struct tm tm;
	localtime_r(&now, &tm);
	strbuf_addc(&path, '/');
	for (size_t i = 0; name[i] && i < 40; i++)
		strbuf_addc(&path, isalnum((unsigned char)name[i]) || strchr("._-", name[i])
				       ? name[i]
				       : '_');
	strbuf_addf(&path, "-%04d%02d%02d-%02d%02d%02d-%d.avc", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
	*ret = strbuf_take(&path);
	return *ret ? NULL : err_no_memory();
}

/* ---- the recorder's process ---- */

/* Descriptors of the viewer that a recorder must not inherit: it would keep the sockets of other
 * sessions open, whose recorders could then not notice that their viewer died, and the terminals of
 * programs. */
static VEC(int) viewers_own;

bool session_keep_from_recorders(int fd)
{
	return vec_push(&viewers_own, fd);
}

void session_close(int fd)
{
	for (size_t i = 0; i < viewers_own.n; i++)
		if (viewers_own.v[i] == fd)
			viewers_own.v[i--] = viewers_own.v[--viewers_own.n];
	if (fd >= 0)
		close(fd);
}

/* Status of the recorder's process if what is kept could not become one capture. */
enum { STATUS_NOT_JOINED = 3 };

static NORETURN void recorder_process(const struct options *o, const char *path,
				      struct new_file *file, struct turner *turner,
				      const struct follow_stdio *io, int fd)
{
	struct capture_plan plan = { 0 };
	struct recorder *r = NULL;
	struct session_end end;
	prctl(PR_SET_NAME, "auditview-rec");
	for (size_t i = 0; i < viewers_own.n; i++)
		close(viewers_own.v[i]);
	struct err *err = session_plan_make(o, path, &plan);
	if (!err) {
		plan.recorder.file = file;
		plan.recorder.turner = turner;
		plan.recorder.control_fd = fd;
		plan.recorder.own_terminal = io->terminal >= 0;
		err = session_plan_check(o);
	}
	if (err)
		new_file_destroy(file);
	else
		err = recorder_create(&plan.recorder, &r);
	if (!err)
		err = session_plan_start(&plan, o, r, io);
	if (err)
		err = recorder_abandon(take_ptr(r), err);
	if (io->terminal >= 0)
		/* it belongs to the program: the terminal ends when no other process has it open */
		close(io->terminal);
	struct control_report m = { .state = RECORDER_LIVE,
				    .exit_status = -1,
				    .failed = err != NULL };
	if (err) {
		m.state = RECORDER_ENDED;
		m.exit_status = err->code == ERR_USAGE ? 2 : 1;
		snprintf(m.text, sizeof(m.text), "%s", err->message);
		snprintf(m.hint, sizeof(m.hint), "%s", err->hint ? err->hint : "");
	}
	if (send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0 && !err)
		err = err_create(ERR_CANCELLED, "the viewer is gone");
	if (!err)
		recorder_run(r, &end);
	recorder_destroy(r);
	session_plan_fini(&plan);
	int status = err ? 1 : 0;
	if (!err && turner) {
		struct strbuf names = { 0 };
		err = keep_finish(turner, path, &end, &names);
		status = err ? STATUS_NOT_JOINED : 0;
		strbuf_fini(&names);
	}
	turner_destroy(turner);
	err_destroy(err);
	_exit(status);
}

/* With --no-tty the output of the program goes to a file beside the capture. */
static struct err *output_open(const struct options *o, struct session *s, struct follow_stdio *io)
{
	char *path = NULL;
	if (!o->no_tty || !o->program)
		return NULL;
	if (asprintf(&path, "%s.out", s->path) < 0)
		return err_no_memory();
	struct err *err = new_file_open(path, NEW_FILE_GROWS, &s->output);
	free(path);
	if (err)
		return err_with_hint(
		    err,
		    "the program's output would go there; without --no-tty it has a terminal pane");
	io->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	io->out = io->err = new_file_fd(s->output);
	return io->in < 0 ? err_sys(errno, "cannot open /dev/null") : NULL;
}

struct err *session_start(const struct options *o, const char *path, const struct follow_stdio *io,
			  struct session **ret)
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
		struct err *err = capture_path_make(name, &s->path, &s->folder);
		if (err)
			return err;
	}
	if (!s->path)
		return err_no_memory();
	CLEANUP(new_file) struct new_file *file = NULL;
	CLEANUP(turner) struct turner *turner = NULL;
	s->keeps = o->keep != NULL;
	struct err *err = s->keeps ? keep_start(o, s->path, &turner, &file)
				   : new_file_open(s->path, NEW_FILE_GROWS, &file);
	if (err)
		return err;
	if (!(s->now_at = strdup(new_file_now_at(file))))
		return err_no_memory();
	s->is_counting = o->count;
	struct follow_stdio own_io = *io;
	err = output_open(o, s, &own_io);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(errno, "cannot talk to the recorder");
	s->pid = fork();
	if (s->pid == 0) {
		close(fds[0]);
		recorder_process(o, s->path, file, turner, &own_io, fds[1]);
	}
	close(fds[1]);
	if (own_io.in >= 0 && own_io.in != io->in)
		close(own_io.in);
	s->control_fd = fds[0];
	if (!session_keep_from_recorders(fds[0]))
		return err_no_memory();
	if (s->pid < 0) {
		s->pid = 0;
		return err_sys(errno, "cannot start the recorder");
	}
	new_file_keep(take_ptr(file)); /* the recorder owns it now */
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
		err = err_create(s->last.exit_status == 2 ? ERR_USAGE : ERR_SYS, "%.*s",
				 (int)sizeof(s->last.text) - 1, s->last.text);
		if (s->last.hint[0])
			err = err_with_hint(err, "%.*s", (int)sizeof(s->last.hint) - 1,
					    s->last.hint);
		return err;
	}
	*ret = take_ptr(s);
	return NULL;
}

bool session_poll(struct session *s)
{
	bool any = false;
	union {
		struct control_report report;
		struct hold_list holds;
	} packet;
	_Static_assert(sizeof(packet.report) != sizeof(packet.holds), "told apart by their size");
	while (!s->ended) {
		ssize_t n = recv(s->control_fd, &packet, sizeof(packet), MSG_DONTWAIT);
		/* ECONNRESET: the recorder closed its end before it read all that we sent. The
		 * kernel reports that once, before the messages that are still to be read
		 * (net/unix/af_unix.c, unix_release_sock). */
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		any = true;
		if (n == (ssize_t)sizeof(packet.holds)) {
			s->holds = packet.holds;
			continue;
		}
		const struct control_report m = packet.report;
		if (n != (ssize_t)sizeof(m)) {
			s->ended = true;
			break;
		}
		if (m.is_answer) {
			s->has_answer = true;
			s->answer_failed = m.failed;
			snprintf(s->answer, sizeof(s->answer), "%.*s", (int)sizeof(m.text) - 1,
				 m.text);
			continue;
		}
		s->last = m;
		s->n_reports++;
		if (m.state == RECORDER_ENDED) {
			s->ended = s->has_end = true;
			s->end = m.end;
		}
	}
	return any;
}

void session_request(struct session *s, enum control_request request)
{
	struct control_message m = { .request = request };
	bool is_leaving = request == CONTROL_DETACH || request == CONTROL_RELEASE;
	if (is_leaving && s->asked)
		return;
	s->asked |= is_leaving;
	/* If the recorder has ended, its last messages are still to be read: session_poll() will
	 * find the end. */
	if (!s->ended && send(s->control_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno == EAGAIN && is_leaving)
		s->asked = false;
}

struct err *session_hold(struct session *s, enum control_request request, uint64_t argument,
			 uint32_t flags, const char *text)
{
	struct control_message m = { .request = request, .argument = argument, .flags = flags };
	if (text && strlen(text) >= HOLD_TEXT_BYTES)
		return err_create(ERR_USAGE, "the filter is too long");
	if (text)
		memcpy(m.path, text, strlen(text) + 1);
	if (send(s->control_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_sys(errno, "cannot ask the recorder");
	return NULL;
}

struct err *session_dump(struct session *s, const char *path)
{
	struct control_message m = { .request = CONTROL_DUMP };
	if (strlen(path) >= sizeof(m.path))
		return err_create(ERR_USAGE, "the name of the file is too long");
	memcpy(m.path, path, strlen(path) + 1);
	if (send(s->control_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_sys(errno, "cannot ask the recorder");
	return NULL;
}

bool session_wait(struct session *s, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	unsigned n_signals = session_n_signals();
	for (;;) {
		session_poll(s);
		if (s->ended)
			return true;
		uint64_t now = monotonic_ns();
		if (now >= deadline || session_n_signals() != n_signals)
			return false;
		struct pollfd p = { .fd = s->control_fd, .events = POLLIN };
		uint64_t left_ms = (deadline - now) / 1000000 + 1;
		poll(&p, 1, left_ms > 1000 ? 1000 : (int)left_ms);
	}
}

/* ---- the end ---- */

static volatile sig_atomic_t n_signals, n_asked_to_end;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	n_signals++;
	/* If the signal came from the terminal, the recorder got it too and handles it; if it was
	 * sent to us alone, we pass it on. */
	if ((signal != SIGINT && signal != SIGQUIT) || info->si_code <= 0)
		n_asked_to_end++;
}

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static struct sigaction not_caught[ARRAY_LEN(caught)];
static unsigned n_catchers;

void session_catch_signals(void)
{
	if (n_catchers++)
		return;
	for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
		struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
		if (sigaction(caught[i], NULL, &not_caught[i]) == 0 &&
		    not_caught[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &act, NULL);
	}
}

void session_release_signals(void)
{
	if (--n_catchers)
		return;
	for (size_t i = 0; i < ARRAY_LEN(caught); i++)
		sigaction(caught[i], &not_caught[i], NULL);
}

unsigned session_n_signals(void)
{
	return (unsigned)n_signals;
}

unsigned session_n_asked_to_end(void)
{
	return (unsigned)n_asked_to_end;
}

/* Reap the recorder if it has ended or is about to end. */
static bool reap(struct session *s, int *ret_status)
{
	/* its socket closes a moment before waitpid(2) reports it */
	for (unsigned i = 0; i < 100 && s->pid > 0; i++) {
		pid_t pid = waitpid(s->pid, ret_status, WNOHANG);
		if (pid == s->pid || (pid < 0 && errno != EINTR))
			s->pid = 0;
		else
			poll(NULL, 0, 10);
	}
	return s->pid == 0;
}

/* Is it stopped (SIGSTOP)? Then it will not answer until it is continued, and leaves by itself
 * afterwards. */
static bool is_stopped(pid_t pid)
{
	char state;
	long call;
	return proc_thread_state(pid, pid, &state, &call) && state == 'T';
}

static void wait_for_end(struct session *s, bool waits)
{
	unsigned before = session_n_signals(), n_stopped = 0;
	while (waits && !session_wait(s, SECOND_NS) && session_n_signals() == before)
		;
	session_request(s, CONTROL_DETACH);
	uint64_t deadline = monotonic_ns() + FINISH_NS, hurry = HURRY_NS;
	unsigned n_reports = s->n_reports;
	while (!session_wait(s, SECOND_NS) && monotonic_ns() < deadline && n_stopped < 2) {
		if (s->n_reports != n_reports && hurry == HURRY_NS)
			deadline = monotonic_ns() + FINISH_NS;
		n_reports = s->n_reports;
		n_stopped = is_stopped(s->pid) ? n_stopped + 1 : 0;
		if (session_n_signals() == before)
			continue;
		/* further signals to us are meant for the recorder */
		before = session_n_signals();
		kill(s->pid, SIGTERM);
		if (deadline > monotonic_ns() + hurry)
			deadline = monotonic_ns() + hurry;
		hurry = SECOND_NS;
	}
}

/* The recorder has counted what was captured; what is kept is less. */
static void count_kept(struct session *s, int status)
{
	uint64_t n_events;
	if (!s->has_end || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return;
	struct err *err = capture_count(s->path, &n_events);
	if (!err)
		session_end_count(&s->end, n_events);
	err_destroy(err);
}

void session_finish(struct session *s, bool waits)
{
	int status = -1;
	if (s->pid <= 0 || s->is_finished)
		return;
	s->is_finished = true;
	session_catch_signals();
	wait_for_end(s, waits);
	session_release_signals();
	/* it makes one capture of what is kept, which takes as long as it takes */
	while (s->keeps && s->ended && s->pid > 0 && waitpid(s->pid, &status, 0) < 0 &&
	       errno == EINTR)
		;
	if (s->keeps && s->ended)
		s->pid = 0;
	bool is_reaped = s->ended && reap(s, &status);
	if (s->keeps)
		count_kept(s, status);
	if (s->has_end)
		return;
	s->end = s->last.end;
	session_end_died(&s->end, status, is_reaped ? 0 : s->pid);
	uint64_t n_events;
	struct err *err = s->keeps ? NULL : capture_count(s->now_at, &n_events);
	/* if it was not reaped it may still write; what the target counted itself is not known */
	if (!err && is_reaped && !s->keeps && !s->is_counting)
		session_end_count(&s->end, n_events);
	err_destroy(err);
	s->has_end = true;
}

/* Give the output file of the program its final name. */
static struct err *session_end_output(struct session *s)
{
	struct stat st;
	struct new_file *file = take_ptr(s->output);
	if (!file)
		return NULL;
	if (fstat(new_file_fd(file), &st) == 0 && st.st_size == 0 && !s->has_end) {
		new_file_destroy(file); /* the recorder was never started */
		return NULL;
	}
	return new_file_finish(file);
}

void session_say_output(struct session *s, bool is_quiet)
{
	char *path = s->output ? strdup(new_file_path(s->output)) : NULL;
	struct err *err = session_end_output(s);
	if (err)
		say_error("%s; %s", err->message, err->hint ? err->hint : "");
	else if (path && !is_quiet)
		say_error("what the program wrote is in %s", path);
	err_destroy(err);
	free(path);
}

const char *session_end_path(const struct session_end *e, const char *path, const char *now_at)
{
	return e->is_file_whole == END_YES || access(now_at, F_OK) != 0 ? path : now_at;
}

const char *session_place(struct session *s)
{
	if (!s->keeps)
		return session_end_path(&s->end, s->path, s->now_at);
	char *piece = keep_piece_after(s->path, s->now_at, NULL);
	if (!piece)
		return s->path;
	free(s->now_at);
	s->now_at = piece;
	return s->now_at;
}

void session_say(const struct session_end *e, const char *path, bool is_quiet)
{
	struct strbuf text = { 0 };
	session_end_add_all(e, path, is_quiet, &text);
	say_error_text(&text);
	strbuf_fini(&text);
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	if (s->pid > 0)
		session_finish(s, false);
	session_close(s->control_fd);
	if (s->is_temporary && s->path)
		unlink(s->path);
	if (s->is_temporary && s->folder)
		rmdir(s->folder);
	if (s->output)
		err_destroy(session_end_output(s));
	free(s->folder);
	free(s->path);
	free(s->now_at);
	free(s);
}
