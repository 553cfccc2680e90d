/*
 * way_back: the last instructions of the stub, where the CPU needs them close to the place to which
 * a thread returns (ARCH_BACK_BYTES in arch.h; on other CPUs nothing here does anything).
 *
 * They are at the end of the dead bytes of a module's text, and belong to a struct remote_place
 * like the stub itself: they are written when a thread is sent into the stub, and cleared with it.
 * The last bytes of the stub hold their address, so a stub that a killed recorder has left leads to
 * them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct arch_regs;
struct maps;
struct remote_mem;
struct remote_place;
struct remote_target;

/* Choose the bytes for a thread that returns to `pc`: place->back and back_before. An earlier
 * choice must have been cleared if it is another. ERR_UNSUPPORTED: no module close to pc has
 * room. */
MUST_CHECK struct err *way_back_find(const struct remote_target *t, uint64_t pc);
/* A stub was left at place->code, of which these are the bytes: find the way back that it names. */
void way_back_find_left(struct remote_mem *mem, const struct maps *maps, const uint8_t *stub,
			size_t n_bytes, struct remote_place *place);
/* Is an address in the place's stub or in its way back? */
bool way_back_place_holds(const struct remote_place *place, uint64_t at);
