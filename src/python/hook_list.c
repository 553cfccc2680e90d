/*
 * hook_list: see hook_list.h.
 */
#include "python/hook_list.h"

#include <stddef.h>

#include "probe/abi.h"

_Static_assert(offsetof(struct hook_entry, next) == 0, "an entry begins with its link");

struct hook_walk hook_walk_begin(const struct mem_reader *mem, raddr head, unsigned most)
{
	return (struct hook_walk){ .mem = mem, .entry = head, .most = most };
}

enum hook_step hook_walk_next(struct hook_walk *w)
{
	uint64_t entry;
	w->link = w->entry;
	if (!mem_read_u64(w->mem, w->link, &entry))
		return HOOK_UNREADABLE;
	if (!entry)
		return HOOK_END;
	if (w->n == w->most)
		return HOOK_TOO_MANY;
	w->n++;
	w->entry = RADDR(entry);
	return HOOK_ENTRY;
}

enum hook_step hook_list_find(const struct mem_reader *mem, raddr head, raddr entry,
			      raddr *ret_link)
{
	struct hook_walk w = hook_walk_begin(mem, head, HOOK_LIST_MOST);
	enum hook_step step;
	while ((step = hook_walk_next(&w)) == HOOK_ENTRY)
		if (w.entry.v == entry.v) {
			*ret_link = w.link;
			break;
		}
	return step;
}

bool hook_is_probe(const struct mem_reader *mem, const struct hook_entry *entry, raddr *ret_base)
{
	uint64_t magic;
	*ret_base = RADDR(entry->user_data & PROBE_BASE_MASK);
	return ret_base->v && mem_read_u64(mem, *ret_base, &magic) && magic == PROBE_MAGIC;
}
