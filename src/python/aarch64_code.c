/*
 * aarch64_code: see aarch64_code.h.
 */
#include "python/aarch64_code.h"

#include <string.h>

enum { ZERO = 31, CALL_CLOBBERED = 19 /* x0 to x18 */ };

static enum aarch64_kind follow(struct aarch64_follower *f, uint32_t insn, uint64_t pc,
				uint64_t *ret)
{
	uint64_t *reg = f->reg, v;
	uint32_t to = insn & 31, base = insn >> 5 & 31, imm12 = insn >> 10 & 0xfff;
	if ((insn & 0x9f000000) == 0x90000000) { /* adrp */
		uint64_t pages = (uint64_t)aarch64_signed(insn, 5, 19) << 2 | (insn >> 29 & 3);
		reg[to] = (pc & ~0xfffull) + (pages << 12);
		return AARCH64_OTHER;
	}
	if ((insn & 0x9f000000) == 0x10000000) { /* adr */
		reg[to] = *ret = pc + ((uint64_t)aarch64_signed(insn, 5, 19) << 2) +
				 (insn >> 29 & 3);
		return AARCH64_ADDRESS;
	}
	if ((insn & 0xff800000) == 0x91000000) { /* add immediate, 64 bits */
		reg[to] = *ret = reg[base]
				     ? reg[base] + ((uint64_t)imm12 << (insn >> 22 & 1 ? 12 : 0))
				     : 0;
		return AARCH64_ADDRESS;
	}
	if ((insn & 0xffe0ffe0) == 0xaa0003e0) { /* mov */
		reg[to] = reg[insn >> 16 & 31];
		return AARCH64_OTHER;
	}
	if ((insn & 0xffc00000) == 0xf9000000) { /* str x, unsigned offset */
		*ret = reg[base] ? reg[base] + imm12 * 8 : 0;
		return AARCH64_STORE;
	}
	if ((insn & 0xffc00000) == 0xf9400000) { /* ldr x, unsigned offset */
		*ret = reg[base] ? reg[base] + imm12 * 8 : 0;
		reg[to] = *ret && mem_read_u64(f->mem, RADDR(*ret), &v) ? v : 0;
		return AARCH64_LOAD;
	}
	if ((insn & 0xfc000000) == 0x94000000) { /* bl */
		memset(reg, 0, CALL_CLOBBERED * sizeof(reg[0]));
		*ret = pc + ((uint64_t)aarch64_signed(insn, 0, 26) << 2);
		return AARCH64_CALL;
	}
	return AARCH64_OTHER;
}

enum aarch64_kind aarch64_follow(struct aarch64_follower *f, uint32_t insn, uint64_t pc,
				 uint64_t *ret)
{
	*ret = 0;
	enum aarch64_kind kind = follow(f, insn, pc, ret);
	f->reg[ZERO] = 0; /* in these instructions 31 is sp or the zero register */
	return kind;
}
