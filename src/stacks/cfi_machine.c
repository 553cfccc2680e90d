/*
 * cfi_machine: see cfi_machine.h.
 *
 * Every row is built on every CPU: call frame information is data, and its tests and fuzzers run
 * everywhere. A CIE names the DWARF register of its return address, which differs between CPUs, so
 * the row is found without the ELF header.
 */
#include "stacks/cfi_machine.h"

#include <elf.h>
#include <stddef.h>

#include "base/attr.h"

/* System V ABI, AMD64 supplement 1.0, figure 3.36: 3 rbx, 6 rbp, 7 rsp, 12 … 15 r12 … r15, 16 the
 * return address. */
static const int8_t columns_x86_64[] = {
	-1, -1, -1, CFI_S0, -1,     -1,     CFI_FP, CFI_SP, -1,
	-1, -1, -1, CFI_S1, CFI_S2, CFI_S3, CFI_S4, CFI_PC,
};

/* DWARF for the Arm 64-bit Architecture (AADWARF64, 2023Q3), 4.1: 19 … 28 x19 … x28, 29 the frame
 * pointer, 30 the link register, 31 sp. */
static const int8_t columns_aarch64[] = {
	-1,     -1,     -1,     -1,     -1,     -1,     -1,     -1,     -1,     -1,     -1,
	-1,     -1,     -1,     -1,     -1,     -1,     -1,     -1,     CFI_S0, CFI_S1, CFI_S2,
	CFI_S3, CFI_S4, CFI_S5, CFI_S6, CFI_S7, CFI_S8, CFI_S9, CFI_FP, CFI_PC, CFI_SP,
};

static const struct cfi_machine cfi_machines[] = {
	{ .e_machine = EM_X86_64,
	  .return_address = 16,
	  .pc_bits = 64,
	  .columns = columns_x86_64,
	  .n_columns = ARRAY_LEN(columns_x86_64) },
	/* DW_CFA_AARCH64_negate_ra_state. The signature is in the bits above the address: 48 bits,
	 * since the kernel gives a program more only on request (Linux 6.12
	 * Documentation/arch/arm64/memory.rst). */
	{ .e_machine = EM_AARCH64,
	  .return_address = 30,
	  .return_address_in_register = true,
	  .pc_bits = 48,
	  .sign_op = 0x2d,
	  .columns = columns_aarch64,
	  .n_columns = ARRAY_LEN(columns_aarch64) },
};

const struct cfi_machine *cfi_machine_of(uint16_t e_machine)
{
	for (size_t i = 0; i < ARRAY_LEN(cfi_machines); i++)
		if (cfi_machines[i].e_machine == e_machine)
			return &cfi_machines[i];
	return NULL;
}

const struct cfi_machine *cfi_machine_of_return_address(uint64_t dwarf_register)
{
	for (size_t i = 0; i < ARRAY_LEN(cfi_machines); i++)
		if (cfi_machines[i].return_address == dwarf_register)
			return &cfi_machines[i];
	return NULL;
}
