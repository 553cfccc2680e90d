/*
 * sigframe: see sigframe.h. A handler runs on top of what it interrupted, or on a stack of its own
 * (sigaltstack(2)). In that case the frame is at the end of that stack, and the search continues at
 * the stack that was interrupted.
 */
#include "visit/sigframe.h"

#include <stdlib.h>

#include "arch/arch.h"
#include "system/remote_mem.h"

enum {
	/* a Python handler needs some hundred bytes, and the frame up to 11 KiB (AMX) */
	SCAN_BYTES = 32 * 1024,
	STACKS_MAX = 8,
	PAGE = 4096,
};

/* Read upwards; the stack is mapped up to the end of some page. */
static size_t read_up(struct remote_mem *mem, uint64_t from, uint64_t *words)
{
	size_t n = SCAN_BYTES;
	if (remote_mem_read(mem, RADDR(from), words, n))
		return n / 8;
	for (n = 0; n < SCAN_BYTES;) {
		size_t more = PAGE - (from + n) % PAGE;
		if (more > SCAN_BYTES - n)
			more = SCAN_BYTES - n;
		if (!remote_mem_read(mem, RADDR(from + n), words + n / 8, more))
			break;
		n += more;
	}
	return n / 8;
}

bool sigframe_points_into(struct remote_mem *mem, raddr sp, const struct code_range *code)
{
	uint64_t stacks[STACKS_MAX] = { sp.v & ~7ull };
	uint64_t *words = malloc(SCAN_BYTES);
	unsigned n_stacks = stacks[0] ? 1 : 0;
	bool does = !words; /* unknown */
	for (unsigned i = 0; words && i < n_stacks && !does; i++) {
		size_t n = read_up(mem, stacks[i], words);
		for (size_t at = 0; at + ARCH_SIGFRAME_WORDS <= n && !does; at++) {
			const uint64_t *frame = words + at;
			if (!arch_is_sigframe(frame))
				continue;
			bool is_dead = arch_sigframe_pc(frame) >= code->held_start &&
				       arch_sigframe_pc(frame) < code->held_end;
			for (size_t k = 0; k < ARCH_SIGFRAME_VALUES && !is_dead; k++)
				does |= frame[k] >= code->start && frame[k] < code->end;
			uint64_t below = arch_sigframe_sp(frame) & ~7ull;
			bool is_here = below >= stacks[i] && below < stacks[i] + n * 8;
			if (!is_here && below && n_stacks < STACKS_MAX)
				stacks[n_stacks++] = below;
		}
	}
	free(words);
	return does;
}
