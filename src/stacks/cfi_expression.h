/*
 * cfi_expression: DWARF expressions are not executed but described: an operand is a constant, reg +
 * n, the word at reg + n (plus m), or CFA + n. That covers what compilers, PLTs and signal
 * trampolines contain; anything else is CFI_TOO_HARD.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "stacks/cfi_bytes.h"
#include "stacks/cfi_fde.h"

struct cfi_machine;

struct cfi_operand {
	/* CONST: n; REG: reg + n; WORD: the word at reg + n, + m; CFA: CFA + n */
	enum { CFI_OPERAND_CONST, CFI_OPERAND_REG, CFI_OPERAND_WORD, CFI_OPERAND_CFA } kind;
	uint8_t reg;
	int64_t n, m;
};

/* Describe the value that the expression leaves on its stack. with_cfa: the stack initially holds
 * the CFA. rip: the value of the pc register. */
enum cfi_status cfi_expression_describe(struct bytes b, bool with_cfa,
					const struct cfi_machine *machine, uint64_t rip,
					struct cfi_operand *ret);
