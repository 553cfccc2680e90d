/*
 * test_filter: how filters run: in slices, on a growing capture, for one row, from a cache; and
 * which literals regular expressions require. The meaning of expressions is tested in tests/filter.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/attr.h"
#include "capture_util.h"
#include "model/capture_filter.h"
#include "model/filter.h"
#include "model/filter_regex.h"
#include "model/filter_scan.h"
#include "model/selection.h"
#include "model/trace.h"

static const char *const expressions[] = {
	"",
	"open",
	"not open",
	"args ~ \"file_12\"",
	"args ~ \"(?i)FILE_12|work\"",
	"args ~ \"[0-9]{3}\"",
	"args contains \"file_1\" and open",
	"open.path ~ \"_1.*txt$\"",
	"args.mode == r and thread == 42",
	"stack.func == function_7",
	"stack.func ~ \"_(3|4)$\" and not top.func == function_3",
	"caller.line in {10..30}",
	"depth > 8 or exec",
	"time > 1ms and time < 3ms",
	"seq in {100..17000} and @filesystem",
	"cut",
	"args.code_object.id",
	"args.code_object.id == 0x7f0000000010",
	"exec and args.code_object.name == work",
	"not (args ~ \"file_[1-5]\" or stack.line > 100)",
};

static struct filter *compiled(const char *text, struct trace *t)
{
	struct filter *f;
	must(filter_compile(text, strlen(text), t, &f));
	return f;
}

static struct trace *opened(const char *path)
{
	struct trace *t;
	must(trace_open(path, NULL, &t));
	return t;
}

static uint64_t *whole(struct trace *t, const char *text, uint64_t *ret_n)
{
	struct filter *f = compiled(text, t);
	struct filter_run *r;
	must(filter_run_create(t, f, NULL, &r));
	must(filter_run_step(r, UINT64_MAX, NULL));
	uint64_t n = trace_n_events(t);
	assert_int_equal(filter_run_n_rows(r), n);
	uint64_t *words = calloc(n / 64 + 1, 8);
	memcpy(words, selection_words_get(filter_run_rows(r)), (n + 63) / 64 * 8);
	*ret_n = selection_count(filter_run_rows(r));
	filter_run_destroy(r);
	filter_destroy(f);
	return words;
}

/* Slices of no time at all, one shared cache, and every single row give the same result as one
 * run. */
static void test_same_every_way(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "filter");
	struct writer *w = test_writer(path);
	write_random(w, 40000, 1, 0);
	must(writer_close(w));
	struct trace *t = opened(path);
	struct filter_cache *cache;
	must(filter_cache_create(t, &cache));
	int n_interrupted = 0;
	for (int round = 0; round < 2; round++) /* in the second round everything is known */
		for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
			uint64_t n, *want = whole(t, expressions[i], &n);
			struct filter *f = compiled(expressions[i], t);
			struct filter_run *r;
			must(filter_run_create(t, f, cache, &r));
			double done = 0;
			int n_steps = 0;
			while (done < 1) {
				double before = done;
				must(filter_run_step(r, 0, &done));
				assert_true(done >= before);
				n_steps++;
				assert_true(n_steps < 100000);
			}
			/* without any time: one chunk per step, or less if values are found that
			 * are not judged yet */
			assert_true(round ? n_steps == 3 : n_steps >= 3);
			n_interrupted += n_steps > 3;
			assert_int_equal(selection_count(filter_run_rows(r)), n);
			assert_memory_equal(selection_words_get(filter_run_rows(r)), want,
					    (trace_n_events(t) + 63) / 64 * 8);
			filter_run_destroy(r);
			filter_destroy(f);
			free(want);
		}
	assert_true(n_interrupted > 0);
	filter_cache_destroy(cache);
	trace_close(t);
	unlink(path);
}

/* A reader beside a writer: after every flush the run continues, and at the end its result equals
 * that of a new run. */
static void test_growing(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "filter-growing");
	struct writer *w = test_writer(path);
	write_random(w, 500, 2, 0);
	must(writer_flush(w));
	struct trace *t = opened(path);
	struct filter *filters[ARRAY_LEN(expressions)];
	struct filter_run *runs[ARRAY_LEN(expressions)];
	struct filter_cache *cache;
	must(filter_cache_create(t, &cache));
	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		filters[i] = compiled(expressions[i], t);
		must(filter_run_create(t, filters[i], cache, &runs[i]));
	}
	for (uint64_t round = 0; round < 12; round++) {
		struct trace_change change;
		for (size_t i = 0; i < ARRAY_LEN(expressions); i++)
			must(filter_run_step(runs[i], UINT64_MAX, NULL));
		write_random(w, 3000, 10 + round, 1000);
		must(writer_flush(w));
		must(trace_refresh(t, &change));
		assert_int_equal(change.n_events, 3000);
	}
	must(writer_close(w));
	struct trace *fresh = opened(path);
	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		uint64_t n, *want = whole(fresh, expressions[i], &n);
		must(filter_run_step(runs[i], UINT64_MAX, NULL));
		assert_int_equal(filter_run_n_rows(runs[i]), trace_n_events(fresh));
		assert_int_equal(selection_count(filter_run_rows(runs[i])), n);
		assert_memory_equal(selection_words_get(filter_run_rows(runs[i])), want,
				    (trace_n_events(fresh) + 63) / 64 * 8);
		free(want);
		filter_run_destroy(runs[i]);
		filter_destroy(filters[i]);
	}
	filter_cache_destroy(cache);
	trace_close(fresh);
	trace_close(t);
	unlink(path);
}

/* A thread's name may become known after its first events. */
static void test_late_names(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "filter-late");
	struct writer *w = test_writer(path);
	write_random(w, 20000, 7, 0);
	must(writer_flush(w));
	struct trace *t = opened(path);
	struct filter *f = compiled("thread == worker", t),
		      *number = compiled("thread == 42 or tid == 42", t);
	struct filter_run *r, *by_number;
	must(filter_run_create(t, f, NULL, &r));
	must(filter_run_create(t, number, NULL, &by_number));
	must(filter_run_step(r, UINT64_MAX, NULL));
	must(filter_run_step(by_number, UINT64_MAX, NULL));
	assert_int_equal(selection_count(filter_run_rows(r)), 0);
	uint64_t n = selection_count(filter_run_rows(by_number));
	assert_true(n > 1000);
	struct thread_info info = *trace_thread(t, 1);
	info.name = add_string(w, "worker");
	writer_thread_update(w, 1, &info);
	must(writer_close(w));
	struct trace_change change;
	must(trace_refresh(t, &change));
	must(filter_run_step(r, UINT64_MAX, NULL));
	must(filter_run_step(by_number, UINT64_MAX, NULL));
	assert_int_equal(selection_count(filter_run_rows(r)), n);
	assert_int_equal(selection_count(filter_run_rows(by_number)), n);
	filter_run_destroy(r);
	filter_run_destroy(by_number);
	filter_destroy(f);
	filter_destroy(number);
	trace_close(t);
	unlink(path);
}

/* Typing a text letter by letter with one cache finds the same as a new run; also a longer text
 * after a shorter one that was only half evaluated. */
static void test_typing(void **state)
{
	static const char *const forms[] = { "args contains", "args ~" };
	static const char typed[] = "/srv/data/file_123";
	char path[256], text[64];
	test_path(path, sizeof(path), "filter-typing");
	struct writer *w = test_writer(path);
	write_random(w, 40000, 6, 0);
	must(writer_close(w));
	struct trace *t = opened(path);
	struct filter_cache *cache;
	must(filter_cache_create(t, &cache));
	for (int n = 1; n < (int)sizeof(typed); n++)
		for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
			uint64_t n_rows;
			snprintf(text, sizeof(text), "%s \"%.*s\"", forms[k], n, typed);
			uint64_t *want = whole(t, text, &n_rows);
			struct filter *f = compiled(text, t);
			struct filter_run *r;
			must(filter_run_create(t, f, cache, &r));
			if (n % 3 == 1) /* the next letter comes before this one was done */
				must(filter_run_step(r, 0, NULL));
			else
				must(filter_run_step(r, UINT64_MAX, NULL));
			assert_memory_equal(selection_words_get(filter_run_rows(r)), want,
					    filter_run_n_rows(r) / 8);
			if (n % 3 != 1)
				assert_int_equal(selection_count(filter_run_rows(r)), n_rows);
			filter_run_destroy(r);
			filter_destroy(f);
			free(want);
		}
	filter_cache_destroy(cache);
	trace_close(t);
	unlink(path);
}

static void test_explain(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "filter-explain");
	struct writer *w = test_writer(path);
	write_random(w, 5000, 3, 0);
	must(writer_close(w));
	struct trace *t = opened(path);
	const char *text = "open and (args ~ \"nothing\") and depth > 3";
	struct filter *f = compiled(text, t);
	struct filter_run *r;
	struct filter_explanation *x;
	size_t n;
	must(filter_run_create(t, f, NULL, &r));
	must(filter_run_step(r, UINT64_MAX, NULL));
	assert_int_equal(selection_count(filter_run_rows(r)), 0);
	must(filter_explain(t, f, NULL, &x));
	bool done = false;
	for (int i = 0; i < 100000 && !done; i++) /* without any time it still finishes */
		must(filter_explanation_step(x, 0, &done));
	assert_true(done);
	const struct filter_part *parts = filter_explanation_parts(x, &n);
	assert_int_equal(n, 3);
	assert_int_equal(parts[0].at, 0);
	assert_int_equal(parts[0].n_bytes, 4);
	assert_true(parts[0].n_events > 1000);
	assert_memory_equal(text + parts[1].at, "args ~ \"nothing\"", parts[1].n_bytes);
	assert_int_equal(parts[1].n_events, 0);
	assert_memory_equal(text + parts[2].at, "depth > 3", parts[2].n_bytes);
	assert_true(parts[2].n_events > 1000);
	filter_explanation_destroy(x);
	filter_run_destroy(r);
	filter_destroy(f);
	trace_close(t);
	unlink(path);
}

/* Patterns that would need 2^30 steps end soon, match nothing, and report it. */
static void test_hostile_regex(void **state)
{
	static const char *const patterns[] = { "^(a+)+$", "(x+x+)+y",
						"^(([a-z])+.)+[A-Z]([a-z])+$",
						"(.*)*(.*)*(.*)*(.*)*q", "(?:a|aa)+$" };
	char subject[201];
	memset(subject, 'a', 200);
	subject[199] = '!';
	subject[200] = 0;
	struct regex_matcher *m;
	must(regex_matcher_create(&m));
	uint64_t hits = 0;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct regex *r;
		must(regex_compile(patterns[i], strlen(patterns[i]), NULL, 0, &r));
		for (int k = 0; k < 20; k++)
			assert_false(regex_match(r, m, subject, 200, &hits));
		regex_destroy(r);
	}
	assert_true(hits >= 20);
	regex_matcher_destroy(m);
}

/* What must occur in every match; NULL: nothing is certain. Case-insensitive sets begin with
 * '~'. */
static const struct {
	const char *pattern, *literals;
} required[] = {
	{ "passwd", "passwd" },
	{ "a|bc", NULL },
	{ "foo|bar", "foo bar" },
	{ "foo|", NULL },
	{ "(?i)PassWord|token", "~password token" },
	{ "\\.env$", ".env" },
	{ "^/etc/", "/etc/" },
	{ "ab?cd", "cd" },
	{ "ab*", NULL },
	{ "abc+d", "abc" },
	{ "xabc{2}d", "xabc" },
	{ "abx{0,3}yz", "ab" },
	{ "abcx{,3}", "abc" },
	{ "(abc)?defg", "defg" },
	{ "(abc|def)ghi", "ghi" },
	{ "[abc]def", "def" },
	{ "[]]def", "def" },
	{ "[^]x]def", "def" },
	{ "[[:alpha:]]def", "def" },
	{ "[\\]]def", "def" },
	{ "\\d+abc", "abc" },
	{ "\\x41bcd", NULL },
	{ "\\x{41}bcd", "bcd" },
	{ "\\Qa.b\\E", NULL },
	{ "a(?x) b c", NULL },
	{ "ab(?i)cd", NULL },
	{ "ab(?i:cd)efg", "efg" },
	{ "(?=foo)barbar", "barbar" },
	{ "(?!foo)barbar", "barbar" },
	{ "(?<name>foo)\\k<name>barbar", "barbar" },
	{ "(*UCP)abc", NULL },
	{ "(?#note)abc", NULL },
	{ "abc(def|ghi", "abc" },
	{ "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" },
	{ "(?i)\xc3\xa9tage", "~tage" },
	{ "abc\\bdef", "abc" },
	{ "a.c", NULL },
	{ "foo.bar", "foo" },
	{ "foo\\sbarx", "barx" },
};

static void test_required_literals(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(required); i++) {
		struct regex *r;
		struct err *err = regex_compile(required[i].pattern, strlen(required[i].pattern),
						NULL, 0, &r);
		if (err) { /* the table has one that does not compile */
			assert_string_equal(required[i].pattern, "abc(def|ghi");
			err_destroy(err);
			continue;
		}
		const struct regex_literals *l = regex_literals_get(r);
		struct strbuf have = { 0 };
		for (size_t k = 0; k < l->n; k++)
			strbuf_addf(&have, "%s%s", k ? " " : l->is_caseless ? "~" : "", l->v[k].s);
		assert_string_equal(strbuf_str(&have),
				    required[i].literals ? required[i].literals : "");
		strbuf_fini(&have);
		regex_destroy(r);
	}
}

/* Random patterns on random texts: every match contains one of the literals. */
static void test_literals_are_required(void **state)
{
	static const char *const parts[] = { "ab",     "c",   "(ab|c)", "(?:bc)?", "[ab]",
					     ".",      "a*",  "b+",     "c{2}",    "\\.",
					     "|",      "^",   "$",      "(a)",     "\\w",
					     "(?i:a)", "bca", "a{0,2}", "(?=a)",   "\\x61" };
	uint64_t seed = 5;
	struct regex_matcher *m;
	must(regex_matcher_create(&m));
	for (int round = 0; round < 20000; round++) {
		char pattern[128] = "";
		size_t n = 1 + test_random(&seed) % 6;
		for (size_t i = 0; i < n; i++)
			strcat(pattern, parts[test_random(&seed) % ARRAY_LEN(parts)]);
		bool caseless = test_random(&seed) % 3 == 0;
		struct regex *r;
		struct err *err = regex_compile(pattern, strlen(pattern), "i", caseless, &r);
		if (err) {
			err_destroy(err);
			continue;
		}
		const struct regex_literals *l = regex_literals_get(r);
		for (int k = 0; l->n && k < 8; k++) {
			char subject[16];
			size_t n_subject = test_random(&seed) % 15;
			uint64_t hits = 0;
			for (size_t i = 0; i < n_subject; i++)
				subject[i] = "abcABC.x"[test_random(&seed) % 8];
			if (!regex_match(r, m, subject, n_subject, &hits))
				continue;
			bool found = false;
			for (size_t i = 0; i < l->n && !found; i++) {
				struct scan_needle needle = scan_needle_make(l->v[i].s, l->v[i].n,
									     l->is_caseless);
				found = scan_find(&needle, (uint8_t *)subject,
						  (uint8_t *)subject + n_subject) != NULL;
			}
			if (!found)
				fail_msg("/%s/ matches %.*s without its literals", pattern,
					 (int)n_subject, subject);
		}
		regex_destroy(r);
	}
	regex_matcher_destroy(m);
}

static void test_scan(void **state)
{
	uint64_t seed = 9;
	uint8_t text[400];
	for (int round = 0; round < 20000; round++) {
		size_t n = test_random(&seed) % sizeof(text), n_needle = 2 + test_random(&seed) % 6;
		char needle[8];
		bool caseless = round % 2;
		for (size_t i = 0; i < n; i++)
			text[i] = (uint8_t) "abAB@`"[test_random(&seed) % 6];
		for (size_t i = 0; i < n_needle; i++)
			needle[i] = "abAB@`"[test_random(&seed) % 6];
		const uint8_t *want = NULL;
		for (size_t i = 0; i + n_needle <= n && !want; i++) {
			bool same = true;
			for (size_t k = 0; k < n_needle; k++) {
				uint8_t a = text[i + k], b = (uint8_t)needle[k];
				if (caseless && a >= 'A' && a <= 'Z')
					a |= 32;
				if (caseless && b >= 'A' && b <= 'Z')
					b |= 32;
				same &= a == b;
			}
			if (same)
				want = text + i;
		}
		struct scan_needle made = scan_needle_make(needle, n_needle, caseless);
		assert_ptr_equal(scan_find(&made, text, text + n), want);
	}
}

/* What filter_quote() writes is read back as the same text. */
/* The text that a cell shows, typed into a filter, finds the event: numbers at their limits, words,
 * names with a slash. */
static void test_shown_values(void **state)
{
	static const struct {
		const char *filter;
		uint64_t rows; /* bit i: event i */
	} rows[] = {
		{ "args.x == -9223372036854775808", 1 },
		{ "args.x == -9223372036854775807", 0 },
		{ "args.x < -9223372036854775807", 1 },
		{ "args.x == 9223372036854775807", 2 },
		{ "args.x == 9223372036854775806", 0 },
		{ "args.x == 18446744073709551615", 4 },
		{ "args.x == 0xffffffffffffffff", 4 },
		{ "args.x == 18446744073709551614", 0 },
		{ "args.x > 9223372036854775807 and args.x < 18446744073709551616", 4 },
		{ "args.x == true", 8 },
		{ "args.x == True", 8 },
		{ "args.x == null", 16 },
		{ "args.x == None", 16 },
		{ "args.x == 0700", 32 },
		{ "args.x == 0o700", 32 },
		{ "args.x == 448", 32 },
		{ "args.x & 0o77", 1 << 1 | 1 << 2 | 1 << 3 },
		{ "builtins.input/result", 64 },
		{ "event == builtins.input/result", 64 },
		{ "builtins.input", 0 },
		{ "builtins.*/result", 64 },
		{ "args.x == 127.0.0.1:8077", 128 },
		{ "args.x == \"127.0.0.1:8077\"", 128 },
		{ "args.x == a.b:c/d-e", 256 },
	};
	char path[256];
	struct strbuf b = { 0 };
	test_path(path, sizeof(path), "shown");
	struct writer *w = test_writer(path);
	struct process_info p = {
		.pid = 41, .ns_pid = 41, .exit_status = -1, .name = add_string(w, "app.py")
	};
	struct thread_info thread = { .process = writer_process(w, &p), .tid = 41 };
	writer_thread(w, &thread);
	for (int i = 0; i < 9; i++) {
		put_container(&b, VALUE_DICT, 1, 1);
		put_str(&b, "x");
		if (i < 2) {
			put_int(&b, i ? INT64_MAX : INT64_MIN);
		} else if (i == 2) {
			strbuf_addc(&b, VALUE_BIGINT);
			strbuf_addc(&b, 0); /* sign */
			strbuf_add_varint(&b, 8);
			strbuf_add(&b, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
		} else if (i == 5) {
			put_int(&b, 0700);
		} else if (i == 7) {
			put_container(&b, VALUE_TUPLE, 2, 2);
			put_str(&b, "127.0.0.1");
			put_int(&b, 8077);
		} else if (i == 8) {
			put_str(&b, "a.b:c/d-e");
		} else {
			strbuf_addc(&b, i == 3 ? VALUE_TRUE : i == 4 ? VALUE_NONE : VALUE_FALSE);
		}
		add_event(w, 1000 + (uint64_t)i, i == 6 ? "builtins.input/result" : "my.event", 0,
			  &b, 0);
	}
	must(writer_close(w));
	struct trace *t = opened(path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n, *have = whole(t, rows[i].filter, &n);
		if (have[0] != rows[i].rows)
			fail_msg("%s: rows %llx, not %llx", rows[i].filter,
				 (unsigned long long)have[0], (unsigned long long)rows[i].rows);
		free(have);
	}
	trace_close(t);
	strbuf_fini(&b);
	unlink(path);
}

/* What is the user's own can be said while a capture is open (:set mine). */
static void test_callers_found_anew(void **state)
{
	static const char *const texts[] = { "caller.file contains \"/srv/\"",
					     "caller.file contains \"/caller-test/\"",
					     "event == open" };
	static const uint64_t before[] = { 1, 0, 1 }, after[] = { 0, 1, 1 };
	char path[256];
	test_path(path, sizeof(path), "filter-mine");
	struct writer *w = test_writer(path);
	struct process_info p = { .pid = 1 };
	writer_process(w, &p);
	struct thread_info th = { .tid = 1 };
	writer_thread(w, &th);
	uint32_t stack = add_frame(w, 0, "/caller-test/a.py", "main", 1);
	add_event(w, 1, "open", 0, NULL, add_frame(w, stack, "/srv/b.py", "work", 2));
	must(writer_close(w));
	struct trace *t = opened(path);
	struct filter_cache *cache;
	struct filter_run *runs[ARRAY_LEN(texts)];
	struct filter *filters[ARRAY_LEN(texts)];
	double done;
	must(filter_cache_create(t, &cache));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		filters[i] = compiled(texts[i], t);
		must(filter_run_create(t, filters[i], cache, &runs[i]));
		must(filter_run_step(runs[i], UINT64_MAX, &done));
		assert_int_equal(selection_count(filter_run_rows(runs[i])), before[i]);
	}
	trace_add_mine("/caller-test");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		bool matches;
		must(filter_run_step(runs[i], UINT64_MAX, &done));
		assert_int_equal(selection_count(filter_run_rows(runs[i])), after[i]);
		assert_int_equal(filter_run_n_restarts(runs[i]), before[i] != after[i]);
		must(filter_run_matches(runs[i], 0, &matches));
		assert_int_equal(matches, after[i]);
		filter_run_destroy(runs[i]);
		filter_destroy(filters[i]);
	}
	filter_cache_destroy(cache);
	trace_close(t);
	unlink(path);
}

static void test_quote(void **state)
{
	static const char *const texts[] = { "",
					     "plain",
					     "a \"b\" \\ \\n \\x41",
					     "line\nbreak\ttab\r",
					     "\x01\x7f",
					     "\xe5\xa4\xa7",
					     "'",
					     "/x/" };
	char path[256];
	test_path(path, sizeof(path), "filter-quote");
	struct writer *w = test_writer(path);
	struct process_info p = { .pid = 1 };
	writer_process(w, &p);
	struct thread_info th = { .tid = 1 };
	writer_thread(w, &th);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct strbuf b = { 0 };
		put_container(&b, VALUE_TUPLE, 1, 1);
		put_str(&b, texts[i]);
		add_event(w, i, "os.remove", 0, &b, 0);
		strbuf_fini(&b);
	}
	must(writer_close(w));
	struct trace *t = opened(path);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct strbuf b = { 0 };
		uint64_t n;
		strbuf_adds(&b, "args.path == ");
		filter_quote(&b, texts[i], strlen(texts[i]));
		uint64_t *words = whole(t, b.s, &n);
		assert_int_equal(n, 1);
		assert_int_equal(words[0], 1u << i);
		free(words);
		strbuf_fini(&b);
	}
	trace_close(t);
	unlink(path);
}

/* text with | at the cursor, then what must be offered (in this order, with others between), or
 * !what must not. */
static const char *const completions[][8] = {
	{ "open.flags & |", "O_RDONLY", "O_WRONLY", "O_CLOEXEC", "O_CREAT" },
	{ "args.flags & O_CR|", "O_CREAT", "!O_CLOEXEC" },
	{ "open.flags |", "==", "&" },
	{ "socket.__new__.family == AF_IN|", "AF_INET", "AF_INET6" },
	{ "|", "event", "args", "open" },
	{ "op|", "open" },
	{ "@net|", "@network" },
	{ "open and ev|", "event" },
	{ "event |", "==", "~", "contains", "and" },
	{ "time |", "==", "<", "!~", "!contains" },
	{ "event == |", "\"os.listdir\"", "\"open\"" },
	{ "event == \"os|", "\"os.listdir\"", "!\"open\"" },
	{ "args.|", "args.path", "args.mode" },
	{ "args.mo|", "args.mode", "!args.path" },
	{ "open.|", "open.path" },
	{ "args.mode == |", "\"r\"" },
	{ "args.flags == |", "524288" },
	{ "open.mode in {|", "\"r\"" },
	{ "pid == |", "41", "!42" },
	{ "tid in {41, |", "43" },
	{ "stack.|", "stack.func", "stack.line" },
	{ "stack.func == |", "\"<module>\"" },
	{ "caller.file == \"/srv|", "\"/srv/app/work.py\"" },
	{ "documented == |", "true", "false" },
	{ "open |", "and", "or", "!==" },
	{ "event == \"open\" |", "and", "or" },
	{ "not |", "event" },
	{ "(o|", "open" },
	{ "theme == |", "\"filesystem\"" },
	{ "category == o|", "\"os\"", "\"open\"" },
	{ "open and | and pid == 1", "event" },
};

static void test_completion(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "filter-complete");
	struct writer *w = test_writer(path);
	write_random(w, 5000, 4, 0);
	must(writer_close(w));
	struct trace *t = opened(path);
	for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
		char text[128];
		const char *with = completions[i][0], *bar = strchr(with, '|');
		size_t cursor = (size_t)(bar - with);
		snprintf(text, sizeof(text), "%.*s%s", (int)cursor, with, bar + 1);
		for (int known = 0; known < 2; known++) {
			struct filter_completion c;
			must(filter_complete(known ? t : NULL, text, strlen(text), cursor, &c));
			assert_true(c.at + c.n_bytes <= strlen(text));
			size_t at = 0;
			for (size_t k = 1; known && k < 8 && completions[i][k]; k++) {
				const char *want = completions[i][k];
				bool forbidden = want[0] == '!' && want[1] != '~' && want[1] != '=';
				size_t from = forbidden ? 0 : at;
				while (from < c.n && strcmp(c.v[from].text, want + forbidden) != 0)
					from++;
				if (!strcmp(want, "!~") || !strcmp(want, "!=="))
					assert_int_equal(from, c.n);
				else if (forbidden ? from < c.n : from == c.n)
					fail_msg("%s: %s", with, want);
				else if (!forbidden)
					at = from;
			}
			filter_completion_fini(&c);
		}
	}
	trace_close(t);
	unlink(path);
}

static const struct {
	const char *expression, *name;
	bool wants;
} captures[] = {
	{ "", "open", true },
	{ "open", "open", true },
	{ "open", "os.open", false },
	{ "socket", "socket.connect", true },
	{ "socket", "socketserver.x", false },
	{ "os.*", "os.listdir", true },
	{ "os.*,!os.listdir", "os.listdir", false },
	{ "!import", "import", false },
	{ "!import", "open", true },
	{ "!import,!open", "exec", true },
	{ "!import,open", "exec", true },
	{ "open,!import", "exec", false },
	{ "!os.*,os.listdir", "os.listdir", true },
	{ "!os.*,os.listdir", "os.remove", false },
	{ "@network", "socket.connect", true },
	{ "@network", "open", false },
	{ "@network,!socket.connect", "socket.connect", false },
	{ "/^(os|shutil)\\./", "shutil.move", true },
	{ "/a,b/", "a,b", true },
	{ "/\\/x/", "/x", true },
	{ "! open , exec", "exec", true },
	{ "! open , exec", "open", false },
	{ " open , exec ", "exec", true },
	{ " open , exec ", "import", false },
	{ "s?ck*.con*", "socket.connect", true },
	{ "myapp.login", "myapp.login", true },
};

static void test_capture_filter(void **state)
{
	static const struct {
		const char *expression;
		unsigned at;
	} wrong[] = { { "@netwok", 1 },     { "open,/abc", 5 }, { "open exec", 4 },
		      { "open,sokcet", 5 }, { "improt", 0 },    { "!", 1 },
		      { "open,/(/", 7 },    { "/a/b", 3 } };
	for (size_t i = 0; i < ARRAY_LEN(captures); i++) {
		struct capture_filter *f;
		must(capture_filter_compile(captures[i].expression, &f));
		if (capture_filter_wants(f, captures[i].name, strlen(captures[i].name)) !=
		    captures[i].wants)
			fail_msg("-e %s: %s", captures[i].expression, captures[i].name);
		capture_filter_destroy(f);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct capture_filter *f = NULL;
		struct err *err = capture_filter_compile(wrong[i].expression, &f);
		assert_non_null(err);
		assert_int_equal(err->code, ERR_SYNTAX);
		assert_int_equal(err->at, wrong[i].at);
		err_destroy(err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_every_way),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_typing),
		cmocka_unit_test(test_late_names),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_hostile_regex),
		cmocka_unit_test(test_required_literals),
		cmocka_unit_test(test_literals_are_required),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_shown_values),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_capture_filter),
		/* the last: what it says is the user's own stays so */
		cmocka_unit_test(test_callers_found_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
