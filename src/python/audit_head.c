/*
 * audit_head: see audit_head.h.
 *
 * The offset differs between micro versions (3.13.0: 10424, 3.13.15: 10448), so it is read from the
 * code that appends to the list. CPython v3.8.0 … v3.15.0 Python/sysmodule.c, PySys_AddAuditHook:
 *
 *     if (runtime->audit_hooks.head == NULL) runtime->audit_hooks.head = entry; else …
 *
 * The code is scanned for these patterns, in this order (audit_scan.h: one scanner per CPU):
 *   1. a 64-bit store into _PyRuntime;
 *   2. clang: the address of head is computed and head is read;
 *   3. 3.13+: the lock of the list is right before it (struct { PyMutex mutex; head }, 8 bytes
 *      before head);
 *   4. the same in the functions that it calls directly (-Og keeps add_audit_hook_entry_unlocked
 *      as a function).
 * A false hit would have to be 8-aligned and inside _PyRuntime, and it makes the result ambiguous,
 * so it is never wrong unnoticed.
 */
#include "python/audit_head.h"

#include <elf.h>

#include "base/attr.h"
#include "python/audit_scan.h"
#include "python/audit_scan_aarch64.h"
#include "python/audit_scan_x86_64.h"
#include "python/hook_list.h"

#define CODE_MAX 4096

static const struct audit_scanner scanners[] = {
	{ EM_X86_64, audit_scan_x86_64, audit_scan_x86_64_callees },
	{ EM_AARCH64, audit_scan_aarch64, audit_scan_aarch64_callees },
};

static bool candidate_has(const struct audit_candidates *c, uint32_t offset)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == offset)
			return true;
	return false;
}

/* Choose between several candidates: the expected one, if it is among them. */
static uint32_t pick(const struct audit_candidates *c, uint32_t expected)
{
	if (c->n == 1)
		return c->v[0];
	return expected && candidate_has(c, expected) ? expected : 0;
}

static struct audit_head decide(const struct audit_scan *scan, uint32_t expected)
{
	uint32_t lock = pick(&scan->locks, expected), store = pick(&scan->stores, expected);
	if (lock && candidate_has(&scan->stores, lock))
		return (struct audit_head){ lock, "store and lock in PySys_AddAuditHook" };
	if (lock && !scan->stores.n)
		return (struct audit_head){ lock, "lock in PySys_AddAuditHook" };
	if (lock && store)
		return (struct audit_head){ 0, "store and lock in PySys_AddAuditHook disagree" };
	if (store)
		return (struct audit_head){ store, "store in PySys_AddAuditHook" };
	if (scan->stores.n)
		return (struct audit_head){ 0, "several stores in PySys_AddAuditHook" };
	struct audit_candidates both = { 0 };
	for (unsigned i = 0; i < scan->addresses.n; i++)
		if (candidate_has(&scan->loads, scan->addresses.v[i]))
			audit_candidate_add(&both, scan->addresses.v[i]);
	uint32_t address = pick(&both, expected);
	if (address)
		return (struct audit_head){ address, "load and address in PySys_AddAuditHook" };
	return (struct audit_head){ 0, "no store into _PyRuntime in PySys_AddAuditHook" };
}

struct audit_head audit_head_decode(const struct elf_symbols *s, const struct elf_found *function,
				    const struct elf_found *runtime, uint32_t expected)
{
	uint8_t code[CODE_MAX];
	size_t n = function->size && function->size < sizeof(code) ? (size_t)function->size
								   : sizeof(code);
	const struct audit_scanner *scanner = NULL;
	for (size_t i = 0; i < ARRAY_LEN(scanners); i++)
		if (scanners[i].e_machine == s->e_machine)
			scanner = &scanners[i];
	if (!scanner)
		return (struct audit_head){ 0, "PySys_AddAuditHook is code of an unknown CPU" };
	struct audit_scan scan = { .symbols = s,
				   .runtime = runtime->address,
				   .runtime_bytes = runtime->size };
	if (function->address >= s->end || n > s->end - function->address)
		return (struct audit_head){ 0, "PySys_AddAuditHook is cut off" };
	if (!mem_read(s->mem, RADDR(function->address), code, n))
		return (struct audit_head){ 0, "PySys_AddAuditHook cannot be read" };
	scanner->scan(&scan, code, n, function->address);
	struct audit_head found = decide(&scan, expected);
	if (found.offset || scan.stores.n)
		return found;
	struct audit_scan deeper = { .symbols = s,
				     .runtime = runtime->address,
				     .runtime_bytes = runtime->size };
	scanner->scan_callees(&deeper, code, n, function->address);
	uint32_t store = pick(&deeper.stores, expected);
	if (store)
		return (struct audit_head){ store, "store in a function PySys_AddAuditHook calls" };
	return found;
}

bool audit_head_is_sane(const struct mem_reader *mem, uint64_t head)
{
	enum { ENTRIES_MAX = 1000 };
	struct hook_walk w = hook_walk_begin(mem, RADDR(head), ENTRIES_MAX);
	struct hook_entry entry;
	enum hook_step step;
	uint8_t code;
	while ((step = hook_walk_next(&w)) == HOOK_ENTRY)
		if (w.entry.v % 8 || !mem_read(mem, w.entry, &entry, sizeof(entry)) || !entry.fn ||
		    !mem_read(mem, RADDR(entry.fn), &code, 1))
			return false;
	return step == HOOK_END;
}
