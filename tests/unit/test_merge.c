/*
 * test_merge: small stacks drawn as text, and the merged ones.
 *
 * Native frames, innermost first: n a C function, E an evaluator, T a tail-call handler, G code of
 * the greenlet module; each owns 0x100 bytes of stack. Anchors: "frame:end". Expected: letters as
 * above for native frames that stay, digits for Python frames, ! a mark that the stack ends, ~
 * another greenlet, ? Python frames without a place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "stacks/merge.h"

struct merge_case {
	const char *name;
	bool has_anchors, python_cut;
	unsigned n_python;
	const char *native;
	const char *anchors;
	enum unwind_stop stop;
	const char *expected;
	uint32_t flags;
};

static const struct merge_case cases[] = {
	{ "3.12: one run", true, false, 2, "nnEn", "2:2", UNWIND_COMPLETE, "nn01n", 0 },
	{ "3.12: runs with C between", true, false, 5, "nEnnEEn", "1:2 4:4 5:5", UNWIND_COMPLETE,
	  "n01nn234n", 0 },
	{ "3.12: an evaluator in an unknown part still has its anchor", true, false, 1, "nnn",
	  "1:1", UNWIND_COMPLETE, "n0n", 0 },
	{ "3.12: a run whose frames are gone stays native", true, false, 1, "nEnEn", "1:0 3:1",
	  UNWIND_COMPLETE, "nEn0n", 0 },
	{ "3.11: event in a destructor, no Python frame left", true, false, 0, "nEn", "1:0",
	  UNWIND_COMPLETE, "nEn", 0 },
	{ "no Python on the stack at all", true, false, 0, "nnn", "", UNWIND_COMPLETE, "nnn", 0 },
	{ "Python frames cut, anchors not", true, true, 2, "nEnEnEn", "1:1 3:2 5:2",
	  UNWIND_COMPLETE, "n0n1nEn", 0 },
	{ "slice ends: the rest comes behind", true, false, 4, "nEnE", "1:1 3:3 9:4", UNWIND_SLICE,
	  "n0n12!3", MERGE_CUT },
	{ "JIT code ends it: the last frame is none of ours", true, false, 3, "nEn", "1:1 4:3",
	  UNWIND_NO_ROW, "n0n!12", MERGE_CUT },
	{ "nothing but one frame", true, false, 2, "n", "2:2", UNWIND_SLICE, "n!01", MERGE_CUT },
	{ "handler folds into its evaluator", true, false, 1, "nTEn", "2:1", UNWIND_COMPLETE, "n0n",
	  0 },
	{ "handler elsewhere stays", true, false, 1, "nTnEn", "3:1", UNWIND_COMPLETE, "nTn0n", 0 },
	{ "greenlet: the rest is somebody else's", true, false, 2, "nEGEn", "1:2", UNWIND_COMPLETE,
	  "n01G~", 0 },
	{ "greenlet: garbage after it", true, false, 2, "nEnGGnn", "1:2", UNWIND_NO_GROWTH,
	  "n01nGG~", 0 },
	{ "greenlet: the slice ends before it is left", true, false, 2, "nEnG", "1:2", UNWIND_SLICE,
	  "n01nG!", MERGE_CUT },
	{ "greenlet module on the stack, but Python goes on", true, false, 2, "nEGEn", "1:1 3:2",
	  UNWIND_COMPLETE, "n0G1n", 0 },
	{ "another interpreter's evaluator further out stays", true, false, 1, "nEnEn", "1:1",
	  UNWIND_COMPLETE, "n0nEn", 0 },
	{ "anchor inside no frame's stack", true, false, 2, "nEn", "-1:1 1:2", UNWIND_COMPLETE,
	  "0n1n", MERGE_UNMERGED },
	{ "anchor beyond the outermost frame counts for it", true, false, 1, "nn", "7:1",
	  UNWIND_COMPLETE, "n0", 0 },
	{ "frames_end beyond the list", true, false, 1, "nEn", "1:9", UNWIND_COMPLETE, "n0n", 0 },
	{ "anchors that go backwards", true, false, 3, "nEnEn", "3:2 1:3", UNWIND_COMPLETE,
	  "nEn012n", MERGE_UNMERGED },
	{ "frames without anchors", true, false, 2, "nnn", "", UNWIND_COMPLETE, "nnn?01",
	  MERGE_UNMERGED },
	{ "3.8: in order", false, false, 3, "nEnEnEn", "", UNWIND_COMPLETE, "n0n1n2n", 0 },
	{ "3.8: more evaluators than frames", false, false, 1, "nEnEn", "", UNWIND_COMPLETE,
	  "n0nEn", 0 },
	{ "3.8: more frames than evaluators", false, false, 3, "nEn", "", UNWIND_COMPLETE, "n0n?12",
	  MERGE_UNMERGED },
	{ "3.8: slice ends", false, false, 3, "nEnE", "", UNWIND_SLICE, "n0n1!2", MERGE_CUT },
	{ "3.8: greenlet", false, false, 1, "nEGE", "", UNWIND_NO_ROW, "n0G~", 0 },
	{ "3.8: evaluator not recognised", false, false, 2, "nnn", "", UNWIND_COMPLETE, "nnn?01",
	  MERGE_UNMERGED },
};

static void run(const struct merge_case *c)
{
	struct unwind_frame native[32];
	uint8_t classes[32];
	struct record_anchor anchors[16];
	struct merge_item items[64];
	struct merge_input in = {
		.has_anchors = c->has_anchors,
		.python_cut = c->python_cut,
		.n_python = c->n_python,
		.anchors = anchors,
		.sp = 0x7000,
		.native = native,
		.classes = classes,
		.n_native = (uint32_t)strlen(c->native),
		.stop = c->stop,
	};
	for (uint32_t i = 0; i < in.n_native; i++) {
		native[i] = (struct unwind_frame){ .pc = 0x400000 + i,
						   .sp = 0x7100 + i * 0x100,
						   .lookup = 0x400000 + i };
		classes[i] = c->native[i] == 'E'   ? MERGE_EVALUATOR
			     : c->native[i] == 'T' ? MERGE_HANDLER
			     : c->native[i] == 'G' ? MERGE_GREENLET
						   : 0;
	}
	int frame, end, used;
	for (const char *p = c->anchors; sscanf(p, "%d:%d%n", &frame, &end, &used) == 2; p += used)
		anchors[in.n_anchors++] = (struct record_anchor){
			(uint32_t)(0x100 + frame * 0x100 + 0x40), (uint32_t)end
		};
	uint32_t flags = 99;
	size_t n = merge_stacks(&in, items, &flags);
	char text[80];
	assert_true(n <= MERGE_MAX_ITEMS(in.n_python, in.n_native));
	for (size_t i = 0; i < n; i++)
		text[i] = items[i].kind == MERGE_PYTHON   ? (char)('0' + items[i].index)
			  : items[i].kind == MERGE_NATIVE ? c->native[items[i].index]
							  : "!~?"[items[i].index];
	text[n] = 0;
	if (strcmp(text, c->expected) != 0 || flags != c->flags)
		fail_msg("%s: \"%s\" flags %u, expected \"%s\" %u", c->name, text, flags,
			 c->expected, c->flags);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run(&cases[i]);
}

static uint32_t random_u32(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/* Whatever the input: every Python frame occurs once and in order, native frames are in order, and
 * there is room for all. */
static void test_anything(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	for (unsigned round = 0; round < 50000; round++) {
		struct unwind_frame native[24];
		uint8_t classes[24];
		struct record_anchor anchors[12];
		struct merge_item items[64];
		struct merge_input in = {
			.has_anchors = random_u32(&seed) & 1,
			.python_cut = random_u32(&seed) & 1,
			.n_python = random_u32(&seed) % 20,
			.anchors = anchors,
			.n_anchors = random_u32(&seed) % 12,
			.sp = 0x7000,
			.native = native,
			.classes = classes,
			.n_native = 1 + random_u32(&seed) % 23,
			.stop = random_u32(&seed) % UNWIND_STOP_COUNT,
		};
		uint64_t sp = in.sp;
		for (uint32_t i = 0; i < in.n_native; i++) {
			native[i] = (struct unwind_frame){ .sp = sp };
			sp += 8 + random_u32(&seed) % 64;
			classes[i] = random_u32(&seed) & random_u32(&seed) & 15;
		}
		for (uint32_t i = 0; i < in.n_anchors; i++)
			anchors[i] = (struct record_anchor){ random_u32(&seed) % 1024,
							     random_u32(&seed) % 24 };
		uint32_t flags, python = 0, next_native = 0;
		size_t n = merge_stacks(&in, items, &flags);
		assert_true(n <= MERGE_MAX_ITEMS(in.n_python, in.n_native));
		for (size_t i = 0; i < n; i++) {
			if (items[i].kind == MERGE_PYTHON) {
				assert_int_equal(items[i].index, python);
				python++;
			} else if (items[i].kind == MERGE_NATIVE) {
				assert_true(items[i].index >= next_native &&
					    items[i].index < in.n_native);
				next_native = items[i].index + 1;
			} else {
				assert_true(items[i].index <= MERGE_MARK_UNPLACED);
			}
		}
		assert_int_equal(python, in.n_python);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
					    cmocka_unit_test(test_anything) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
