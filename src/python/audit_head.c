/*
 * audit_head: see audit_head.h.
 *
 * The offset differs between micro versions (3.13.0: 10424, 3.13.15: 10448), so it is read from the
 * code that appends to the list. CPython v3.8.0 … v3.15.0 Python/sysmodule.c, PySys_AddAuditHook:
 *
 *     if (runtime->audit_hooks.head == NULL) runtime->audit_hooks.head = entry; else …
 *
 * The scan looks for these patterns, in this order (x86-64, any compiler seen):
 *   1. a 64-bit store into _PyRuntime: REX.W 89 /r with disp32 off a base register (shared
 *      libraries, where the register holds &_PyRuntime), rip-relative, or absolute disp32
 *      (programs);
 *   2. clang: the address of head is computed and head is read: REX.W 8D and REX.W 8B with the
 *      same displacement;
 *   3. 3.13+: the lock of the list is right before it (struct { PyMutex mutex; head }, 8 bytes
 *      before head): lock cmpxchg byte (F0 0F B0 /r);
 *   4. the same in the functions that it calls directly (-Og keeps add_audit_hook_entry_unlocked
 *      as a function).
 * Bytes are scanned without decoding instructions. A false hit would have to be 8-aligned and
 * inside _PyRuntime, and it makes the result ambiguous, so it is never wrong unnoticed.
 */
#include "python/audit_head.h"

#include <string.h>

#include "python/hook_list.h"

#define CODE_MAX       4096
#define CALLEE_BYTES   400u
#define CANDIDATES_MAX 16

struct candidates {
	uint32_t v[CANDIDATES_MAX];
	unsigned n;
};

struct scan {
	const struct elf_symbols *symbols;
	uint64_t runtime, runtime_bytes;
	struct candidates stores, loads, addresses, locks;
};

static void candidate_add(struct candidates *c, uint32_t offset)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == offset)
			return;
	if (c->n < CANDIDATES_MAX)
		c->v[c->n++] = offset;
}

static bool candidate_has(const struct candidates *c, uint32_t offset)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == offset)
			return true;
	return false;
}

/* Decode the memory operand whose ModRM byte is code[at], of an instruction that ends with the
 * operand. `rex` 0: none. True if the operand is [base + disp32], rip-relative or absolute and lies
 * in _PyRuntime. */
static bool operand_offset(const struct scan *scan, const uint8_t *code, size_t n, size_t at,
			   uint64_t address, uint8_t rex, uint32_t *ret)
{
	if (at + 5 > n)
		return false;
	uint8_t mod = code[at] >> 6, rm = code[at] & 7;
	int32_t disp;
	uint64_t offset;
	if (mod == 0 && rm == 5) {
		memcpy(&disp, code + at + 1, 4);
		offset = address + at + 5 + (uint64_t)(int64_t)disp - scan->runtime;
	} else if (mod == 0 && rm == 4) {
		if (at + 6 > n || code[at + 1] != 0x25)
			return false;
		memcpy(&disp, code + at + 2, 4);
		offset = (uint64_t)(int64_t)disp - scan->runtime;
	} else if (mod == 2 && rm == 4) {
		/* As a base, r12 needs a SIB byte; without REX.B it is rsp, the stack. */
		if (at + 6 > n || code[at + 1] != 0x24 || !(rex & 1))
			return false;
		memcpy(&disp, code + at + 2, 4);
		offset = (uint64_t)(int64_t)disp;
	} else if (mod == 2) {
		memcpy(&disp, code + at + 1, 4);
		offset = (uint64_t)(int64_t)disp;
	} else {
		return false;
	}
	if (offset == 0 || offset >= scan->runtime_bytes || offset > UINT32_MAX)
		return false;
	*ret = (uint32_t)offset;
	return true;
}

static void scan_code(struct scan *scan, const uint8_t *code, size_t n, uint64_t address)
{
	uint32_t offset;
	for (size_t i = 0; i + 7 <= n; i++) {
		if ((code[i] & 0xf8) == 0x48 &&
		    operand_offset(scan, code, n, i + 2, address, code[i], &offset) &&
		    offset % 8 == 0) {
			if (code[i + 1] == 0x89)
				candidate_add(&scan->stores, offset);
			else if (code[i + 1] == 0x8b)
				candidate_add(&scan->loads, offset);
			else if (code[i + 1] == 0x8d)
				candidate_add(&scan->addresses, offset);
		}
		if (code[i] == 0xf0) {
			uint8_t rex = (code[i + 1] & 0xf0) == 0x40 ? code[i + 1] : 0;
			size_t op = i + 1 + (rex != 0);
			if (op + 3 <= n && code[op] == 0x0f && code[op + 1] == 0xb0 &&
			    operand_offset(scan, code, n, op + 2, address, rex, &offset) &&
			    offset % 8 == 0)
				candidate_add(&scan->locks, offset + 8);
		}
	}
}

/* Choose between several candidates: the expected one, if it is among them. */
static uint32_t pick(const struct candidates *c, uint32_t expected)
{
	if (c->n == 1)
		return c->v[0];
	return expected && candidate_has(c, expected) ? expected : 0;
}

static struct audit_head decide(const struct scan *scan, uint32_t expected)
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
	struct candidates both = { 0 };
	for (unsigned i = 0; i < scan->addresses.n; i++)
		if (candidate_has(&scan->loads, scan->addresses.v[i]))
			candidate_add(&both, scan->addresses.v[i]);
	uint32_t address = pick(&both, expected);
	if (address)
		return (struct audit_head){ address, "load and address in PySys_AddAuditHook" };
	return (struct audit_head){ 0, "no store into _PyRuntime in PySys_AddAuditHook" };
}

static void scan_callees(struct scan *scan, const uint8_t *code, size_t n, uint64_t address)
{
	for (size_t i = 0; i + 5 <= n; i++) {
		int32_t rel;
		memcpy(&rel, code + i + 1, 4);
		uint64_t to = address + i + 5 + (uint64_t)(int64_t)rel;
		uint8_t callee[CALLEE_BYTES];
		if (code[i] != 0xe8 || to < scan->symbols->start || to >= scan->symbols->end ||
		    scan->symbols->end - to < sizeof(callee) ||
		    !mem_read(scan->symbols->mem, RADDR(to), callee, sizeof(callee)))
			continue;
		/* The function ends with a return that is followed by padding or by the next
		 * function's first bytes. */
		size_t end = 0;
		while (end < sizeof(callee) && callee[end] != 0xc3)
			end++;
		scan_code(scan, callee, end, to);
	}
}

struct audit_head audit_head_decode(const struct elf_symbols *s, const struct elf_found *function,
				    const struct elf_found *runtime, uint32_t expected)
{
	uint8_t code[CODE_MAX];
	size_t n = function->size && function->size < sizeof(code) ? (size_t)function->size
								   : sizeof(code);
	struct scan scan = { .symbols = s,
			     .runtime = runtime->address,
			     .runtime_bytes = runtime->size };
	if (function->address >= s->end || n > s->end - function->address)
		return (struct audit_head){ 0, "PySys_AddAuditHook is cut off" };
	if (!mem_read(s->mem, RADDR(function->address), code, n))
		return (struct audit_head){ 0, "PySys_AddAuditHook cannot be read" };
	scan_code(&scan, code, n, function->address);
	struct audit_head found = decide(&scan, expected);
	if (found.offset || scan.stores.n)
		return found;
	struct scan deeper = { .symbols = s,
			       .runtime = runtime->address,
			       .runtime_bytes = runtime->size };
	scan_callees(&deeper, code, n, function->address);
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
