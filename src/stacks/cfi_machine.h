/*
 * cfi_machine: what the register numbers of call frame information mean on each CPU.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The columns of `struct cfi_row`: the registers that a call preserves, stack pointer and pc. What
 * they are on each CPU: cfi_machines[] in cfi_machine.c. CFI_S0 … are the registers of
 * record_native.saved, in that order. */
enum cfi_reg {
	CFI_S0,
	CFI_S1,
	CFI_S2,
	CFI_S3,
	CFI_S4,
	CFI_S5,
	CFI_S6,
	CFI_S7,
	CFI_S8,
	CFI_S9,
	CFI_FP,
	CFI_SP,
	CFI_PC,
	CFI_REG_COUNT
};

/* What the numbers of a CIE mean on one CPU. */
struct cfi_machine {
	uint16_t e_machine;     /* of the ELF header */
	uint8_t return_address; /* the DWARF register that a CIE names as the return address */
	/* at the start of a function, the return address is in that register, not on the stack */
	bool return_address_in_register;
	uint8_t pc_bits; /* as in struct cfi_row */
	uint8_t n_columns;
	const int8_t *columns; /* DWARF register → enum cfi_reg, or -1: a call may change it */
	/* an operation that says whether the return address is signed from here on; 0: none */
	uint8_t sign_op;
};
/* NULL: no row for this CPU */
const struct cfi_machine *cfi_machine_of(uint16_t e_machine);
const struct cfi_machine *cfi_machine_of_return_address(uint64_t dwarf_register);

/* The column of a register, or -1. */
static inline int cfi_machine_column(const struct cfi_machine *machine, uint64_t dwarf_register)
{
	return dwarf_register < machine->n_columns ? machine->columns[dwarf_register] : -1;
}
