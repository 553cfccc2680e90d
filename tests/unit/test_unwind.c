/*
 * test_unwind: walks over a made-up process: an ELF image in a byte array, mapped as "[vdso]" is,
 * so no file is opened. The images that a forked process shares are those of this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "cfi_builder.h"
#include "stacks/evaluator.h"
#include "stacks/symbols.h"
#include "stacks/unwinder.h"
#include "system/remote_mem.h"

#define IMAGE 0x7f0000000000ull
#define CODE  (IMAGE + 0x2000)  /* functions of 0x40 bytes */
#define JIT   0x7e0000000000ull /* executable, no image */
#define STACK 0x7ff000000000ull

enum { PLAIN, FRAME_POINTER, OUTERMOST, SIGNAL, SHRINKING, HARD, SIGNS, N_FUNCTIONS };
static uint64_t function(unsigned k)
{
	return CODE + k * 0x40;
}

struct world {
	struct builder b;
	uint8_t jit[64];
	struct mem_reader mem;
	struct image_store *store;
	struct modules *modules;
	struct unwinder *unwinder;
};

static bool world_read(void *ctx, raddr from, void *to, size_t n)
{
	struct world *w = ctx;
	uint64_t off = from.v - JIT;
	if (from.v >= JIT && off <= sizeof(w->jit) && n <= sizeof(w->jit) - off) {
		memcpy(to, w->jit + off, n);
		return true;
	}
	return builder_read(&w->b, from, to, n);
}

static void build_world(struct world *w)
{
	/* rsp + 8; push rbp, mov rbp, rsp at 4; rip undefined; rsp is the word at rsp + 16, rip
	 * that at rsp + 8; rsp - 8 */
	static const uint8_t plain[] = { 0 },
			     frame_pointer[] = { 0x44, 0x0e, 16, 0x86, 2, 0x0d, 6 },
			     outermost[] = { 7, 16 },
			     signal[] = { 0x0f, 3, 0x77, 16, 0x06, 0x10, 16, 2, 0x77, 8 },
			     shrinking[] = { 0x12, 7, 1 },
			     hard[] = { 0x0f, 4, 0x77, 0, 0x06, 0x06 },
			     /* arm64: a frame of 16 bytes with a signed return address */
	    signs[] = { 0x2d, 0x0e, 16, 0x9d, 2, 0x9e, 1 };
	static const struct {
		const uint8_t *program;
		size_t n;
	} programs[N_FUNCTIONS] = {
		[PLAIN] = { plain, sizeof(plain) },
		[FRAME_POINTER] = { frame_pointer, sizeof(frame_pointer) },
		[OUTERMOST] = { outermost, sizeof(outermost) },
		[SIGNAL] = { signal, sizeof(signal) },
		[SHRINKING] = { shrinking, sizeof(shrinking) },
		[HARD] = { hard, sizeof(hard) },
		[SIGNS] = { signs, sizeof(signs) },
	};
	*w = (struct world){ .b = { .address = IMAGE } };
	build_elf_room(&w->b);
	size_t cie = build_cie(&w->b, false), signal_cie = build_cie(&w->b, true),
	       aarch64_cie = build_cie_aarch64(&w->b), fdes[N_FUNCTIONS];
	uint64_t starts[N_FUNCTIONS];
	for (unsigned k = 0; k < N_FUNCTIONS; k++) {
		starts[k] = function(k);
		fdes[k] = build_fde(&w->b,
				    k == SIGNAL  ? signal_cie
				    : k == SIGNS ? aarch64_cie
						 : cie,
				    function(k), 0x40, programs[k].program, programs[k].n);
	}
	build_u32(&w->b, 0);
	uint64_t hdr = build_header(&w->b, cie, starts, fdes, N_FUNCTIONS, 0x3b);
	uint64_t hdr_bytes = build_address(&w->b) - hdr;
	w->b.n = 0x3000;
	build_elf(&w->b, EM_X86_64, hdr, hdr_bytes);
}

static int setup(void **state)
{
	static const char text[] =
	    "7e0000000000-7e0000001000 rwxp 00000000 00:00 0 \n"
	    "7f0000000000-7f0000003000 r-xp 00000000 00:00 0          [vdso]\n"
	    "7ff000000000-7ff000010000 rw-p 00000000 00:00 0          [stack]\n";
	struct world *w = calloc(1, sizeof(*w));
	struct maps *maps;
	bool came;
	build_world(w);
	w->mem = (struct mem_reader){ .read = world_read, .ctx = w };
	w->store = image_store_create();
	assert_non_null(w->store);
	assert_null(maps_parse(text, sizeof(text) - 1, &maps));
	assert_null(modules_create(0, &w->mem, w->store, &w->modules));
	assert_null(modules_set_maps(w->modules, maps, NULL, &came));
	assert_true(came);
	assert_int_equal(modules_count(w->modules), 1);
	maps_destroy(maps);
	assert_null(unwinder_create(w->modules, &w->unwinder));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	unwinder_destroy(w->unwinder);
	modules_destroy(w->modules);
	image_store_destroy(w->store);
	free(w);
	return 0;
}

struct walk_case {
	const char *name;
	uint64_t pc, rbp;
	bool pc_is_exact;
	uint64_t stack[12];
	size_t n_stack;
	size_t max;
	enum unwind_stop stop;
	uint64_t pcs[8];
	uint64_t sps[8]; /* from STACK */
	size_t n;
};

static void test_walks(void **state)
{
	struct world *w = *state;
	const uint64_t plain = function(PLAIN) + 8, fp = function(FRAME_POINTER) + 8,
		       last = function(OUTERMOST) + 8;
	const uint64_t sig = function(SIGNAL) + 8, first = function(FRAME_POINTER),
		       shrinking = function(SHRINKING) + 8, signs = function(SIGNS) + 8;
	const struct walk_case cases[] = {
		/* clang-format off */
		{ "to the outermost", plain, 0, false, { plain, last }, 2, 64, UNWIND_COMPLETE, { plain, plain, last }, { 0, 8, 16 }, 3 },
		{ "outermost at once", last, 0, false, { 0 }, 1, 64, UNWIND_COMPLETE, { last }, { 0 }, 1 },
		{ "return to 0", plain, 0, false, { plain, 0 }, 2, 64, UNWIND_COMPLETE, { plain, plain }, { 0, 8 }, 2 },
		{ "through a frame pointer", fp, STACK + 16, false, { 1, 2, 0x55, last }, 4, 64, UNWIND_COMPLETE, { fp, last }, { 0, 32 }, 2 },
		{ "frame pointer saved by the inner function", fp, STACK + 8, false, { 0, STACK + 32, fp, 0, 0, last }, 6, 64, UNWIND_COMPLETE, { fp, fp, last }, { 0, 24, 48 }, 3 },
		{ "slice ends", plain, 0, false, { plain, plain }, 2, 64, UNWIND_SLICE, { plain, plain, plain }, { 0, 8, 16 }, 3 },
		{ "no slice", plain, 0, false, { 0 }, 0, 64, UNWIND_SLICE, { plain }, { 0 }, 1 },
		{ "frame pointer beyond the slice", fp, STACK + 4096, false, { 1, 2 }, 2, 64, UNWIND_SLICE, { fp }, { 0 }, 1 },
		{ "frame pointer into nowhere", fp, 8, false, { 1, 2 }, 2, 64, UNWIND_NO_ROW, { fp }, { 0 }, 1 },
		{ "frame pointer below: sp would shrink", fp, STACK - 64, false, { 1, 2 }, 2, 64, UNWIND_NO_ROW, { fp }, { 0 }, 1 },
		{ "a row that does not move sp", shrinking, 0, false, { plain, plain }, 2, 64, UNWIND_NO_ROW, { shrinking }, { 0 }, 1 },
		{ "as many as there is room for", plain, 0, false, { plain, plain, plain, last }, 4, 2, UNWIND_LIMIT, { plain, plain }, { 0, 8 }, 2 },
		{ "unknown pc", plain, 0, false, { 0x1234, last }, 2, 64, UNWIND_NO_ROW, { plain, 0x1234 }, { 0, 8 }, 2 },
		{ "pc in the image, but in no function", plain, 0, false, { IMAGE + 8, last }, 2, 64, UNWIND_NO_ROW, { plain, IMAGE + 8 }, { 0, 8 }, 2 },
		/* The frame above a signal trampoline was interrupted at its very first
		   instruction: pc - 1 is another function's. */
		{ "signal frame", sig, 0, false, { 1, first, STACK + 32, 3, plain, last }, 6, 64, UNWIND_COMPLETE, { sig, first, plain, last }, { 0, 32, 40, 48 }, 4 },
		{ "signed return addresses", signs, 0, false, { 1, 0xa5c3ull << 48 | signs, 2, 0xffffull << 48 | last }, 4, 64, UNWIND_COMPLETE, { signs, signs, last }, { 0, 16, 32 }, 3 },
		{ "signal frame to itself", sig, 0, false, { 1, sig, STACK, 3 }, 4, 64, UNWIND_NO_GROWTH, { sig }, { 0 }, 1 },
		{ "stopped at a first instruction", first, 0, true, { last }, 1, 64, UNWIND_COMPLETE, { first, last }, { 0, 8 }, 2 },
		/* clang-format on */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct walk_case *c = &cases[i];
		struct record_native regs = { .pc = c->pc, .sp = STACK, .fp = c->rbp };
		struct unwind_frame frames[64];
		enum unwind_stop stop;
		/* A copy of exactly its size, so that ASan sees a read beyond it. */
		uint8_t *slice = malloc(c->n_stack * 8 + 1);
		memcpy(slice, c->stack, c->n_stack * 8);
		size_t n = unwinder_walk(w->unwinder, &regs, c->pc_is_exact, slice, c->n_stack * 8,
					 frames, c->max, &stop);
		free(slice);
		if (n != c->n || stop != c->stop)
			fail_msg("%s: %zu frames, %s; expected %zu, %s", c->name, n,
				 unwinder_stop_text(stop), c->n, unwinder_stop_text(c->stop));
		for (size_t k = 0; k < n; k++)
			if (frames[k].pc != c->pcs[k] || frames[k].sp != STACK + c->sps[k])
				fail_msg("%s: frame %zu is %llx at %llx", c->name, k,
					 (unsigned long long)frames[k].pc,
					 (unsigned long long)frames[k].sp);
	}
}

/* What no row can describe is passed to libunwind, which ends there without an error; so does a
 * build without libunwind. */
static void test_too_hard(void **state)
{
	struct world *w = *state;
	struct record_native regs = { .pc = function(HARD) + 8, .sp = STACK };
	struct unwind_frame frames[8];
	enum unwind_stop stop;
	uint64_t stack[4] = { STACK + 16, 0, 0, 0 };
	assert_int_equal(unwinder_walk(w->unwinder, &regs, false, (uint8_t *)stack, sizeof(stack),
				       frames, 8, &stop),
			 1);
	assert_int_not_equal(stop, UNWIND_COMPLETE);
	assert_int_equal(unwinder_counts(w->unwinder)->n_libunwind_steps,
			 unwinder_use_libunwind_only(w->unwinder, false, false) ? 1 : 0);
}

static void test_code_without_tables(void **state)
{
	struct world *w = *state;
	static const uint8_t old_form[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1,
					    0x48, 0x83, 0xc4, 0x08, 0xc3 };
	static const uint8_t new_form[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd1, 0x5d, 0xc3 };
	uint64_t plain = function(PLAIN) + 8, last = function(OUTERMOST) + 8;
	struct record_native regs = { .pc = plain, .sp = STACK };
	struct unwind_frame frames[8];
	enum unwind_stop stop;

	uint64_t trampoline[] = { JIT + 6, 0, last };
	memcpy(w->jit, old_form, sizeof(old_form));
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)trampoline, 24, frames, 8, &stop),
	    3);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[2].pc == last && frames[2].sp == STACK + 24);

	uint64_t with_rbp[] = { JIT + 6, STACK + 32, function(FRAME_POINTER) + 8, 0, 0x77, last };
	memcpy(w->jit, new_form, sizeof(new_form));
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)with_rbp, 48, frames, 8, &stop), 4);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[3].pc == last && frames[3].sp == STACK + 48);
	assert_int_equal(unwinder_counts(w->unwinder)->n_trampolines, 2);

	/* A trampoline whose memory is gone: it is recognised by the evaluator that it called and
	 * by the call before its caller's return address. */
	uint64_t vanished[] = { JIT + 0x106, 0, last };
	struct evaluator evaluator = { .n = 1,
				       .ranges = { { function(PLAIN), function(PLAIN) + 0x40 } } };
	w->b.bytes[last - 5 - IMAGE] = 0xe8;
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)vanished, 24, frames, 8, &stop), 2);
	unwinder_set_evaluator(w->unwinder, &evaluator, false);
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)vanished, 24, frames, 8, &stop), 3);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[2].pc == last && frames[2].sp == STACK + 24);
	/* The same, and its place has other contents by now. */
	uint64_t replaced[] = { JIT + 6, 0, last };
	memset(w->jit, 0xcc, sizeof(new_form));
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)replaced, 24, frames, 8, &stop), 3);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[2].pc == last && frames[2].sp == STACK + 24);
	/* The later form, gone: its caller's frame counts from the frame pointer that it saved. */
	uint64_t framed[] = { JIT + 0x106, STACK + 32, function(FRAME_POINTER) + 8, 0, 0x77, last };
	w->b.bytes[function(FRAME_POINTER) + 8 - 5 - IMAGE] = 0xe8;
	regs.fp = STACK +
		  8; /* of the evaluator's frame, which has no row for it: as it was called */
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)framed, 48, frames, 8, &stop), 4);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[3].pc == last && frames[3].sp == STACK + 48);
	regs.fp = 0;
	w->b.bytes[last - 5 - IMAGE] = 0x90;
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)vanished, 24, frames, 8, &stop), 2);
	assert_int_equal(stop, UNWIND_NO_ROW);

	/* JIT code, mapped or gone, below the evaluator: its return address follows a call, and so
	 * does the one that its row leads to. */
	uint64_t jitted[] = { JIT + 0x300, plain, 3, plain, last, 5, last };
	w->b.bytes[last - 5 - IMAGE] = w->b.bytes[plain - 5 - IMAGE] = 0xe8;
	regs.pc = plain;
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)jitted, 56, frames, 8, &stop), 2);
	unwinder_set_evaluator(w->unwinder, &evaluator, true);
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)jitted, 56, frames, 8, &stop), 4);
	assert_int_equal(stop, UNWIND_COMPLETE);
	assert_true(frames[2].pc == plain && frames[2].sp == STACK + 32 && frames[3].pc == last);
	assert_int_equal(unwinder_counts(w->unwinder)->n_evaluators_found, 1);
	unwinder_set_evaluator(w->unwinder, NULL, false);

	/* Other code: unwound by rbp if that leads to code further out, else the end. */
	uint64_t jit[] = { JIT + 32, 1, 2, 0x99, last };
	regs.fp = STACK + 24;
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)jit, 40, frames, 8, &stop), 3);
	assert_int_equal(stop, UNWIND_COMPLETE);
	regs.fp = STACK + 16; /* the word behind it is no code */
	assert_int_equal(
	    unwinder_walk(w->unwinder, &regs, false, (uint8_t *)jit, 40, frames, 8, &stop), 2);
	assert_int_equal(stop, UNWIND_NO_ROW);
	assert_int_equal(unwinder_counts(w->unwinder)->n_frame_pointers, 1);
}

static void test_names(void **state)
{
	struct world *w = *state;
	struct symbols *s;
	struct symbol_info info;
	uint64_t start, end;
	assert_null(symbols_create(
	    w->modules, &(struct symbols_options){ .debug_folder = "/nonexistent" }, &s));
	assert_true(symbols_resolve(s, function(PLAIN) + 7, function(PLAIN) + 8, &info));
	assert_string_equal(info.function, "[vdso]+0x2000");
	assert_string_equal(info.module, "[vdso]");
	assert_int_equal(info.offset, 8);
	assert_false(info.is_named);
	assert_true(symbols_resolve(s, function(SIGNAL) + 7, function(SIGNAL) + 8, &info));
	assert_string_equal(info.function, "<signal handler called>");
	assert_true(symbols_resolve(s, IMAGE + 16, IMAGE + 16, &info));
	assert_null(info.function);
	assert_false(symbols_resolve(s, JIT + 8, JIT + 8, &info));
	assert_true(symbols_function_range(s, function(HARD) + 63, &start, &end));
	assert_true(start == function(HARD) && end == function(HARD) + 64);
	symbols_destroy(s);
}

static bool nothing_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	(void)ctx, (void)from, (void)to, (void)n_bytes;
	return false;
}

/* A forked process that has ended before anything of it was opened, but its list of mappings: it
 * has the images that are known of its parent, and they outlive the parent's list. */
static void test_images_of_a_fork(void **state)
{
	struct mem_reader gone = { .read = nothing_read };
	struct image_store *store = image_store_create();
	struct modules *parent, *child;
	struct remote_mem *mem;
	struct maps *maps;
	size_t n_shared = 0;
	(void)state;
	assert_null(remote_mem_open(getpid(), &mem));
	assert_null(maps_read(getpid(), &maps));
	assert_null(modules_create(getpid(), remote_mem_reader(mem), store, &parent));
	assert_null(modules_set_maps(parent, maps, NULL, NULL));
	assert_null(modules_create(0, &gone, store, &child));
	assert_null(modules_set_maps(child, maps, NULL, NULL));
	assert_int_equal(modules_count(child), modules_count(parent));
	for (size_t i = 0; i < modules_count(parent); i++)
		module_image(parent, modules_get(parent, i));
	modules_adopt_images(child, parent);
	for (size_t i = 0; i < modules_count(child); i++) {
		struct module *theirs = modules_get(parent, i), *ours = modules_get(child, i);
		if (!theirs->image || theirs->image->fd < 0)
			continue;
		assert_true(ours->tried && ours->image == theirs->image);
		assert_int_equal(ours->bias, theirs->bias);
		n_shared++;
	}
	assert_true(n_shared > 0);
	modules_destroy(parent);
	for (size_t i = 0; i < modules_count(child); i++) {
		struct image *image = modules_get(child, i)->image;
		assert_true(!image || fcntl(image->fd, F_GETFD) >= 0);
	}
	modules_destroy(child);
	maps_destroy(maps);
	remote_mem_close(mem);
	image_store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_hard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_code_without_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test(test_images_of_a_fork),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
