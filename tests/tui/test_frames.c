/*
 * test_frames: while a busy target is followed, each frame shows one moment: the row under the
 * cursor, the title of the arguments, the arguments and the stack are about one event. Drawing a
 * frame opens no file and makes no request to a target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/capture_util.h"
#include "base/attr.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_actions.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_session.h"
#include "ui/app_state.h"

static bool is_alive(void *ctx)
{
	return true;
}

static const struct app_live_ops live = { .is_alive = is_alive };

static void add_events(struct writer *w, unsigned from, unsigned n)
{
	struct strbuf b = { 0 };
	for (unsigned i = from; i < from + n; i++) {
		char name[32], function[32], value[32];
		snprintf(name, sizeof(name), "busy.e%u", i % 5);
		snprintf(function, sizeof(function), "f%u", i);
		snprintf(value, sizeof(value), "v%u", i);
		put_container(&b, VALUE_TUPLE, 1, 1);
		put_str(&b, value);
		add_event(w, 1000u * (i + 1), name, 0, &b,
			  add_frame(w, 0, "/srv/a.py", function, 1 + i % 9));
	}
	strbuf_fini(&b);
	must(writer_flush(w));
}

/* Return the number after `sign` in the text; UINT32_MAX: none. */
static unsigned number_after(const char *text, const char *sign)
{
	for (const char *p = strstr(text, sign); p; p = strstr(p + 1, sign)) {
		const char *digits = p + strlen(sign);
		if (*digits >= '0' && *digits <= '9' &&
		    (p == text || !((p[-1] | 32) >= 'a' && (p[-1] | 32) <= 'z')))
			return (unsigned)strtoul(digits, NULL, 10);
	}
	return UINT32_MAX;
}

/* The header counts the events that the list shows. */
static void check_counts(const struct app *app, const char *screen)
{
	struct strbuf b = { 0 };
	strbuf_addc(&b, ' ');
	strbuf_add_count(&b, app->host.view->n_events);
	strbuf_adds(&b, " events ");
	if (strstr(screen, "· following ━") && !strstr(screen, strbuf_str(&b)))
		fail_msg("the header of this frame lacks %s\n%s", strbuf_str(&b), screen);
	strbuf_fini(&b);
}

static void check_frame(struct app *app)
{
	char *screen = drive_text(app, false), *save = NULL;
	check_counts(app, screen);
	char *details = strstr(screen, "Arguments ");
	unsigned row = UINT32_MAX, row_name = UINT32_MAX;
	assert_non_null(details);
	*details++ = 0; /* the list is above */
	unsigned title_name = number_after(details, "busy.e"), value = number_after(details, "\"v"),
		 function = number_after(details, " f");
	for (char *line = strtok_r(screen, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "▌", 3) || !strncmp(line, "▏", 3)) {
			row = number_after(line, "v");
			row_name = number_after(line, "busy.e");
		}
	if (row == UINT32_MAX || row != value || row != function || row_name != title_name ||
	    row_name != row % 5)
		fail_msg("one frame: row %u %u, title %u, argument %u, stack %u", row, row_name,
			 title_name, value, function);
	free(screen);
}

static void test_following(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-frames-%d.avc", (int)getpid());
	unlink(path);
	struct writer_options w_options = { 0 };
	struct writer *w;
	must(writer_open(path, &w_options, &w));
	struct process_info p = {
		.pid = 41, .ns_pid = 41, .exit_status = -1, .name = add_string(w, "app.py")
	};
	struct thread_info thread = { .process = writer_process(w, &p), .tid = 41 };
	writer_thread(w, &thread);
	unsigned n = 40;
	add_events(w, 0, n);
	struct app_options options = {
		.source = { .terminal_fd = -1, .live = &live, .path = strdup(path) },
		.no_config = true
	};
	must(trace_open(path, NULL, &options.source.trace));
	struct app *app = NULL;
	must(app_create(&options, &app));
	app_resize(app, 24, 80);
	uint64_t now = 1000000000, state_ = 7;
	for (int i = 0; i < 50; i++)
		app_advance(app, now += 10000000, true, 50000000);
	app_draw(app);
	assert_true(app->host.following);
	check_frame(app);
	int n_moved = 0;
	for (int frame = 0; frame < 300; frame++) {
		unsigned more = (unsigned)(test_random(&state_) % 9);
		if (more)
			add_events(w, n, more);
		n += more;
		/* frames at any distance in time: also two in direct succession, and one after a
		 * search or a key */
		now += test_random(&state_) % 200 * 1000000;
		uint64_t before = app->host.cursor_seq;
		app_advance(app, now, more != 0, 3000000);
		if (frame % 50 == 49)
			app_input(app, (struct input){ .kind = INPUT_KEY,
						       .key = frame % 100 == 99 ? 'k' : 'F' });
		if (frame % 100 == 99)
			app_input(app, (struct input){ .kind = INPUT_KEY, .key = 'F' });
		app_draw(app);
		check_frame(app);
		n_moved += before != app->host.cursor_seq;
		app->host.following = true;
	}
	assert_true(n_moved > 50);
	app_destroy(app);
	must(writer_close(w));
	unlink(path);
}

/* ---- drawing reads nothing ---- */

static unsigned n_asked;

static bool task(void *ctx, uint32_t pid, uint64_t tid, struct app_task *ret)
{
	n_asked++;
	*ret = (struct app_task){ .state = tid % 2 ? 'S' : 'R', .syscall = SYS_futex };
	return pid == 41;
}

static const struct app_live_ops live_with_tasks = { .is_alive = is_alive, .task = task };

/* From here on, opening a file ends this process with SIGSYS. Returns false if the kernel has no
 * seccomp. */
static bool forbid_open(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_open
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 3, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { .len = ARRAY_LEN(code), .filter = code };
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Draw the first frame of what the pane shows now, in a process that can open no file. */
static void check_draws_alone(struct app *app, const char *name)
{
	enum { NO_SECCOMP = 77, ASKED = 2 };
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		unsigned before = n_asked;
		if (!forbid_open())
			_exit(NO_SECCOMP);
		app_draw(app);
		_exit(n_asked == before ? 0 : ASKED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP)
		skip();
	if (WIFEXITED(status) && WEXITSTATUS(status) == ASKED)
		fail_msg("%s: drawing asks for the state of a thread", name);
	if (WIFSIGNALED(status))
		fail_msg("%s: drawing opens a file (signal %d)", name, WTERMSIG(status));
	assert_int_equal(status, 0);
}

static void advance(struct app *app, uint64_t *now)
{
	for (int i = 0; i < 30; i++)
		app_advance(app, *now += 10000000, false, 50000000);
}

/* Check every pane, at its first frame and after a key that moves its cursor. */
static void test_draw_opens_nothing(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-draws-%d.avc", (int)getpid());
	unlink(path);
	sample_write(path, 6);
	time_t second = 0;
	struct tm tm;
	localtime_r(&second, &tm); /* this reads the time zone, once */
	struct app_options options = { .source = { .terminal_fd = -1, .path = strdup(path) },
				       .no_config = true };
	must(trace_open(path, NULL, &options.source.trace));
	struct app *app = NULL;
	must(app_create(&options, &app));
	app->source_dirs[0] = strdup(getenv("SHOP_SOURCE"));
	app_resize(app, 60, 200);
	uint64_t now = 1000000000;
	advance(app, &now);
	app_act(app, ACTION_BOTTOM, 0, NULL);
	for (int i = 0; i < PANE_COUNT; i++) {
		if (panes[i].flags & PANE_IS_PAGE)
			app_open_page(app, (enum pane_id)i);
		else
			app->focus = (enum pane_id)i;
		advance(app, &now);
		check_draws_alone(app, panes[i].name);
		app_act(app, ACTION_DOWN, 1, NULL);
		check_draws_alone(app, panes[i].name);
		app_close_all_pages(app);
	}
	app_destroy(app);
	unlink(path);
}

/* The states of a live target are read when they change, not when they are drawn. */
static void test_states(void **state)
{
	enum { N_THREADS = 60 };
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-states-%d.avc", (int)getpid());
	unlink(path);
	struct writer_options w_options = { 0 };
	struct writer *w;
	must(writer_open(path, &w_options, &w));
	struct process_info p = { .pid = 41,
				  .ns_pid = 41,
				  .exit_status = -1,
				  .python_hex = 0x030c01f0,
				  .name = add_string(w, "app.py") };
	uint32_t process = writer_process(w, &p);
	for (unsigned i = 0; i < N_THREADS; i++) {
		char name[24];
		snprintf(name, sizeof(name), "worker%u", i);
		struct thread_info thread = { .process = process,
					      .tid = 41 + i,
					      .name = add_string(w, name) };
		writer_thread(w, &thread);
	}
	add_events(w, 0, 3);
	struct app_options options = {
		.source = { .terminal_fd = -1, .live = &live_with_tasks, .path = strdup(path) },
		.no_config = true
	};
	must(trace_open(path, NULL, &options.source.trace));
	struct app *app = NULL;
	must(app_create(&options, &app));
	app_resize(app, 24, 80);
	uint64_t now = 1000000000;
	advance(app, &now);
	app_act(app, ACTION_PROCESSES, 0, NULL);
	for (int i = 0; i < 3; i++) { /* the first lines, those below, the last ones */
		assert_true(n_asked > 0);
		check_draws_alone(app, "processes");
		app_draw(app);
		char *screen = drive_text(app, false);
		assert_non_null(strstr(screen, "in futex"));
		assert_non_null(strstr(screen, "running"));
		assert_null(strstr(screen, "ended"));
		free(screen);
		app_act(app, i ? ACTION_BOTTOM : ACTION_PAGE_DOWN, 0, NULL);
	}
	/* found by its text: the line was not on the screen before */
	app_act(app, ACTION_TOP, 0, NULL);
	must(search_set(&app->search, "worker44", false));
	app_act(app, ACTION_SEARCH, 0, "worker44");
	check_draws_alone(app, "processes, after a search");
	app_draw(app);
	char *screen = drive_text(app, false);
	assert_non_null(strstr(screen, "worker44"));
	assert_null(strstr(screen, "ended"));
	free(screen);
	app_destroy(app);
	must(writer_close(w));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_following),
					    cmocka_unit_test(test_draw_opens_nothing),
					    cmocka_unit_test(test_states) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
