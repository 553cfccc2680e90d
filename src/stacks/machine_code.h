/*
 * machine_code: what must be recognised in code that has no call frame information, or beside it.
 * One row per CPU, found by the e_machine of an ELF header; all rows are built on every CPU.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes before a return address that the longest call takes */
#define MACHINE_CALL_BYTES 7u

struct machine_code {
	uint16_t e_machine;
	uint8_t step; /* code is searched at multiples of this many bytes */
	/* Does a direct jump begin at code[i]? `address` is that of code[0]; *ret: its target. */
	bool (*jump_at)(const uint8_t *code, size_t n, size_t i, uint64_t address, uint64_t *ret);
	/* Does an instruction that ends behind these MACHINE_CALL_BYTES bytes call a function? */
	bool (*ends_with_call)(const uint8_t *code);
};
/* NULL: no row */
const struct machine_code *machine_code_of(uint16_t e_machine);

/* The code behind the call in a trampoline of CPython's perf support shows the form of its
 * frame. */
#define MACHINE_TRAMPOLINE_BYTES 5u
enum machine_trampoline {
	MACHINE_NO_TRAMPOLINE,
	MACHINE_TRAMPOLINE_PAD,   /* 8 unused bytes, then the return address */
	MACHINE_TRAMPOLINE_FRAME, /* the saved frame pointer, then the return address */
};
enum machine_trampoline machine_trampoline_behind_call(const uint8_t *code);
