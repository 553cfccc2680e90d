/*
 * machine_code: see machine_code.h.
 *
 * x86-64: instructions are not decoded. Every byte that could start a direct jump (e9, 0f 80 … 0f
 * 8f, with 32-bit displacement) is taken for one, and so are calls (Intel SDM 2: e8 rel32; ff /2
 * with 2 to 7 bytes).
 * arm64: b, b.cond, cbz, cbnz, tbz, tbnz; bl, blr, and the blraa family that checks a signature
 * (Arm Architecture Reference Manual for A-profile, DDI 0487, C6.2).
 */
#include "stacks/machine_code.h"

#include <elf.h>
#include <string.h>

#include "base/attr.h"
#include "python/aarch64_code.h"

static bool x86_64_jump_at(const uint8_t *code, size_t n, size_t i, uint64_t address,
			   uint64_t *ret_to)
{
	size_t op = code[i] == 0xe9                                                ? 1
		    : code[i] == 0x0f && n - i > 1 && (code[i + 1] & 0xf0) == 0x80 ? 2
										   : 0;
	int32_t displacement;
	if (!op || n - i < op + sizeof(displacement))
		return false;
	memcpy(&displacement, code + i + op, sizeof(displacement));
	*ret_to = address + i + op + sizeof(displacement) + (uint64_t)(int64_t)displacement;
	return true;
}

static bool x86_64_ends_with_call(const uint8_t *code)
{
	if (code[2] == 0xe8)
		return true;
	for (unsigned n = 2; n <= 7; n++)
		if (code[7 - n] == 0xff && (code[7 - n + 1] & 0x38) == 0x10)
			return true;
	return false;
}

static bool aarch64_jump_at(const uint8_t *code, size_t n, size_t i, uint64_t address,
			    uint64_t *ret_to)
{
	int64_t words;
	if (i % 4 || n - i < 4)
		return false;
	uint32_t insn = aarch64_insn(code + i);
	if ((insn & 0xfc000000) == 0x14000000) /* b */
		words = aarch64_signed(insn, 0, 26);
	else if ((insn & 0xff000010) == 0x54000000 || (insn & 0x7e000000) == 0x34000000)
		words = aarch64_signed(insn, 5, 19); /* b.cond, cbz, cbnz */
	else if ((insn & 0x7e000000) == 0x36000000)
		words = aarch64_signed(insn, 5, 14); /* tbz, tbnz */
	else
		return false;
	*ret_to = address + i + ((uint64_t)words << 2);
	return true;
}

static bool aarch64_ends_with_call(const uint8_t *code)
{
	uint32_t insn = aarch64_insn(code + MACHINE_CALL_BYTES - 4);
	return (insn & 0xfc000000) == 0x94000000 || /* bl */
	       (insn & 0xfffffc1f) == 0xd63f0000 || /* blr */
	       (insn & 0xfefff800) == 0xd63f0800;   /* blraa, blrab, blraaz, blrabz */
}

static const struct machine_code machines[] = {
	{ EM_X86_64, 1, x86_64_jump_at, x86_64_ends_with_call },
	{ EM_AARCH64, 4, aarch64_jump_at, aarch64_ends_with_call },
};

const struct machine_code *machine_code_of(uint16_t e_machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].e_machine == e_machine)
			return &machines[i];
	return NULL;
}

/*
 * CPython v3.12.0 … v3.14.0 Python/asm_trampoline.S: for every code object this code is copied into
 * anonymous memory:
 *
 *     3.12 x86-64: sub $8,%rsp; call *%rcx; add $8,%rsp; ret
 *     3.13 x86-64: push %rbp; mov %rsp,%rbp; call *%rcx; pop %rbp; ret
 *     arm64:       stp x29, x30, [sp, -16]!; mov x29, sp; blr x3; ldp x29, x30, [sp], 16; ret
 */
enum machine_trampoline machine_trampoline_behind_call(const uint8_t *code)
{
	static const struct {
		uint8_t n_bytes, bytes[MACHINE_TRAMPOLINE_BYTES];
		enum machine_trampoline is;
	} forms[] = {
		{ 5, { 0x48, 0x83, 0xc4, 0x08, 0xc3 }, MACHINE_TRAMPOLINE_PAD },
		{ 2, { 0x5d, 0xc3 }, MACHINE_TRAMPOLINE_FRAME },
		{ 4, { 0xfd, 0x7b, 0xc1, 0xa8 }, MACHINE_TRAMPOLINE_FRAME },
	};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (memcmp(code, forms[i].bytes, forms[i].n_bytes) == 0)
			return forms[i].is;
	return MACHINE_NO_TRAMPOLINE;
}
