/*
 * aarch64_code: follow addresses through arm64 code, as far as they are constants.
 *
 * An address of a variable is made by adrp and add, or loaded from the module's GOT. The encodings:
 * Arm Architecture Reference Manual for A-profile, DDI 0487, C6.2.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

struct aarch64_follower {
	const struct mem_reader *mem; /* for constants in memory */
	uint64_t reg[32];             /* the address in each register; 0: unknown */
};

enum aarch64_kind {
	AARCH64_OTHER,
	AARCH64_ADDRESS, /* an address has been completed: *ret */
	AARCH64_LOAD,    /* of 8 bytes from *ret */
	AARCH64_STORE,   /* of 8 bytes to *ret */
	AARCH64_CALL,    /* a direct call of *ret */
};

/* Follow one instruction, which is at `pc`. *ret: 0 if it is unknown. A load sets its register to
 * the word that is in memory now. */
enum aarch64_kind aarch64_follow(struct aarch64_follower *f, uint32_t insn, uint64_t pc,
				 uint64_t *ret);

/* The little-endian instruction at these four bytes. */
static inline uint32_t aarch64_insn(const uint8_t *code)
{
	return code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
}

/* The signed number of `bits` bits that begins at bit `low` of the instruction. */
static inline int64_t aarch64_signed(uint32_t insn, unsigned low, unsigned bits)
{
	return (int64_t)((uint64_t)insn << (64 - low - bits)) >> (64 - bits);
}
