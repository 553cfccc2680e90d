/*
 * audit_scan_aarch64: see audit_scan.h. Addresses are followed through adrp, add, mov and loads
 * from the GOT: without the value of the base register, a store is ambiguous (str x, [entry, #16]).
 * 3.13+ locks in a function of its own (outlined atomics), so there are no locks here.
 */
#include "python/audit_scan_aarch64.h"

#include "python/aarch64_code.h"
#include "python/audit_scan.h"

void audit_scan_aarch64(struct audit_scan *scan, const uint8_t *code, size_t n, uint64_t address)
{
	struct aarch64_follower f = { .mem = scan->symbols->mem };
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint64_t at;
		enum aarch64_kind kind = aarch64_follow(&f, aarch64_insn(code + i), address + i,
							&at);
		uint64_t offset = at - scan->runtime;
		if (!at || at <= scan->runtime || offset >= scan->runtime_bytes || offset % 8 ||
		    offset > UINT32_MAX)
			continue;
		if (kind == AARCH64_STORE)
			audit_candidate_add(&scan->stores, (uint32_t)offset);
		else if (kind == AARCH64_LOAD)
			audit_candidate_add(&scan->loads, (uint32_t)offset);
		else if (kind == AARCH64_ADDRESS)
			audit_candidate_add(&scan->addresses, (uint32_t)offset);
	}
}

void audit_scan_aarch64_callees(struct audit_scan *scan, const uint8_t *code, size_t n,
				uint64_t address)
{
	enum { RET = 0xd65f03c0 };
	struct aarch64_follower f = { .mem = scan->symbols->mem };
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint64_t to;
		uint8_t callee[AUDIT_CALLEE_BYTES];
		if (aarch64_follow(&f, aarch64_insn(code + i), address + i, &to) != AARCH64_CALL ||
		    to < scan->symbols->start || to >= scan->symbols->end ||
		    scan->symbols->end - to < sizeof(callee) ||
		    !mem_read(scan->symbols->mem, RADDR(to), callee, sizeof(callee)))
			continue;
		size_t end = 0;
		while (end < sizeof(callee) && aarch64_insn(callee + end) != RET)
			end += 4;
		audit_scan_aarch64(scan, callee, end, to);
	}
}
