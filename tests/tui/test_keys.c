/*
 * test_keys: no key is without effect, keys typed ahead act on what they were meant for, and q goes
 * back one level from everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit/capture_util.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_session.h"
#include "ui/app_state.h"

static char capture[64];

/* Does a line of the canvas contain the text? */
static bool shows(struct app *app, const char *text)
{
	char *screen = drive_text(app, false);
	bool found = strstr(screen, text) != NULL;
	free(screen);
	return found;
}

/* ---- wrong filters ---- */

static void test_wrong_filters(void **state)
{
	static const struct {
		const char *typed, *says;
	} rows[] = {
		{ "=prot_==_\"5999\"", "there is no field prot" },
		{ "=opne.mode_==_\"w\"", "there is no field opne.mode" },
		{ "=args_~_\"(x\"", "regular expression" },
		{ "=open.flags_&_", "expected a value" },
		{ "=open.flags_&_\"x\"", "expected bits" },
		{ "=open_and", "expected a field" },
		{ "=open_and_", "expected a field" },
		{ "=open_import", "expected 'and' or 'or'" },
		{ "=(open", "')'" },
		{ "=open)", "'('" },
		{ "=@netwrk", "there is no theme netwrk" },
		{ "=pid_==_abc", "expected a number" },
		{ "=pid_in_41", "expected {" },
		{ "=pid_in_{41_", "','" },
		{ "=time_>_soon", "expected a time" },
		{ "=python_==_x", "expected a version" },
		{ "=stack.fnc_==_\"x\"", "not fnc" },
		{ "=stack_==_\"x\"", "expected stack.func" },
		{ "=documented_>_1", "true or false" },
		{ "=event_==_\"nosuch", "closing" },
		{ "=args_~_/abc", "closing /" },
		{ "=not", "expected a field" },
		{ "=open.adress_==_1", "open has no argument adress" },
		{ "=time_~_\"x\"", "is a time" },
		{ "=%", "expected a field" },
		{ "=open_or_open_or_open_or_open_or_open_or_open_or_open_or_open_or_open_or_open_"
		  "or_open_or_x_==_1_and_open_or_open",
		  "no field x" },
		{ "=nosuchevent_and_(open_or_import_or_exec_or_compile_or_open_or_import_or_exec_"
		  "or_compile_or_marshal.loads_or_os.listdir)",
		  "nosuchevent" },
	};
	static const int sizes[][2] = { { 80, 24 }, { 120, 40 }, { 60, 20 } };
	for (size_t size = 0; size < ARRAY_LEN(sizes); size++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct app *app = drive_open(capture, NULL, sizes[size][0], sizes[size][1]);
			drive_keys(app, "f");
			drive_keys(app, rows[i].typed);
			bool has_text = shows(app, rows[i].says);
			bool has_caret = shows(app, " ^") || shows(app, "<") || shows(app, ">");
			char *before = drive_text(app, false);
			drive_keys(app, "Enter");
			char *after = drive_text(app, false);
			if (!has_text || !has_caret)
				fail_msg("%s at %dx%d: the error is not seen:\n%s", rows[i].typed,
					 sizes[size][0], sizes[size][1], before);
			if (!strcmp(before, after))
				fail_msg("%s: Enter does nothing:\n%s", rows[i].typed, after);
			assert_true(prompt_is_open(&app->prompt));
			assert_true(shows(app, rows[i].says));
			assert_true(shows(app, "not applied"));
			assert_string_equal(
			    app->host.view->filter_text,
			    *app->host.view->filter_text ? app->host.view->filter_text : "");
			drive_keys(app, "Esc");
			assert_false(prompt_is_open(&app->prompt));
			assert_string_equal(app->host.view->filter_text, "");
			free(before);
			free(after);
			app_destroy(app);
		}
}

/* ---- compiles ---- */

static unsigned n_compiles;

/* The linker calls this in place of filter_compile(), from every file (tests/tui/meson.build). */
struct err *__real_filter_compile(const char *text, size_t n_bytes, struct trace *t,
				  struct filter **ret);
struct err *__wrap_filter_compile(const char *text, size_t n_bytes, struct trace *t,
				  struct filter **ret);
struct err *__wrap_filter_compile(const char *text, size_t n_bytes, struct trace *t,
				  struct filter **ret)
{
	n_compiles++;
	return __real_filter_compile(text, n_bytes, t, ret);
}

static unsigned compiles_of(struct app *app, const char *keys)
{
	n_compiles = 0;
	drive_keys(app, keys);
	return n_compiles;
}

/* A key that is typed costs one compile: the prompt's check, the preview and the view share it. It
 * costs a second one only where the completion of a word that is begun is shown in its place. */
static void test_compiles(void **state)
{
	static const char typed[] = "open.path ~ \"a\" and not @network";
	struct app *app = drive_open(capture, NULL, 80, 24);
	unsigned n_all = 0;
	drive_keys(app, "f");
	for (const char *c = typed; *c; c++) {
		char key[] = { '=', *c == ' ' ? '_' : *c, 0 };
		unsigned n = compiles_of(app, key);
		bool is_begun = app->prompt.is_begun;
		if (n > (is_begun ? 2u : 1u))
			fail_msg("%u compiles after %.*s", n, (int)(c - typed) + 1, typed);
		n_all += n;
	}
	assert_true(n_all >= 10);
	assert_int_equal(compiles_of(app, "Enter"), 0);
	assert_string_equal(app->host.view->filter_text, typed);
	/* the prompt opens with the filter in use */
	assert_int_equal(compiles_of(app, "f"), 0);
	assert_in_range(compiles_of(app, "=x"), 1, 2);
	assert_int_equal(compiles_of(app, "Esc"), 0);
	assert_string_equal(app->host.view->filter_text, typed);
	/* a term is added: the term and the result */
	assert_in_range(compiles_of(app, "j -"), 1, 2);
	assert_string_not_equal(app->host.view->filter_text, typed);
	app_destroy(app);

	/* a toggle: the names that are on are written before the rest, and the result is
	 * compiled */
	app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "f =depth_>_1_or_depth_<_9 Enter Tab Tab Tab");
	assert_string_equal(app->host.view->filter_text, "depth > 1 or depth < 9");
	assert_int_equal(compiles_of(app, "Space"), 1);
	assert_non_null(strstr(app->host.view->filter_text, " and (depth > 1 or depth < 9)"));
	app_destroy(app);
}

/* In each prompt, each key that could be pressed changes something on the screen. */
static void test_prompt_keys(void **state)
{
	static const char *const prompts[] = { "f",    "/",         "?",
					       ":",    "w",         "f =zzz",
					       "/ =(", ": =nosuch", "w C-u =marked_x" };
	static const char *const keys[] = { "Enter", "Tab", "Up",  "Down",
					    "S-Tab", "F5",  "C-r", "PgUp" };
	for (size_t i = 0; i < ARRAY_LEN(prompts); i++)
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			struct app *app = drive_open(capture, NULL, 80, 24);
			drive_keys(app, prompts[i]);
			char *before = drive_text(app, false);
			drive_keys(app, keys[k]);
			char *after = drive_text(app, false);
			if (!strcmp(before, after))
				fail_msg("%s, then %s: nothing happens:\n%s", prompts[i], keys[k],
					 after);
			free(before);
			free(after);
			app_destroy(app);
		}
}

/* ---- typed ahead ---- */

static void type(struct app *app, const char *text)
{
	for (; *text; text++)
		app_input(app, (struct input){ .kind = INPUT_KEY,
					       .key = *text == '\n'     ? KEY_ENTER_
						      : *text == '\033' ? KEY_ESC_
									: *text });
}

static uint64_t row_of(struct app *app, const char *event, int nth)
{
	for (uint64_t i = 0; i < trace_n_events(app->host.view->trace); i++) {
		struct event e;
		size_t n;
		assert_true(trace_event(app->host.view->trace, i, &e));
		const char *name = trace_name(app->host.view->trace, e.name, &n);
		if (n == strlen(event) && !memcmp(name, event, n) && !nth--)
			return i;
	}
	fail_msg("no event %s", event);
	return 0;
}

static void test_typed_ahead(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	uint64_t popen = row_of(app, "subprocess.Popen", 0),
		 second = row_of(app, "subprocess.Popen", 1);
	/* all at once, as a terminal delivers what was typed while the program was busy */
	type(app, "/subprocess.Popen\nm");
	drive_settle(app);
	assert_int_equal(app->host.cursor_seq, popen);
	assert_int_equal(app->host.view->marks.n, 1);
	assert_int_equal(app->host.view->marks.v[0].seq, popen);
	type(app, "nmj");
	drive_settle(app);
	assert_int_equal(app->host.view->marks.n, 2);
	assert_int_equal(app->host.view->marks.v[1].seq, second);
	assert_int_equal(app->host.cursor_seq, second + 1);
	/* Esc stops it, and the keys typed after it are dropped */
	type(app, "g");
	drive_settle(app);
	type(app, "/nothinglikethis\nmm\033");
	drive_settle(app);
	assert_int_equal(app->host.view->marks.n, 2);
	assert_int_equal(app->waiting.n, 0);
	/* a search without a hit: the keys after it are not lost */
	type(app, "/nothinglikethis\nm");
	drive_settle(app);
	assert_int_equal(app->host.view->marks.n, 3);
	app_destroy(app);
	/* a filter: the keys after it act on its rows */
	app = drive_open(capture, NULL, 80, 24);
	type(app, "fsubprocess.Popen\ngm");
	drive_settle(app);
	assert_int_equal(app->host.view->marks.n, 1);
	assert_int_equal(app->host.view->marks.v[0].seq, popen);
	app_destroy(app);
}

/* ---- q ---- */

static struct err *open_sample(void *ctx, struct app_source *ret)
{
	*ret = (struct app_source){ .terminal_fd = -1, .path = strdup(capture) };
	return trace_open(capture, NULL, &ret->trace);
}

static struct err *start_list(void *ctx, const struct app_process **ret, size_t *ret_n,
			      bool *ret_done)
{
	static struct app_process one = { .pid = 4121,
					  .python = "3.12.1",
					  .command = "app.py",
					  .verdict = "ready",
					  .is_ready = true };
	*ret = &one;
	*ret_done = true;
	*ret_n = 1;
	return NULL;
}

static struct err *start_attach(void *ctx, int pid, struct app_source *ret)
{
	return open_sample(ctx, ret);
}

static struct err *start_run(void *ctx, const char *event, const char *code, struct app_source *ret)
{
	return open_sample(ctx, ret);
}

static const struct app_start_ops start_ops = { .list = start_list,
						.attach = start_attach,
						.run = start_run };

static bool is_on_start_page(struct app *app)
{
	return !app->host.view && app->pages.n == 1 && app->pages.v[0] == PANE_START;
}

static void test_back(void **state)
{
	/* every way to open something from a capture, and the q keys that lead back */
	static const struct {
		const char *in;
		int n_back;
	} rows[] = {
		{ "s", 1 },
		{ "c", 1 },
		{ "F1", 1 },
		{ "\\", 1 },
		{ "Tab", 1 },
		{ "s F1", 2 },
		{ "c F1", 2 },
		{ "f =open Enter", 1 },
		{ "f =open Enter s", 2 },
		{ "f =open Enter f C-u =import Enter", 2 },
		{ "Tab Tab \\", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 120, 40);
		drive_keys(app, rows[i].in);
		for (int k = 0; k < rows[i].n_back; k++) {
			if (app->quit || app_back_quits(app))
				fail_msg("%s: q would leave after %d of %d", rows[i].in, k,
					 rows[i].n_back);
			drive_keys(app, "q");
		}
		if (!app_back_quits(app))
			fail_msg("%s: after %d q there is something left", rows[i].in,
				 rows[i].n_back);
		assert_string_equal(app->host.view->filter_text, "");
		drive_keys(app, "q");
		assert_true(app->quit);
		app_destroy(app);
	}
}

static void test_back_to_session(void **state)
{
	/* an example run from the catalogue of a capture, at an event and under a filter */
	struct app_options options = { .start = &start_ops,
				       .no_config = true,
				       .source = { .terminal_fd = -1 } };
	assert_null(open_sample(NULL, &options.source));
	struct app *app = drive_open_options(&options, 120, 40);
	struct view *own = app->host.view;
	drive_keys(app, "f =open Enter j j");
	uint64_t at = app->host.cursor_seq;
	drive_keys(app, "c T");
	assert_ptr_not_equal(app->host.view, own);
	assert_int_equal(app->pages.n, 0);
	assert_string_equal(app->host.view->filter_text, "");
	drive_keys(app, "q"); /* from the run to the catalogue */
	assert_false(app->quit);
	assert_ptr_equal(app->host.view, own);
	assert_int_equal(app->pages.n, 1);
	assert_int_equal(app->pages.v[0], PANE_CATALOG);
	drive_keys(app, "q"); /* from the catalogue to the list, where it was */
	assert_int_equal(app->pages.n, 0);
	assert_int_equal(app->host.cursor_seq, at);
	assert_string_equal(app->host.view->filter_text, "open");
	app_destroy(app);
}

static void test_back_to_start(void **state)
{
	struct app_options options = { .start = &start_ops,
				       .no_config = true,
				       .source = { .terminal_fd = -1 } };
	struct app *app = drive_open_options(&options, 120, 40);
	assert_true(is_on_start_page(app));
	drive_keys(app, "Enter");
	assert_non_null(app->host.view);
	drive_keys(app, "s q q");
	assert_false(app->quit);
	assert_true(is_on_start_page(app));
	/* and again: nothing of the first time may be left */
	drive_keys(app, "Enter c T q q q");
	assert_true(is_on_start_page(app));
	/* a lesson from its list, and back to it */
	drive_keys(app, "Tab Tab Enter");
	if (app->host.view) {
		assert_int_equal(app->pages.v[app->pages.n - 1], PANE_LESSON);
		drive_keys(app, "Esc");
		assert_true(is_on_start_page(app));
	}
	assert_false(app->quit);
	drive_keys(app, "q");
	assert_true(app->quit);
	app_destroy(app);
	/* Q leaves from any depth */
	app = drive_open_options(&options, 120, 40);
	drive_keys(app, "Enter c T Q");
	assert_true(app->quit);
	app_destroy(app);
}

/* ---- the timeline ---- */

static void facts_of(struct app *app, enum pane_id id, char *to, size_t size)
{
	struct strbuf subject = { 0 }, facts = { 0 };
	app->panes[id]->ops->title(app->panes[id], &subject, &facts);
	snprintf(to, size, "%s", strbuf_str(&facts));
	strbuf_fini(&subject);
	strbuf_fini(&facts);
}

/* Space begins a span, a second Space ends it: then it stays, wherever the cursor goes, and Enter
 * shows exactly its events. */
static void test_span(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	char before[200], after[200];
	drive_keys(app,
		   ": =timeline Enter Home Right Right Space Right Right Right Right Right Space");
	facts_of(app, PANE_TIMELINE, before, sizeof(before));
	drive_keys(app, "Left Left Left");
	facts_of(app, PANE_TIMELINE, after, sizeof(after));
	assert_string_equal(before, after);
	unsigned long long n = 0;
	assert_int_equal(
	    sscanf(strstr(before, " s \u00b7 ") + strlen(" s \u00b7 "), "%llu event", &n), 1);
	drive_keys(app, "Enter");
	assert_int_equal(view_n_shown(app->host.view), n);
	assert_non_null(strstr(app->host.view->filter_text, "time >= "));
	/* after zooming, the strip shows where it begins */
	drive_keys(app, "= : =timeline Enter Home Right Right Right Right Right Right Right Right "
			"Space Right Right Space z");
	facts_of(app, PANE_TIMELINE, before, sizeof(before));
	assert_null(strstr(before, "0.000 \u2026"));
	app_resize(app, 24, 80);
	drive_keys(app, "q");
	char *screen = drive_text(app, false), *second = strchr(screen, '\n') + 1;
	assert_true(strncmp(second, " 0s ", 4) != 0);
	free(screen);
	app_destroy(app);
}

/* The lines of the callers add up to their title. */
static void test_callers_add_up(void **state)
{
	struct app *app = drive_open(capture, NULL, 110, 50);
	char facts[200], *save = NULL;
	drive_keys(app, ": =callers Enter");
	facts_of(app, PANE_CALLERS, facts, sizeof(facts));
	unsigned long long total = 0, sum = 0, n;
	assert_int_equal(
	    sscanf(strstr(facts, "\u00b7 ") + strlen("\u00b7 "), "%llu events", &total), 1);
	char *screen = drive_text(app, false);
	bool has_rest = strstr(screen, "library only") != NULL;
	if (!has_rest)
		print_message("%s", screen);
	int column = -1;
	for (char *line = strtok_r(screen, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *head = strstr(line, "events\u25be");
		if (head)
			column = (int)utf8_str_width(line, (size_t)(head - line)) + 6;
		bool is_top = strncmp(line, "  ", 2) == 0 || strncmp(line, "\u258c", 3) == 0;
		char *p = line;
		if (!head && column >= 0 && is_top) {
			/* the sign of a line of the first level is in column 2 */
			int x = 0;
			char *sign = line;
			while (*sign && x < 2) {
				sign++;
				while (((unsigned char)*sign & 0xc0) == 0x80)
					sign++;
				x++;
			}
			if (strncmp(sign, "\u25be", 3) && strncmp(sign, "\u25b8", 3) &&
			    strncmp(sign, "  ", 2))
				continue;
			if (!strncmp(sign, "  ", 2) &&
			    (!sign[2] || sign[2] == ' ' || !strncmp(sign + 2, "\u25be", 3) ||
			     !strncmp(sign + 2, "\u25b8", 3)))
				continue; /* it is of a deeper level */
			for (x = 0; *p && x < column - 4; x++) {
				p++;
				while (((unsigned char)*p & 0xc0) == 0x80)
					p++;
			}
			if (sscanf(p, "%llu", &n) == 1)
				sum += n;
		}
	}
	free(screen);
	assert_true(has_rest);
	assert_int_equal(sum, total);
	app_destroy(app);
}

/* ---- depths that a file claims ---- */

/* Processes nested 30,000 deep, imports 2,000 deep: every page opens, on a stack of 256 KiB. */
static void test_deep(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-deep-%d.avc", (int)getpid());
	unlink(path);
	struct writer_options w_options = { 0 };
	struct writer *w;
	struct strbuf b = { 0 };
	must(writer_open(path, &w_options, &w));
	enum { N = 30000 };
	uint32_t first = 0, stack = 0;
	for (unsigned i = 0; i < N; i++) {
		struct process_info p = { .pid = i + 2,
					  .ns_pid = i + 2,
					  .ppid = i + 1,
					  .exit_status = -1,
					  .start_ns = i,
					  .name = add_string(w, "app.py"),
					  .flags = i ? 0 : PROCESS_LAUNCHED };
		struct thread_info thread = { .process = writer_process(w, &p), .tid = i + 2 };
		uint32_t id = writer_thread(w, &thread);
		first = i ? first : id;
		add_event(w, 1000u * (i + 1), "os.fork", id, NULL, 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		char module[32];
		snprintf(module, sizeof(module), "m%u", i);
		stack = add_frame(w, stack, "/srv/a.py", "<module>", 1 + i % 100);
		stack = add_frame(w, stack, "<frozen importlib._bootstrap>", "_find_and_load", 1);
		put_container(&b, VALUE_TUPLE, 1, 1);
		put_str(&b, module);
		add_event(w, 1000u * (N + i + 1), "import", first, &b, stack);
	}
	strbuf_fini(&b);
	must(writer_close(w));
	struct rlimit old, small;
	assert_int_equal(getrlimit(RLIMIT_STACK, &old), 0);
	struct app *app = drive_open(path, NULL, 120, 40);
	small = old;
	small.rlim_cur =
	    256 << 10; /* the kernel lets the stack grow no further than this (setrlimit(2)) */
	setrlimit(RLIMIT_STACK, &small);
	static const char *const pages[] = { "processes", "callers",  "summary",
					     "timeline",  "messages", "catalogue" };
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		char keys[80];
		snprintf(keys, sizeof(keys), ": =%s Enter G g z z q", pages[i]);
		drive_keys(app, keys);
		assert_false(app->quit);
		app_close_all_pages(app);
	}
	drive_keys(app, "G Enter G q");
	setrlimit(RLIMIT_STACK, &old);
	app_destroy(app);
	unlink(path);
}

int main(void)
{
	snprintf(capture, sizeof(capture), "/tmp/auditview-keys-%d.avc", (int)getpid());
	sample_write(capture, 12);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_filters), cmocka_unit_test(test_prompt_keys),
		cmocka_unit_test(test_typed_ahead),   cmocka_unit_test(test_deep),
		cmocka_unit_test(test_span),          cmocka_unit_test(test_callers_add_up),
		cmocka_unit_test(test_back),          cmocka_unit_test(test_back_to_session),
		cmocka_unit_test(test_back_to_start), cmocka_unit_test(test_compiles),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(capture);
	return failed;
}
