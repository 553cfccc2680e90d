/* Groups, histograms, call trees, folds, relations and first-of-kind, each compared with the result
 * of a plain loop over the events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/vec.h"
#include "capture_util.h"
#include "model/folds.h"
#include "model/group.h"
#include "model/first_seen.h"
#include "model/relations.h"
#include "model/selection.h"
#include "model/tally.h"
#include "model/trace.h"
#include "whole.h"

#define N_EVENTS 40000u
static char path[256];
static struct trace *trace;
static struct selection *some; /* every row whose number has a 7 in it, roughly */

static int random_open(void **state)
{
	struct writer *w = test_writer(path);
	write_random(w, N_EVENTS, 3, 999);
	must(writer_close(w));
	struct trace_options o = { .cache_bytes = 300000 };
	must(trace_open(path, &o, &trace));
	must(selection_create(N_EVENTS, false, &some));
	for (uint64_t i = 0; i < N_EVENTS; i++)
		selection_set(some, i, i % 10 == 7 || i / 10 % 10 == 7);
	return 0;
}

static int random_close(void **state)
{
	trace_close(trace);
	selection_destroy(some);
	return 0;
}

static uint32_t column_of(const struct event *e, enum group_column column)
{
	uint32_t ids[] = { e->name, e->thread, e->args, e->stack, e->task };
	return ids[column];
}

static void groups(void **state)
{
	static const struct {
		uint64_t from, to;
		bool selected;
	} spans[] = { { 0, UINT64_MAX, false },
		      { 0, UINT64_MAX, true },
		      { 5, 16390, false },
		      { 16384, 32768, true },
		      { 70, 71, false } };
	for (unsigned column = 0; column < GROUP_COLUMN_COUNT; column++) {
		uint32_t n_keys = group_column_end(trace, column);
		for (size_t k = 0; k < ARRAY_LEN(spans); k++) {
			uint64_t *counts = calloc(n_keys, 8), *expected = calloc(n_keys, 8),
				 *again = calloc(n_keys, 8);
			uint64_t *first = malloc(n_keys * 8), *last = calloc(n_keys, 8);
			const struct selection *sel = spans[k].selected ? some : NULL;
			memset(first, 0xff, n_keys * 8);
			must(group_count(trace, sel, spans[k].from, spans[k].to, column, NULL,
					 n_keys, counts));
			must(group_count_first(trace, sel, spans[k].from, spans[k].to, column, NULL,
					       n_keys, again, first, last));
			for (uint64_t i = spans[k].from; i < N_EVENTS && i < spans[k].to; i++) {
				struct event e;
				trace_event(trace, i, &e);
				if (sel && !selection_has(sel, i))
					continue;
				uint32_t key = column_of(&e, column);
				if (expected[key]++ == 0)
					assert_int_equal(first[key], i);
				assert_true(last[key] >= i);
			}
			assert_memory_equal(counts, expected, n_keys * 8);
			assert_memory_equal(again, expected, n_keys * 8);
			free(counts);
			free(expected);
			free(again);
			free(first);
			free(last);
		}
	}
	/* keys merge ids, UINT32_MAX leaves them out */
	uint32_t keys[4] = { UINT32_MAX, 0, UINT32_MAX, 0 };
	uint64_t merged[1] = { 0 }, all[4] = { 0 };
	must(group_count(trace, some, 0, UINT64_MAX, GROUP_NAME, NULL, 4, all));
	must(group_count(trace, some, 0, UINT64_MAX, GROUP_NAME, keys, 1, merged));
	assert_int_equal(merged[0], all[1] + all[3]);
}

/* The keys of a tally in the test: ids with an even number share a key in threes, the others are
 * left out. */
struct tally_keys {
	uint32_t of_id[4096], n;
	unsigned n_asked;
};

static uint32_t tally_key(void *ctx, uint32_t id, uint32_t name)
{
	struct tally_keys *k = ctx;
	k->n_asked++;
	assert_true(name < 4);
	if (id & 1)
		return TALLY_LEAVE_OUT;
	if (k->of_id[id / 6] == 0)
		k->of_id[id / 6] = ++k->n;
	return k->of_id[id / 6] - 1;
}

static bool tally_wants(void *ctx, uint32_t name)
{
	return name != 2;
}

/* Counting in slices, while the capture is revealed bit by bit, gives the same as counting at
 * once. */
static void tallies(void **state)
{
	for (unsigned column = 0; column < GROUP_COLUMN_COUNT; column++)
		for (unsigned how = 0; how < 4; how++) {
			struct selection *sel = how & 1 ? some : NULL;
			uint32_t n_ids = group_column_end(trace, column);
			struct tally_keys keys = { 0 };
			struct tally_spec spec = { .column = column,
						   .n_bins = 7 + (how & 1),
						   .span_ns = 1,
						   .ctx = &keys };
			if (how & 2) {
				spec.key = tally_key;
				spec.wants = tally_wants;
			}
			CLEANUP(tally) struct tally *t = NULL;
			must(tally_create(trace, &spec, &t));
			unsigned steps = 0;
			for (uint64_t end = 0; tally_n_rows(t) < N_EVENTS; steps++) {
				/* it makes progress even without any time */
				must(tally_step(t, sel, end, 0));
				assert_true(tally_n_rows(t) <= end);
				if (tally_n_rows(t) == end)
					end += 777;
			}
			assert_true(steps > 20);
			uint64_t *counts = calloc(n_ids, 8), *first = malloc(n_ids * 8);
			uint32_t n_bins = spec.n_bins, *bins = calloc((size_t)n_ids * n_bins, 4);
			memset(first, 0xff, n_ids * 8);
			struct tally_keys again = { 0 };
			uint64_t span = tally_span_ns(t);
			uint8_t *asked = calloc(n_ids, 1);
			unsigned n_asked = 0;
			for (uint64_t i = 0; i < N_EVENTS; i++) {
				struct event e;
				trace_event(trace, i, &e);
				if ((sel && !selection_has(sel, i)) ||
				    (how & 2 && !tally_wants(NULL, e.name)))
					continue;
				uint32_t id = column_of(&e, column),
					 key = how & 2 ? tally_key(&again, id, e.name) : id;
				n_asked += !asked[id];
				asked[id] = 1;
				if (key == TALLY_LEAVE_OUT)
					continue;
				if (!counts[key]++)
					first[key] = i;
				assert_true(e.time_ns < span);
				bins[key * n_bins +
				     (uint32_t)((double)e.time_ns * (n_bins / (double)span))]++;
			}
			for (uint32_t key = 0; key < tally_n_keys(t); key++) {
				struct tally_entry e = tally_get(t, key);
				assert_int_equal(e.count, counts[key]);
				assert_int_equal(e.first, first[key]);
				assert_memory_equal(e.bins, bins + key * n_bins, n_bins * 4);
			}
			assert_int_equal(tally_n_keys(t), how & 2 ? again.n : n_ids);
			assert_int_equal(keys.n_asked, how & 2 ? n_asked : 0); /* once per id */
			free(counts);
			free(first);
			free(bins);
			free(asked);
		}
}

static void histograms(void **state)
{
	const struct trace_about *about = trace_about_get(trace);
	uint8_t classes[4] = { HISTOGRAM_LEAVE_OUT, 0, 1, 1 };
	for (int zoom = 0; zoom < 6; zoom++) {
		uint64_t span = (about->last_ns + 1 - about->first_ns) >> (2 * zoom);
		struct histogram_spec spec = { .from_ns = about->first_ns + (zoom ? span / 3 : 0),
					       .n_bins = 33,
					       .n_classes = 2,
					       .class_of_name = classes,
					       .sel = zoom % 2 ? some : NULL };
		spec.to_ns = spec.from_ns + span;
		uint32_t bins[66], expected[66] = { 0 };
		bool exact;
		must(whole_histogram(trace, &spec, bins, &exact));
		assert_true(exact);
		for (uint64_t i = 0; i < N_EVENTS; i++) {
			struct event e;
			trace_event(trace, i, &e);
			if (e.time_ns < spec.from_ns || e.time_ns >= spec.to_ns ||
			    (spec.sel && !selection_has(some, i)))
				continue;
			uint32_t bin = (uint32_t)((double)(e.time_ns - spec.from_ns) *
						  (33 / (double)span));
			expected[classes[e.name] * 33 + (bin < 33 ? bin : 32)]++;
		}
		assert_memory_equal(bins, expected, sizeof(bins));
		spec.sel = NULL;
		spec.may_estimate = true;
		uint64_t estimated = 0, counted = 0;
		must(whole_histogram(trace, &spec, bins, &exact));
		for (int i = 0; i < 66; i++)
			estimated += bins[i];
		for (uint64_t i = 0; i < N_EVENTS; i++) {
			struct event e;
			trace_event(trace, i, &e);
			counted += e.time_ns >= spec.from_ns && e.time_ns < spec.to_ns;
		}
		assert_in_range(estimated, counted * 9 / 10, counted * 11 / 10 + 10);
	}
}

static bool stack_has(uint32_t stack, uint32_t function, bool innermost)
{
	uint32_t parent, frame;
	struct frame_info f;
	while (trace_stack(trace, stack, &parent, &frame)) {
		trace_frame(trace, frame, &f);
		if (f.function == function)
			return true;
		if (innermost)
			return false;
		stack = parent;
	}
	return false;
}

static void same_nodes(struct calltree *a, struct calltree *b, uint32_t node_a, uint32_t node_b,
		       int depth)
{
	const uint32_t *x, *y;
	uint32_t n_x, n_y;
	const struct calltree_node p = *calltree_node_get(a, node_a),
				   q = *calltree_node_get(b, node_b);
	assert_int_equal(p.frame, q.frame);
	assert_int_equal(p.total, q.total);
	assert_int_equal(p.self, q.self);
	assert_int_equal(p.has_children, q.has_children);
	if (depth == 0)
		return;
	for (int i = 0; i < 100000 && !calltree_is_expanded(b, node_b); i++)
		must(calltree_expand(b, node_b, 0));
	assert_true(calltree_is_expanded(b, node_b));
	must(calltree_children(a, node_a, &x, &n_x));
	must(calltree_children(b, node_b, &y, &n_y));
	assert_int_equal(n_x, n_y);
	for (uint32_t i = 0; i < n_x; i++)
		same_nodes(a, b, x[i], y[i], depth - 1);
}

/* In steps without any time, with a selection that is revealed bit by bit: the tree is the same. */
static void call_trees_in_slices(void **state)
{
	for (int how = 0; how < 4; how++) {
		struct calltree_options o = { .direction = (enum calltree_direction)(how & 1),
					      .hide_native = true };
		struct selection *sel = how & 2 ? some : NULL;
		CLEANUP(calltree) struct calltree *whole = NULL;
		CLEANUP(calltree) struct calltree *sliced = NULL;
		must(whole_calltree(trace, sel, &o, &whole));
		must(calltree_begin(trace, &o, &sliced));
		double done = 0, before = 0;
		unsigned steps = 0;
		for (uint64_t end = 0; done < 1; end += 1000, steps++) {
			must(calltree_step(sliced, sel, end, 0, &done));
			assert_true(done >= before);
			assert_true(steps < 100000);
			before = done;
		}
		assert_true(steps > 40);
		same_nodes(whole, sliced, CALLTREE_ROOT, CALLTREE_ROOT, 3);
	}
}

static void call_trees(void **state)
{
	for (int direction = 0; direction < 2; direction++) {
		struct calltree_options o = { .direction = (enum calltree_direction)direction };
		struct calltree *c;
		const uint32_t *children;
		uint32_t n;
		must(whole_calltree(trace, some, &o, &c));
		assert_int_equal(calltree_node_get(c, CALLTREE_ROOT)->total, selection_count(some));
		must(calltree_children(c, CALLTREE_ROOT, &children, &n));
		assert_int_equal(n, direction == CALLTREE_TOP_DOWN ? 1 : 12);
		uint64_t sum = 0, before = UINT64_MAX;
		for (uint32_t i = 0; i < n; i++) {
			const struct calltree_node *node = calltree_node_get(c, children[i]);
			struct frame_info f;
			trace_frame(trace, node->frame, &f);
			uint64_t expected = 0;
			for (uint64_t row = 0; row < N_EVENTS; row++) {
				struct event e;
				trace_event(trace, row, &e);
				expected += selection_has(some, row) &&
					    stack_has(e.stack, f.function, direction == 1);
			}
			assert_int_equal(node->total, expected);
			assert_true(node->total <= before);
			before = node->total;
			sum += node->total;
		}
		assert_int_equal(sum, selection_count(some));
		/* down to the leaves: a total is the sum of the children's totals and the node's
		 * own */
		uint32_t at = children[0], depth = 0;
		while (calltree_node_get(c, at)->has_children) {
			struct calltree_node parent = *calltree_node_get(c, at);
			must(calltree_children(c, at, &children, &n));
			sum = parent.self;
			for (uint32_t i = 0; i < n; i++)
				sum += calltree_node_get(c, children[i])->total;
			assert_int_equal(sum, parent.total);
			at = children[0];
			depth++;
		}
		assert_true(depth >= 10 || direction == CALLTREE_BOTTOM_UP);
		calltree_destroy(c);
	}
	struct calltree_options o = { .hide_library = true };
	struct calltree *c;
	must(whole_calltree(trace, NULL, &o, &c));
	const uint32_t *children;
	uint32_t n;
	must(calltree_children(c, CALLTREE_ROOT, &children, &n));
	must(calltree_children(c, children[0], &children, &n));
	assert_int_equal(n, 1); /* function_0 of /srv/app/work.py; the library frames are gone */
	calltree_destroy(c);
}

/* ---- a small program with imports ---- */

enum {
	ROW_IMPORT,
	ROW_LIST,
	ROW_OPEN,
	ROW_OTHER_THREAD,
	ROW_NESTED,
	ROW_NESTED_OPEN,
	ROW_USER,
	ROW_AFTER
};

static void imports_write(void)
{
	struct writer *w = test_writer(path);
	struct strbuf b = { 0 };
	struct process_info p = { .pid = 1, .exit_status = -1 },
			    child = { .pid = 2, .ppid = 1, .start_ns = 2000, .exit_status = -1 };
	struct thread_info t = { 0 };
	writer_process(w, &p);
	writer_thread(w, &t);
	writer_thread(w, &t);
	writer_process(w, &child);
	t.process = 1;
	writer_thread(w, &t);
	const char *boot = "<frozen importlib._bootstrap>";
	uint32_t app = add_frame(w, 0, "/srv/app.py", "<module>", 1);
	uint32_t find = add_frame(w, app, boot, "_find_and_load", 1);
	uint32_t plugin = add_frame(w, add_frame(w, find, boot, "exec_module", 2), "/srv/plugin.py",
				    "<module>", 5);
	uint32_t nested = add_frame(w, plugin, boot, "_find_and_load", 1);
	uint32_t user = add_frame(w, plugin, "/srv/plugin.py", "load", 9);
#define ARGS(text) (put_container(&b, VALUE_TUPLE, 1, 1), put_str(&b, text), &b)
	add_event(w, 100, "import", 0, ARGS("plugin"), app);
	add_event(w, 110, "os.listdir", 0, ARGS("/srv"), find);
	add_event(w, 120, "open", 0, ARGS("/srv/plugin.py"), find);
	add_event(w, 125, "open", 1, ARGS("/srv/other"), app);
	add_event(w, 130, "import", 0, ARGS("json"), plugin);
	add_event(w, 140, "open", 0, ARGS("/usr/lib/json"), nested);
	add_event(w, 150, "socket.connect", 0, ARGS("host"), user);
	add_event(w, 160, "open", 0, ARGS("/tmp/tmpab12cd34/x1"), app);
	for (int i = 0; i < 4; i++)
		add_event(w, 200 + (uint64_t)i, "os.chmod", 0, ARGS("/srv/same"), app);
	add_event(w, 300, "open", 0, ARGS("/tmp/tmpzz99yy88/x22"), app);
	add_event(w, 1900, "subprocess.Popen", 0, ARGS("/bin/gzip"), app);
	add_event(w, 2100, "import", 2, ARGS("site"), add_frame(w, 0, "<string>", "<module>", 1));
	add_event(w, 2110, "cpython.run_command", 2, ARGS("pass"), 0);
	must(writer_close(w));
	strbuf_fini(&b);
}

static void folding(void **state)
{
	imports_write();
	must(trace_open(path, NULL, &trace));
	struct folds *f;
	struct fold fold;
	double done;
	must(folds_create(trace, &f));
	must(folds_update(f, NULL, UINT64_MAX, &done));
	assert_true(done == 1.0);
	assert_int_equal(folds_n_rows(f), trace_n_events(trace));
	assert_true(folds_find(f, ROW_IMPORT, &fold));
	assert_int_equal(fold.kind, FOLD_IMPORT);
	/* listdir, open, nested import, its open; not the other thread, not load() */
	assert_int_equal(fold.n_hidden, 4);
	assert_int_equal(fold.last, ROW_NESTED_OPEN);
	assert_int_equal(fold.span_ns, 40);
	static const bool hidden[] = { 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0 };
	for (uint64_t i = 0; i < ARRAY_LEN(hidden); i++)
		assert_int_equal(selection_has(folds_hidden(f), i), hidden[i]);
	assert_true(folds_find_member(f, ROW_NESTED, &fold));
	assert_int_equal(fold.head, ROW_IMPORT);
	assert_true(folds_find(f, 8, &fold));
	assert_int_equal(fold.kind, FOLD_EQUAL);
	assert_int_equal(fold.n_hidden, 3);
	assert_false(folds_find(f, ROW_USER, &fold));
	assert_int_equal(folds_n(f), 2);
	folds_open(f, ROW_IMPORT, true);
	assert_true(folds_is_open(f, ROW_IMPORT));
	for (uint64_t i = 0; i < 8; i++)
		assert_false(selection_has(folds_hidden(f), i));
	assert_true(selection_has(folds_hidden(f), 9));
	folds_open(f, ROW_IMPORT, false);
	for (uint64_t i = 0; i < ARRAY_LEN(hidden); i++)
		assert_int_equal(selection_has(folds_hidden(f), i), hidden[i]);
	folds_destroy(f);

	/* what is shown are opens only: no head, no fold */
	struct selection *opens;
	must(selection_create(trace_n_events(trace), false, &opens));
	selection_set(opens, ROW_OPEN, true);
	selection_set(opens, ROW_NESTED_OPEN, true);
	must(folds_create(trace, &f));
	must(folds_update(f, opens, UINT64_MAX, &done));
	assert_int_equal(folds_n(f), 0);
	folds_destroy(f);
	selection_destroy(opens);
}

static void relating(void **state)
{
	assert_int_equal(relation_cause(trace, ROW_OPEN), ROW_IMPORT);
	assert_int_equal(relation_cause(trace, ROW_NESTED_OPEN), ROW_NESTED);
	assert_int_equal(relation_cause(trace, ROW_NESTED), ROW_IMPORT);
	assert_int_equal(relation_cause(trace, ROW_IMPORT), SELECTION_NONE);
	assert_int_equal(relation_cause(trace, ROW_OTHER_THREAD), SELECTION_NONE);
	assert_int_equal(relation_cause(trace, 14), 13);
}

static void firsts(void **state)
{
	struct first_seen *f;
	double done;
	must(first_seen_create(trace, &f));
	must(first_seen_update(f, UINT64_MAX, &done));
	struct selection *rows = first_seen_rows(f);
	/* the repeated chmods are not first, nor is the second file with another temporary name */
	static const bool expected[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1 };
	for (uint64_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(selection_has(rows, i), expected[i]);
	first_seen_destroy(f);
	static const struct {
		const char *from, *to;
	} texts[] = { { "/tmp/tmpab12cd34/order-7.txt", "/tmp/tmp*/order-#.txt" },
		      { "/tmp/shop-ltrw6yqw/order-12.txt", "/tmp/shop-*/order-#.txt" },
		      { "<object at 0x7f5c0bfff6c0>", "<object at #>" },
		      { "/srv/database/settings.json", "/srv/database/settings.json" },
		      { "10.0.0.7:5432", "#.#.#.#:#" },
		      { "", "" },
		      { "0x", "#x" } };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char out[64] = { 0 };
		size_t n = relation_text_normalise(texts[i].from, strlen(texts[i].from), out);
		out[n] = 0;
		assert_string_equal(out, texts[i].to);
	}
	trace_close(trace);
}

/* In slices, on a growing file: the same folds and firsts as in one run at the end. */
static void in_slices(void **state)
{
	struct writer *w = test_writer(path);
	struct trace *t;
	struct trace_change change;
	struct folds *f, *f_whole;
	struct first_seen *s, *s_whole;
	double done;
	must(writer_flush(w));
	must(trace_open(path, NULL, &t));
	must(folds_create(t, &f));
	must(first_seen_create(t, &s));
	for (int i = 0; i < 9; i++) {
		write_random(w, 3000, (uint64_t)i % 4, 0);
		must(writer_flush(w));
		must(trace_refresh(t, &change));
		do {
			must(folds_update(f, NULL, 1, &done));
		} while (done < 1);
		do {
			must(first_seen_update(s, 1, &done));
		} while (done < 1);
	}
	must(writer_close(w));
	must(folds_create(t, &f_whole));
	must(folds_update(f_whole, NULL, UINT64_MAX, &done));
	must(first_seen_create(t, &s_whole));
	must(first_seen_update(s_whole, UINT64_MAX, &done));
	for (uint64_t i = 0; i < trace_n_events(t); i++) {
		assert_int_equal(selection_has(folds_hidden(f), i),
				 selection_has(folds_hidden(f_whole), i));
		assert_int_equal(selection_has(first_seen_rows(s), i),
				 selection_has(first_seen_rows(s_whole), i));
	}
	assert_true(selection_count(first_seen_rows(s)) > 0);
	folds_destroy(f);
	folds_destroy(f_whole);
	first_seen_destroy(s);
	first_seen_destroy(s_whole);
	trace_close(t);
}

/* The latest process with the parent's pid, on its host, before this one; by a loop over all. */
static uint32_t parent_by_loop(struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);
	for (uint32_t i = process; p->ppid && i-- > 0;)
		if (trace_process(t, i)->pid == p->ppid)
			return i;
	return UINT32_MAX;
}

/* Pids are few, so they are reused; records are also written anew, and the file grows. */
static void parents(void **state)
{
	struct writer *w = test_writer(path);
	struct trace *t;
	struct trace_change change;
	uint64_t random = 7;
	uint32_t n_known = 0;
	must(writer_flush(w));
	must(trace_open(path, NULL, &t));
	for (int round = 0; round < 40; round++) {
		struct process_info p = { .exit_status = -1 };
		for (int i = 0; i < 9; i++) {
			uint64_t r = test_random(&random);
			p.pid = p.ns_pid = 1 + (uint32_t)(r % 50);
			p.ppid = (uint32_t)(r >> 32) % 50;
			writer_process(w, &p);
		}
		writer_process_update(w, (uint32_t)round, &p);
		must(writer_flush(w));
		must(trace_refresh(t, &change));
		for (uint32_t i = 0; i < trace_n_processes(t); i++) {
			assert_int_equal(trace_process_parent(t, i), parent_by_loop(t, i));
			n_known += trace_process_parent(t, i) != UINT32_MAX;
		}
	}
	assert_true(n_known > 1000);
	assert_int_equal(trace_process_parent(t, trace_n_processes(t)), UINT32_MAX);
	must(writer_close(w));
	trace_close(t);
}

int main(void)
{
	test_path(path, sizeof(path), "model");
	const struct CMUnitTest random_tests[] = {
		cmocka_unit_test(groups), cmocka_unit_test(tallies), cmocka_unit_test(histograms),
		cmocka_unit_test(call_trees), cmocka_unit_test(call_trees_in_slices)
	};
	const struct CMUnitTest tests[] = { cmocka_unit_test(folding), cmocka_unit_test(relating),
					    cmocka_unit_test(firsts), cmocka_unit_test(in_slices),
					    cmocka_unit_test(parents) };
	int failed = cmocka_run_group_tests(random_tests, random_open, random_close);
	failed += cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
