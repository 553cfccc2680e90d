/*
 * test_machine_code: direct jumps, calls and trampolines of each CPU, in the bytes that an
 * assembler made. Every row is tested on every CPU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h>

#include "base/attr.h"
#include "stacks/machine_code.h"

#define AT 0x102250ull /* address of the first byte */

struct insn {
	const char *what;
	uint8_t bytes[8];
	uint8_t n;
	uint64_t jumps_to; /* 0: no direct jump */
	bool calls;
};

static void check(uint16_t e_machine, const struct insn *rows, size_t n_rows)
{
	const struct machine_code *m = machine_code_of(e_machine);
	assert_non_null(m);
	for (size_t i = 0; i < n_rows; i++) {
		const struct insn *row = &rows[i];
		uint8_t before[MACHINE_CALL_BYTES] = { 0 };
		uint64_t to = 0;
		if (m->jump_at(row->bytes, row->n, 0, AT, &to) != (row->jumps_to != 0) ||
		    (row->jumps_to && to != row->jumps_to))
			fail_msg("%s: jump to %llx", row->what, (unsigned long long)to);
		memcpy(before + sizeof(before) - row->n, row->bytes, row->n);
		if (m->ends_with_call(before) != row->calls)
			fail_msg("%s: call is %d", row->what, !row->calls);
		/* A part of an instruction is none. */
		for (size_t n = 0; n < row->n; n++)
			assert_false(n && m->jump_at(row->bytes, n, 0, AT, &to));
	}
}

static void aarch64(void **state)
{
	static const struct insn rows[] = {
		{ "b -80", { 0xec, 0xff, 0xff, 0x17 }, 4, AT - 80, false },
		{ "b.ne -84", { 0x61, 0xfd, 0xff, 0x54 }, 4, AT - 84, false },
		{ "cbz x0, -8", { 0xc0, 0xff, 0xff, 0xb4 }, 4, AT - 8, false },
		{ "cbnz w1, -12", { 0xa1, 0xff, 0xff, 0x35 }, 4, AT - 12, false },
		{ "tbz x2, #40, -16", { 0x82, 0xff, 0x47, 0xb6 }, 4, AT - 16, false },
		/* the largest steps that it can make */
		{ "tbnz w2, #3, +", { 0xe2, 0xff, 0x1b, 0x37 }, 4, AT + 0x1fff * 4, false },
		{ "tbnz w2, #3, -", { 0x02, 0x00, 0x1c, 0x37 }, 4, AT - 0x2000 * 4, false },
		{ "bl", { 0xe6, 0xff, 0xff, 0x97 }, 4, 0, true },
		{ "blr x3", { 0x60, 0x00, 0x3f, 0xd6 }, 4, 0, true },
		{ "blraa x3, x4", { 0x64, 0x08, 0x3f, 0xd7 }, 4, 0, true },
		{ "blraaz x3", { 0x7f, 0x08, 0x3f, 0xd6 }, 4, 0, true },
		{ "br x3", { 0x60, 0x00, 0x1f, 0xd6 }, 4, 0, false },
		{ "ret", { 0xc0, 0x03, 0x5f, 0xd6 }, 4, 0, false },
		{ "nop", { 0x1f, 0x20, 0x03, 0xd5 }, 4, 0, false },
	};
	check(EM_AARCH64, rows, ARRAY_LEN(rows));
	/* An instruction begins at a multiple of four. */
	uint64_t to;
	const uint8_t shifted[] = { 0, 0xec, 0xff, 0xff, 0x17, 0, 0, 0 };
	assert_false(machine_code_of(EM_AARCH64)->jump_at(shifted, sizeof(shifted), 1, AT, &to));
}

static void x86_64(void **state)
{
	static const struct insn rows[] = {
		{ "jmp +0x100", { 0xe9, 0xfb, 0x00, 0x00, 0x00 }, 5, AT + 0x100, false },
		{ "jne -2", { 0x0f, 0x85, 0xf8, 0xff, 0xff, 0xff }, 6, AT - 2, false },
		{ "call", { 0xe8, 0, 0, 0, 0 }, 5, 0, true },
		{ "call *%rax", { 0xff, 0xd0 }, 2, 0, true },
		{ "call *8(%rbx)", { 0xff, 0x53, 0x08 }, 3, 0, true },
		{ "jmp *%rax", { 0xff, 0xe0 }, 2, 0, false },
		{ "ret", { 0xc3 }, 1, 0, false },
	};
	check(EM_X86_64, rows, ARRAY_LEN(rows));
}

static void trampolines(void **state)
{
	static const uint8_t pad[] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 },
			     frame[] = { 0x5d, 0xc3, 0, 0, 0 },
			     aarch64_frame[] = { 0xfd, 0x7b, 0xc1, 0xa8, 0xc0 },
			     other[] = { 0x90, 0x90, 0x90, 0x90, 0x90 };
	assert_int_equal(machine_trampoline_behind_call(pad), MACHINE_TRAMPOLINE_PAD);
	assert_int_equal(machine_trampoline_behind_call(frame), MACHINE_TRAMPOLINE_FRAME);
	assert_int_equal(machine_trampoline_behind_call(aarch64_frame), MACHINE_TRAMPOLINE_FRAME);
	assert_int_equal(machine_trampoline_behind_call(other), MACHINE_NO_TRAMPOLINE);
	assert_null(machine_code_of(EM_386));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aarch64),
		cmocka_unit_test(x86_64),
		cmocka_unit_test(trampolines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
