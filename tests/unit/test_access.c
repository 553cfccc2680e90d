/*
 * Facts and the judgement that they must give: every cause is tested, whether or not this machine
 * can produce it. The facts of the first row are those of a process that can be attached to; each
 * further row spoils one fact.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "visit/access.h"

#define ALL_CAPS   0x1ffffffffffull
#define PTRACE_CAP (1ull << 19)
#define ADMIN_CAP  (1ull << 21)

static struct access_facts fine(void)
{
	struct access_facts f = {
		.pid = 4121,
		.exists = true,
		.status = { .name = "python3.12",
			    .state = 'S',
			    .tgid = 4121,
			    .ppid = 1,
			    .ns_pid = 4121,
			    .n_namespaces = 1,
			    .uid = { 1000, 1000, 1000, 1000 },
			    .gid = { 1000, 1000, 1000, 1000 },
			    .n_threads = 1,
			    .has_memory = true },
		.has_exe = true,
		.exe = "/usr/bin/python3.12",
		.own_pid = 50,
		.own_uid = 1000,
		.own_gid = 1000,
		.yama_scope = 0,
		.same_user_ns = 1,
		.own_user_ns_is_first = true,
		.can_suspend_seccomp = true,
		.inside = INSIDE_PYTHON,
		.n_modules = 7,
		.n_runtimes = 1,
		.runtime = { .version = "3.12.1", .is_initialised = true },
	};
	return f;
}

static void denied(struct access_facts *f)
{
	f->read_errno = EPERM;
	f->inside = INSIDE_UNKNOWN;
}

static void no_spoil(struct access_facts *f)
{
	(void)f;
}
static void no_process(struct access_facts *f)
{
	*f = (struct access_facts){ .pid = 4121 };
}
static void just_ended(struct access_facts *f)
{
	f->read_errno = ESRCH;
}
static void thread(struct access_facts *f)
{
	f->status.tgid = 4100;
}
static void self(struct access_facts *f)
{
	f->own_pid = 4121;
}
static void kernel_thread(struct access_facts *f)
{
	f->status.has_memory = false;
	f->status.is_kernel_thread = true;
}
static void ending(struct access_facts *f)
{
	f->status.has_memory = false;
}
static void leased(struct access_facts *f)
{
	f->exists = false;
	f->is_leased = true;
	strcpy(f->inside_message, "process 977 holds a lease on it");
	strcpy(f->inside_hint, "try again");
}
static void no_answer(struct access_facts *f)
{
	f->inside = INSIDE_UNKNOWN;
	f->is_stuck = true;
	strcpy(f->inside_message, "the memory of process 977 cannot be read: it does not answer");
	strcpy(f->inside_hint, "userfaultfd");
}
static void zombie(struct access_facts *f)
{
	f->status.has_memory = false;
	f->status.state = 'Z';
}
static void other_user(struct access_facts *f)
{
	denied(f);
	f->own_uid = 1001;
}
static void other_saved_gid(struct access_facts *f)
{
	denied(f);
	f->status.gid[2] = 0;
}
static void non_dumpable(struct access_facts *f)
{
	denied(f);
	f->files_are_roots = true;
}
static void more_caps(struct access_facts *f)
{
	denied(f);
	f->status.cap_permitted = 0x400;
}
static void yama1(struct access_facts *f)
{
	denied(f);
	f->yama_scope = 1;
}
static void yama2(struct access_facts *f)
{
	denied(f);
	f->yama_scope = 2;
}
static void yama3_even_for_root(struct access_facts *f)
{
	denied(f);
	f->yama_scope = 3;
	f->own_cap_effective = ALL_CAPS;
}
static void root_in_container(struct access_facts *f)
{
	denied(f);
	f->own_cap_effective = ALL_CAPS;
	f->own_user_ns_is_first = false;
	f->same_user_ns = 0;
}
static void strange_user_ns(struct access_facts *f)
{
	denied(f);
	f->same_user_ns = 0;
}
static void apparmor(struct access_facts *f)
{
	denied(f);
	snprintf(f->label, sizeof(f->label), "docker-default (enforce)");
}
static void filtered_ourselves(struct access_facts *f)
{
	denied(f);
	f->own_cap_effective = ALL_CAPS;
	f->own_seccomp = 2;
}
static void no_syscall(struct access_facts *f)
{
	denied(f);
	f->read_errno = ENOSYS;
}
static void traced(struct access_facts *f)
{
	f->status.tracer_pid = 4402;
	f->status.state = 't';
	snprintf(f->tracer_name, sizeof(f->tracer_name), "gdb");
}
static void traced_by_us(struct access_facts *f)
{
	f->status.tracer_pid = 4402;
	snprintf(f->tracer_name, sizeof(f->tracer_name), "auditview-rec");
}
static void not_python(struct access_facts *f)
{
	f->inside = INSIDE_NOTHING;
	f->n_runtimes = 0;
	snprintf(f->exe, sizeof(f->exe), "/usr/bin/bash");
}
static void too_old(struct access_facts *f)
{
	f->inside = INSIDE_UNSUPPORTED;
	snprintf(f->inside_message, sizeof(f->inside_message), "Python 3.7 has no audit events");
	snprintf(f->inside_hint, sizeof(f->inside_hint), "they came with 3.8");
}
static void translated(struct access_facts *f)
{
	f->inside = INSIDE_TRANSLATED;
	snprintf(f->inside_message, sizeof(f->inside_message),
		 "a translator of instructions runs it");
	snprintf(f->inside_hint, sizeof(f->inside_hint), "run Python itself");
}
static void blocked(struct access_facts *f)
{
	f->is_blocked = true;
	snprintf(f->blocked.why, sizeof(f->blocked.why), "its control group (/shop) is frozen");
	snprintf(f->blocked.cure, sizeof(f->blocked.cure), "thaw it");
}
static void no_room(struct access_facts *f)
{
	snprintf(f->no_room, sizeof(f->no_room), "its data is limited");
	snprintf(f->no_room_cure, sizeof(f->no_room_cure), "prlimit");
}
static void filtered_and_waits(struct access_facts *f)
{
	f->own_cap_effective = ALL_CAPS;
	f->status.seccomp = 2;
	f->waits_visibly = true;
}
static void waits(struct access_facts *f)
{
	f->waits_visibly = true;
}
static void finalising(struct access_facts *f)
{
	f->runtime.is_finalising = true;
}
static void attached(struct access_facts *f)
{
	f->recorder_pid = 777;
	f->recorder_is_alive = true;
}
static void left_behind(struct access_facts *f)
{
	f->recorder_pid = 777;
}
static void strict(struct access_facts *f)
{
	f->status.seccomp = 1;
}
static void filter_without_cap(struct access_facts *f)
{
	f->status.seccomp = 2;
}
static void filter_with_cap(struct access_facts *f)
{
	f->status.seccomp = 2;
	f->own_cap_effective = ADMIN_CAP;
}
static void filter_both_filtered(struct access_facts *f)
{
	filter_with_cap(f);
	f->own_seccomp = 2;
}
static void filter_old_kernel(struct access_facts *f)
{
	filter_with_cap(f);
	f->can_suspend_seccomp = false;
}
static void stopped(struct access_facts *f)
{
	f->status.state = 'T';
}
static void contained(struct access_facts *f)
{
	f->in_container = true;
	f->status.ns_pid = 1;
}
static void two_pythons(struct access_facts *f)
{
	f->n_runtimes = 2;
}
static void not_started(struct access_facts *f)
{
	f->runtime.is_initialised = false;
}

/* clang-format off */
static const struct {
	void (*spoil)(struct access_facts *);
	enum access_verdict verdict;
	enum access_cause cause;
	int other_pid;
	const char *why, *cure, *note; /* must be contained in it; NULL: must be empty */
} rows[] = {
	{ no_spoil, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, NULL },
	{ no_process, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, 0, "no such process", "lists", NULL },
	{ just_ended, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, 0, "ended just now", NULL, NULL },
	{ thread, ACCESS_UNSUPPORTED, ACCESS_IS_THREAD, 4100, "thread of process 4100", "-p 4100", NULL },
	{ self, ACCESS_UNSUPPORTED, ACCESS_IS_SELF, 0, "auditview itself", NULL, NULL },
	{ kernel_thread, ACCESS_UNSUPPORTED, ACCESS_KERNEL_THREAD, 0, "kernel thread", NULL, NULL },
	{ ending, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, 0, "ending just now", NULL, NULL },
	{ leased, ACCESS_BUSY, ACCESS_LEASED, 0, "977 holds a lease", "try again", NULL },
	{ no_answer, ACCESS_BUSY, ACCESS_STUCK, 0, "does not answer", "userfaultfd", NULL },
	{ zombie, ACCESS_UNSUPPORTED, ACCESS_ZOMBIE, 0, "has ended", NULL, NULL },
	{ other_user, ACCESS_DENIED, ACCESS_OTHER_USER, 0, "uid 1000, we are 1001", "sudo auditview -p 4121", NULL },
	{ other_saved_gid, ACCESS_DENIED, ACCESS_OTHER_USER, 0, "another user", "sudo", NULL },
	{ non_dumpable, ACCESS_DENIED, ACCESS_NON_DUMPABLE, 0, "not dumpable", "sudo", NULL },
	{ more_caps, ACCESS_DENIED, ACCESS_CAPABILITIES, 0, "0x400", "sudo", NULL },
	{ yama1, ACCESS_DENIED, ACCESS_YAMA, 0, "ptrace_scope is 1", "sysctl kernel.yama.ptrace_scope=0", NULL },
	{ yama2, ACCESS_DENIED, ACCESS_YAMA, 0, "ptrace_scope is 2", "sudo", NULL },
	{ yama3_even_for_root, ACCESS_DENIED, ACCESS_YAMA, 0, "ptrace_scope is 3", "boot", NULL },
	{ root_in_container, ACCESS_DENIED, ACCESS_USER_NAMESPACE, 0, "auditview runs in a user namespace", "outside", NULL },
	{ strange_user_ns, ACCESS_DENIED, ACCESS_USER_NAMESPACE, 0, "in which auditview has no rights", "root of the machine", NULL },
	{ apparmor, ACCESS_DENIED, ACCESS_SECURITY_MODULE, 0, "docker-default", "AppArmor", NULL },
	{ filtered_ourselves, ACCESS_DENIED, ACCESS_SECURITY_MODULE, 0, "sandbox", "--cap-add=SYS_PTRACE", NULL },
	{ no_syscall, ACCESS_DENIED, ACCESS_SECURITY_MODULE, 0, "sandbox", "--cap-add=SYS_PTRACE", NULL },
	{ traced, ACCESS_BUSY, ACCESS_TRACED, 4402, "gdb (4402) traces it", "end gdb", NULL },
	{ traced_by_us, ACCESS_BUSY, ACCESS_ATTACHED, 4402, "attached already (4402)", "kill -INT 4402", NULL },
	{ not_python, ACCESS_UNSUPPORTED, ACCESS_NOT_PYTHON, 0, "none of the 7 ELF modules of /usr/bin/bash has _PyRuntime", "lists", NULL },
	{ too_old, ACCESS_UNSUPPORTED, ACCESS_LAYOUT, 0, "3.7 has no audit events", "3.8", NULL },
	{ translated, ACCESS_UNSUPPORTED, ACCESS_TRANSLATED, 0, "translator of instructions", "run Python itself", NULL },
	{ blocked, ACCESS_BUSY, ACCESS_BLOCKED, 0, "frozen", "thaw it", NULL },
	{ no_room, ACCESS_UNSUPPORTED, ACCESS_NO_ROOM, 0, "data is limited", "prlimit", NULL },
	{ filtered_and_waits, ACCESS_BUSY, ACCESS_WAITS, 0, "every thread of it waits", "try again",
	  "makes no system calls" },
	{ waits, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, NULL },
	{ finalising, ACCESS_UNSUPPORTED, ACCESS_FINALISED, 0, "interpreter is ending", NULL, NULL },
	{ attached, ACCESS_BUSY, ACCESS_ATTACHED, 777, "attached already (777)", "kill -INT 777", NULL },
	{ left_behind, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "(777) left its probe" },
	{ strict, ACCESS_UNSUPPORTED, ACCESS_SECCOMP, 0, "strict seccomp", NULL, NULL },
	{ filter_without_cap, ACCESS_DENIED, ACCESS_SECCOMP, 0, "no CAP_SYS_ADMIN", "sudo", NULL },
	{ filter_with_cap, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "makes no system calls" },
	{ filter_both_filtered, ACCESS_DENIED, ACCESS_SECCOMP, 0, "filtered itself", "on the host", NULL },
	{ filter_old_kernel, ACCESS_DENIED, ACCESS_SECCOMP, 0, "CONFIG_CHECKPOINT_RESTORE", "on the host", NULL },
	{ stopped, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "kill -CONT 4121" },
	{ contained, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "its pid is 1" },
	{ two_pythons, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "2 Python interpreters" },
	{ not_started, ACCESS_READY, ACCESS_FINE, 0, NULL, NULL, "not started" },
};
/* clang-format on */

static void check_text(size_t row, const char *what, const char *got, const char *want)
{
	if (want ? !strstr(got, want) : *got != 0)
		fail_msg("row %zu, %s: \"%s\", expected %s", row, what, got,
			 want ? want : "nothing");
	/* One line, lower case (except for names), no full stop. */
	assert_null(strchr(got, '\n'));
	if (*got)
		assert_true(got[strlen(got) - 1] != '.');
}

static void test_judgements(void **state)
{
	bool seen[ACCESS_CAUSE_COUNT] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct access_facts f = fine();
		struct access a;
		rows[i].spoil(&f);
		access_judge(&f, &a);
		if (a.verdict != rows[i].verdict || a.cause != rows[i].cause)
			fail_msg("row %zu: %s, %s", i, access_verdict_name(a.verdict),
				 access_cause_name(a.cause));
		assert_int_equal(a.pid, 4121);
		assert_int_equal(a.other_pid, rows[i].other_pid);
		check_text(i, "why", a.why, rows[i].why);
		check_text(i, "cure", a.cure, rows[i].cure);
		check_text(i, "note", a.note, rows[i].note);
		seen[a.cause] = true;
		struct err *err = access_to_err(&a);
		assert_int_equal(err != NULL, a.verdict != ACCESS_READY);
		if (err) {
			assert_memory_equal(err->message, "cannot attach to 4121: ", 23);
			assert_int_equal(err->hint != NULL, a.cure[0] != 0);
			assert_true(err->code < ERR_CODE_COUNT);
		}
		err_destroy(err);
	}
	for (int c = 0; c < ACCESS_CAUSE_COUNT; c++)
		if (!seen[c])
			fail_msg("no row shows %s", access_cause_name(c));
}

/* With CAP_SYS_PTRACE neither the user nor Yama 1 and 2 can be the cause, whatever the facts say of
 * them. */
static void test_capability_excuses(void **state)
{
	struct access_facts f = fine();
	struct access a;
	denied(&f);
	f.own_cap_effective = PTRACE_CAP;
	f.own_uid = 5;
	f.files_are_roots = true;
	f.status.cap_permitted = ALL_CAPS;
	for (f.yama_scope = -1; f.yama_scope < 3; f.yama_scope++) {
		access_judge(&f, &a);
		assert_int_equal(a.cause, ACCESS_SECURITY_MODULE);
	}
}

static void test_here(void **state)
{
	struct access a;
	assert_null(access_check(getpid(), &a));
	assert_int_equal(a.cause, ACCESS_IS_SELF);
	assert_null(access_check(0x3fffffff, &a));
	assert_int_equal(a.cause, ACCESS_NO_PROCESS);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_null(access_check(pid, &a));
	assert_int_equal(a.cause, ACCESS_ZOMBIE);
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_null(access_check(
	    pid, &a)); /* a copy of this program: there is no Python in it, or we may not read it */
	assert_true(a.cause == ACCESS_NOT_PYTHON || a.verdict == ACCESS_DENIED);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgements),
		cmocka_unit_test(test_capability_excuses),
		cmocka_unit_test(test_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
