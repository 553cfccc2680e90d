/*
 * way_back: see way_back.h.
 */
#include "visit/way_back.h"

#include <string.h>

#include "arch/arch.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/remote_place.h"
#include "visit/remote_target.h"
#include "visit/text_slack.h"

#define BACK_BYTES sizeof(((struct remote_place *)0)->back_before)
_Static_assert(ARCH_BACK_BYTES <= (int)BACK_BYTES, "room for the largest");

extern const size_t stub_blob_bytes; /* made from stub.S of src/arch */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The last dead bytes of the text that `m` maps; 0: too few, or the stub needs them. */
static uint64_t end_of_slack(struct remote_mem *mem, const struct elf_module *module,
			     const struct mapping *m, const struct remote_place *place)
{
	raddr at;
	size_t n;
	if (!m->exec || m->write || m->shared || !m->inode || m->start < module->start.v ||
	    m->start >= module->end.v || !text_slack_find(mem, module, m, &at, &n) ||
	    n < BACK_BYTES)
		return 0;
	uint64_t back = at.v + n - BACK_BYTES, code = place->code.v;
	return back + BACK_BYTES > code && back < code + place->n_bytes ? 0 : back;
}

static bool is_free(const uint8_t *bytes)
{
	static const uint8_t zero[BACK_BYTES];
	return memcmp(bytes, zero, sizeof(zero)) == 0 || arch_is_back_code(bytes);
}

/* The closest one to `pc`. Its module is usually the one that pc is in, which the thread keeps from
 * being unloaded. */
static bool find(struct remote_mem *mem, const struct maps *maps, uint64_t pc,
		 struct remote_place *place)
{
	uint64_t best = ARCH_BACK_REACH;
	bool is_found = false;
	for (size_t i = 0; i < maps->n_modules; i++) {
		for (size_t k = 0; k < maps->n; k++) {
			uint8_t bytes[BACK_BYTES];
			uint64_t back = end_of_slack(mem, &maps->modules[i], &maps->v[k], place);
			if (!back || distance(back, pc) >= best ||
			    !remote_mem_read(mem, RADDR(back), bytes, sizeof(bytes)) ||
			    !is_free(bytes))
				continue;
			best = distance(back, pc);
			place->back = RADDR(back);
			memset(place->back_before, 0, sizeof(place->back_before));
			is_found = true;
		}
	}
	return is_found;
}

struct err *way_back_find(const struct remote_target *t, uint64_t pc)
{
	CLEANUP(maps) struct maps *now = NULL;
	struct err *err = NULL;
	if (!ARCH_BACK_BYTES || (t->maps->n_modules && find(t->mem, t->maps, pc, t->place)))
		return NULL;
	if (!t->maps->n_modules) {
		err = maps_read(t->pid, &now);
		if (!err)
			err = maps_find_modules(now, remote_mem_reader(t->mem));
	}
	if (!err && (!now || !find(t->mem, now, pc, t->place)))
		err = err_create(ERR_UNSUPPORTED,
				 "no module within 128 MiB of where process %d is has unused bytes "
				 "behind its code",
				 (int)t->pid);
	return err;
}

void way_back_find_left(struct remote_mem *mem, const struct maps *maps, const uint8_t *stub,
			size_t n_bytes, struct remote_place *place)
{
	uint64_t left = ARCH_BACK_BYTES ? arch_stub_back_at(stub, n_bytes) : 0;
	for (size_t i = 0; left && i < maps->n_modules; i++) {
		for (size_t k = 0; k < maps->n; k++) {
			uint8_t bytes[BACK_BYTES];
			if (end_of_slack(mem, &maps->modules[i], &maps->v[k], place) != left ||
			    !remote_mem_read(mem, RADDR(left), bytes, sizeof(bytes)) ||
			    !arch_is_back_code(bytes))
				continue;
			place->back = RADDR(left);
			memset(place->back_before, 0, sizeof(place->back_before));
			return;
		}
	}
}

bool way_back_place_holds(const struct remote_place *place, uint64_t at)
{
	return (at >= place->code.v && at < place->code.v + stub_blob_bytes) ||
	       (place->back.v && at >= place->back.v && at < place->back.v + BACK_BYTES);
}
