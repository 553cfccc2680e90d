/*
 * test_frames: following a busy target, each frame that is drawn is of one moment: the row under
 * the cursor, the title of the arguments, the arguments and the stack are about one event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/capture_util.h"
#include "base/attr.h"
#include "drive.h"
#include "model/trace.h"
#include "ui/ui.h"

static bool is_alive(void *ctx)
{
	return true;
}

static const struct ui_live_ops live = { .is_alive = is_alive };

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

/* The number behind `sign` in the text, UINT32_MAX: none. */
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

static void check_frame(struct ui *ui)
{
	char *screen = drive_text(ui, false), *save = NULL;
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
	struct ui_options options = {
		.source = { .terminal_fd = -1, .live = &live, .path = strdup(path) },
		.no_config = true
	};
	must(trace_open(path, NULL, &options.source.trace));
	struct ui *ui = NULL;
	must(ui_create(&options, &ui));
	ui_resize(ui, 24, 80);
	uint64_t now = 1000000000, state_ = 7;
	for (int i = 0; i < 50; i++)
		ui_advance(ui, now += 10000000, true, 50000000);
	ui_draw(ui);
	assert_true(ui->host.following);
	check_frame(ui);
	int n_moved = 0;
	for (int frame = 0; frame < 300; frame++) {
		unsigned more = (unsigned)(test_random(&state_) % 9);
		if (more)
			add_events(w, n, more);
		n += more;
		/* frames of any age: also two that come right after each other, and one behind a
		 * search or a key */
		now += test_random(&state_) % 200 * 1000000;
		uint64_t before = ui->host.cursor_seq;
		ui_advance(ui, now, more != 0, 3000000);
		if (frame % 50 == 49)
			ui_input(ui, (struct input){ .kind = INPUT_KEY,
						     .key = frame % 100 == 99 ? 'k' : 'F' });
		if (frame % 100 == 99)
			ui_input(ui, (struct input){ .kind = INPUT_KEY, .key = 'F' });
		ui_draw(ui);
		check_frame(ui);
		n_moved += before != ui->host.cursor_seq;
		ui->host.following = true;
	}
	assert_true(n_moved > 50);
	ui_destroy(ui);
	must(writer_close(w));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_following) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
