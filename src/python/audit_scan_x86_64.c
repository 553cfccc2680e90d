/*
 * audit_scan_x86_64: see audit_scan.h. The patterns, from any compiler seen:
 *
 *   store     REX.W 89 /r with disp32 off a base register (shared libraries, where the register
 *             holds &_PyRuntime), rip-relative, or absolute disp32 (programs)
 *   address   REX.W 8D, and load: REX.W 8B, with the same operands
 *   lock      lock cmpxchg byte (F0 0F B0 /r)
 *
 * Bytes are scanned without decoding instructions.
 */
#include "python/audit_scan_x86_64.h"

#include <string.h>

#include "python/audit_scan.h"

/* Decode the memory operand whose ModRM byte is code[at], of an instruction that ends with the
 * operand. `rex` 0: none. True if the operand is [base + disp32], rip-relative or absolute and lies
 * in _PyRuntime. */
static bool operand_offset(const struct audit_scan *scan, const uint8_t *code, size_t n, size_t at,
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

void audit_scan_x86_64(struct audit_scan *scan, const uint8_t *code, size_t n, uint64_t address)
{
	uint32_t offset;
	for (size_t i = 0; i + 7 <= n; i++) {
		if ((code[i] & 0xf8) == 0x48 &&
		    operand_offset(scan, code, n, i + 2, address, code[i], &offset) &&
		    offset % 8 == 0) {
			if (code[i + 1] == 0x89)
				audit_candidate_add(&scan->stores, offset);
			else if (code[i + 1] == 0x8b)
				audit_candidate_add(&scan->loads, offset);
			else if (code[i + 1] == 0x8d)
				audit_candidate_add(&scan->addresses, offset);
		}
		if (code[i] == 0xf0) {
			uint8_t rex = (code[i + 1] & 0xf0) == 0x40 ? code[i + 1] : 0;
			size_t op = i + 1 + (rex != 0);
			if (op + 3 <= n && code[op] == 0x0f && code[op + 1] == 0xb0 &&
			    operand_offset(scan, code, n, op + 2, address, rex, &offset) &&
			    offset % 8 == 0)
				audit_candidate_add(&scan->locks, offset + 8);
		}
	}
}

void audit_scan_x86_64_callees(struct audit_scan *scan, const uint8_t *code, size_t n,
			       uint64_t address)
{
	for (size_t i = 0; i + 5 <= n; i++) {
		int32_t rel;
		memcpy(&rel, code + i + 1, 4);
		uint64_t to = address + i + 5 + (uint64_t)(int64_t)rel;
		uint8_t callee[AUDIT_CALLEE_BYTES];
		if (code[i] != 0xe8 || to < scan->symbols->start || to >= scan->symbols->end ||
		    scan->symbols->end - to < sizeof(callee) ||
		    !mem_read(scan->symbols->mem, RADDR(to), callee, sizeof(callee)))
			continue;
		/* The function ends with a return that is followed by padding or by the next
		 * function's first bytes. */
		size_t end = 0;
		while (end < sizeof(callee) && callee[end] != 0xc3)
			end++;
		audit_scan_x86_64(scan, callee, end, to);
	}
}
