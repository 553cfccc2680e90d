/*
 * hook_list: the list of audit hooks of a runtime, as CPython keeps it in memory.
 *
 * The head is a word in _PyRuntime; each entry begins with the address of the next one. CPython
 * only appends, and frees all entries at its end (v3.8.0 … v3.15.0 Python/sysmodule.c,
 * PySys_AddAuditHook, _PySys_ClearAuditHooks).
 *
 * The target can write all of it, so an address found here is read from the target and used for
 * nothing else, and the number of entries is bounded.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mem_read.h"

/* v3.8.0 Include/internal/pycore_pystate.h, struct _Py_AuditHookEntry, to v3.15.0. */
struct hook_entry {
	uint64_t next, fn, user_data;
};

#define HOOK_LIST_MOST 4096u /* entries; a longer list is taken for one without an end */

enum hook_step {
	HOOK_ENTRY,
	HOOK_END,
	HOOK_UNREADABLE, /* the word at walk.link cannot be read */
	HOOK_TOO_MANY
};

struct hook_walk {
	const struct mem_reader *mem; /* borrowed until the last step */
	raddr link;                   /* of the word that holds the address of the entry */
	raddr entry;                  /* of the entry; not read */
	unsigned n, most;
};
/* `head`: address of the word in _PyRuntime. At most `most` entries. */
struct hook_walk hook_walk_begin(const struct mem_reader *mem, raddr head, unsigned most);
/* Go to the next entry, at first to the first one. Reads one word. */
MUST_CHECK enum hook_step hook_walk_next(struct hook_walk *w);
/* Go to the entry at address `entry`. HOOK_ENTRY: found, and *ret_link is the address of the word
 * that holds it: the head, or the entry before. */
MUST_CHECK enum hook_step hook_list_find(const struct mem_reader *mem, raddr head, raddr entry,
					 raddr *ret_link);
/* Is it the entry of a probe, also of one that is linked lazily? *ret_base: what its user data
 * points at. The target says so: it proves nothing. */
bool hook_is_probe(const struct mem_reader *mem, const struct hook_entry *entry, raddr *ret_base);
