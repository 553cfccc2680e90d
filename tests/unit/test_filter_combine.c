/*
 * test_filter_combine: filters that are combined as trees. The truth of random filters is computed
 * here from the truth of their terms, so that the test does not depend on the parser's precedence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/attr.h"
#include "capture_util.h"
#include "model/filter.h"
#include "model/filter_combine.h"
#include "model/selection.h"
#include "model/trace.h"

enum { N_EVENTS = 640, N_WORDS = N_EVENTS / 64 };

static struct filter *compiled(const char *text, struct trace *t)
{
	struct filter *f;
	struct err *err = filter_compile(text, strlen(text), t, &f);
	if (err)
		fail_msg("%s: %s", text, err->message);
	return f;
}

static void test_table(void **state)
{
	static const struct {
		const char *old, *term, *both, *without;
		bool says, says_not;
	} rows[] = {
		{ "files-written", "pid == 12", "files-written and pid == 12",
		  "files-written and not pid == 12", false, false },
		{ "only-my-code and pid == 12", "only-my-code", NULL, NULL, true, false },
		{ "not only-my-code", "only-my-code", NULL, NULL, false, true },
		{ "only-my-code", "caller", "only-my-code and caller",
		  "only-my-code and not caller", false, false },
		{ "", "pid == 12", "pid == 12", "not pid == 12", false, false },
		{ "open", "pid == 12", "open and pid == 12", "open and not pid == 12", false,
		  false },
		{ "open or exec", "pid == 12", "(open or exec) and pid == 12",
		  "(open or exec) and not pid == 12", false, false },
		{ "open || exec", "pid == 12", "(open or exec) and pid == 12",
		  "(open or exec) and not pid == 12", false, false },
		{ "open", "import or exec", "open and (import or exec)",
		  "open and not (import or exec)", false, false },
		/* a term that is only a part of an "or", or after a "not", is not implied */
		{ "event == \"open\" or event == \"exec\"", "event == \"open\"",
		  "(event == \"open\" or event == \"exec\") and event == \"open\"",
		  "(event == \"open\" or event == \"exec\") and not event == \"open\"", false,
		  false },
		{ "not pid == 123", "pid == 12", "not pid == 123 and pid == 12",
		  "not pid == 123 and not pid == 12", false, false },
		{ "not pid == 12", "pid == 12", NULL, NULL, false, true },
		{ "pid == 12", "pid == 12", NULL, NULL, true, false },
		{ "pid   ==   12 and open", "pid == 12", NULL, NULL, true, false },
		{ "open and (exec and pid == 12)", "pid == 12 and open", NULL, NULL, true, false },
		{ "not (open or pid == 12)", "pid == 12", NULL, NULL, false, true },
		{ "not (pid == 12 or open)", "open or pid == 12", NULL, NULL, false, true },
		{ "not not pid == 12", "pid == 12", NULL, NULL, true, false },
		{ "open", "not exec", "open and not exec", "open and exec", false, false },
		{ "args.path == \"a or b\"", "args.path == \"c and d\"",
		  "args.path == \"a or b\" and args.path == \"c and d\"",
		  "args.path == \"a or b\" and not args.path == \"c and d\"", false, false },
		{ "\"text\"", "pid == 1 or pid == 2", "\"text\" and (pid == 1 or pid == 2)",
		  "\"text\" and not (pid == 1 or pid == 2)", false, false },
		{ "((open)) and ((exec))", "import", "open and exec and import",
		  "open and exec and not import", false, false },
		{ "/^os/", "/^socket/", "/^os/ and /^socket/", "/^os/ and not /^socket/", false,
		  false },
		{ "open.path == /etc/a", "open.path == /etc/b",
		  "open.path == /etc/a and open.path == /etc/b",
		  "open.path == /etc/a and not open.path == /etc/b", false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filter *old = compiled(rows[i].old, NULL),
			      *term = compiled(rows[i].term, NULL);
		assert_int_equal(filter_says(old, term, false), rows[i].says);
		assert_int_equal(filter_says(old, term, true), rows[i].says_not);
		for (int exclude = 0; exclude < 2; exclude++) {
			const char *want = exclude ? rows[i].without : rows[i].both;
			struct strbuf b = { 0 };
			filter_and(old, term, exclude, &b);
			if (want)
				assert_string_equal(strbuf_str(&b), want);
			struct filter *f = compiled(strbuf_str(&b), NULL);
			assert_true(filter_says(f, term, exclude));
			assert_true(filter_says(f, old, false));
			filter_destroy(f);
			strbuf_fini(&b);
		}
		filter_destroy(old);
		filter_destroy(term);
	}
}

static void test_without(void **state)
{
	static const char *const rows[][3] = {
		{ "open and pid == 1", "pid == 1", "open" },
		{ "pid == 1", "pid == 1", "" },
		{ "(open or exec) and pid == 1", "pid == 1", "open or exec" },
		{ "not (open or exec) and pid == 1", "pid == 1", "not (open or exec)" },
		{ "not (open or exec) and pid == 1", "not open", "not exec and pid == 1" },
		{ "open and (exec or import) and depth > 1", "exec or import",
		  "open and depth > 1" },
		{ "open and exec and import", "exec and open", "import" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filter *old = compiled(rows[i][0], NULL), *term = compiled(rows[i][1], NULL);
		struct strbuf b = { 0 };
		assert_true(filter_says(old, term, false));
		filter_without(old, term, &b);
		assert_string_equal(strbuf_str(&b), rows[i][2]);
		strbuf_fini(&b);
		filter_destroy(old);
		filter_destroy(term);
	}
}

/* ---- random filters ---- */

static const char *const terms[] = { "open",
				     "@filesystem",
				     "pid == 41",
				     "tid in {41, 42}",
				     "depth > 4",
				     "seq < 300",
				     "args contains \"1\"",
				     "\"file_2\"",
				     "/^o/",
				     "stack.line == 3",
				     "seq in {7..77}",
				     "no_such_event.*",
				     "args ~ \"_3|_4\"" };
typedef uint64_t rows[N_WORDS];
static rows truth[ARRAY_LEN(terms)];

static void run(struct trace *t, const char *text, rows ret)
{
	struct filter *f = compiled(text, t);
	struct filter_run *r;
	must(filter_run_create(t, f, NULL, &r));
	must(filter_run_step(r, UINT64_MAX, NULL));
	memcpy(ret, selection_words_get(filter_run_rows(r)), sizeof(rows));
	filter_run_destroy(r);
	filter_destroy(f);
}

/* Append a random expression; `least` is how closely it must bind: 0 or, 1 and, 2 not. Its truth
 * goes into ret. */
static void make(uint64_t *state, unsigned depth, int least, struct strbuf *to, rows ret)
{
	unsigned kind = depth ? (unsigned)(test_random(state) % 5) : 0;
	if (kind < 2) {
		size_t i = test_random(state) % (ARRAY_LEN(terms));
		strbuf_adds(to, terms[i]);
		memcpy(ret, truth[i], sizeof(rows));
	} else if (kind == 2) {
		strbuf_adds(to, test_random(state) & 1 ? "not " : "! ");
		make(state, depth - 1, 2, to, ret);
		for (size_t w = 0; w < N_WORDS; w++)
			ret[w] = ~ret[w];
	} else {
		static const char *const ands[] = { " and ", " && ", " AND " }, *const ors[] = {
			" or ", " || ", " OR "
		};
		bool is_and = kind == 3;
		bool paren = least > (is_and ? 1 : 0) || test_random(state) % 4 == 0;
		rows b;
		strbuf_adds(to, paren ? "(" : "");
		make(state, depth - 1, is_and ? 1 : 0, to, ret);
		strbuf_adds(to, (is_and ? ands : ors)[test_random(state) % 3]);
		make(state, depth - 1, is_and ? 1 : 0, to, b);
		strbuf_adds(to, paren ? ")" : "");
		for (size_t w = 0; w < N_WORDS; w++)
			ret[w] = is_and ? ret[w] & b[w] : ret[w] | b[w];
	}
}

static void assert_same(const char *text, const rows have, const rows want)
{
	for (size_t w = 0; w < N_WORDS; w++)
		if (have[w] != want[w])
			fail_msg("%s: row %zu is decided wrongly", text,
				 w * 64 + (size_t)__builtin_ctzll(have[w] ^ want[w]));
}

static void test_random_filters(void **state)
{
	char path[256];
	test_path(path, sizeof(path), "combine");
	struct writer *w = test_writer(path);
	write_random(w, N_EVENTS, 3, 0);
	must(writer_close(w));
	struct trace *t;
	must(trace_open(path, NULL, &t));
	assert_int_equal(trace_n_events(t), N_EVENTS);
	for (size_t i = 0; i < ARRAY_LEN(terms); i++)
		run(t, terms[i], truth[i]);
	uint64_t seed = 20261128;
	for (int round = 0; round < 1500; round++) {
		struct strbuf a = { 0 }, b = { 0 }, both = { 0 }, again = { 0 };
		rows of_a, of_b, want, have;
		make(&seed, 4, 0, &a, of_a);
		make(&seed, 3, 0, &b, of_b);
		bool exclude = round & 1;
		for (size_t i = 0; i < N_WORDS; i++)
			want[i] = of_a[i] & (exclude ? ~of_b[i] : of_b[i]);
		run(t, strbuf_str(&a), have);
		assert_same(strbuf_str(&a), have, of_a);
		struct filter *f = compiled(strbuf_str(&a), t), *g = compiled(strbuf_str(&b), t);
		filter_and(f, g, exclude, &both);
		run(t, strbuf_str(&both), have);
		assert_same(strbuf_str(&both), have, want);
		/* its answers about itself are right and complete */
		struct filter *h = compiled(strbuf_str(&both), t);
		assert_true(filter_says(h, f, false));
		assert_true(filter_says(h, g, exclude));
		bool says = filter_says(f, g, exclude);
		for (size_t i = 0; says && i < N_WORDS; i++)
			assert_int_equal(of_a[i] & ~want[i], 0);
		filter_unparse(h, &again);
		run(t, strbuf_str(&again), have);
		assert_same(strbuf_str(&again), have, want);
		filter_destroy(f);
		filter_destroy(g);
		filter_destroy(h);
		strbuf_fini(&a);
		strbuf_fini(&b);
		strbuf_fini(&both);
		strbuf_fini(&again);
	}
	trace_close(t);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_random_filters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
