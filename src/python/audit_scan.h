/*
 * audit_scan: search the code of PySys_AddAuditHook for offsets in _PyRuntime: see audit_head.c.
 * There is one scanner per CPU. All of them are built on every CPU, because they only read bytes.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "python/elf_symbols.h"

#define AUDIT_CANDIDATES_MAX 16
/* how much of a function that PySys_AddAuditHook calls is scanned */
#define AUDIT_CALLEE_BYTES 400u

/* Different offsets in _PyRuntime. */
struct audit_candidates {
	uint32_t v[AUDIT_CANDIDATES_MAX];
	unsigned n;
};
static inline void audit_candidate_add(struct audit_candidates *c, uint32_t offset)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == offset)
			return;
	if (c->n < AUDIT_CANDIDATES_MAX)
		c->v[c->n++] = offset;
}

struct audit_scan {
	const struct elf_symbols *symbols;
	uint64_t runtime, runtime_bytes; /* address and size of _PyRuntime */
	/* offsets that 8 bytes are stored to or loaded from, that are computed, and that are 8
	 * bytes behind a lock */
	struct audit_candidates stores, loads, addresses, locks;
};

struct audit_scanner {
	uint16_t e_machine;
	/* Add what n bytes of code at `address` do to the candidates. */
	void (*scan)(struct audit_scan *scan, const uint8_t *code, size_t n, uint64_t address);
	/* The same for the functions that this code calls. */
	void (*scan_callees)(struct audit_scan *scan, const uint8_t *code, size_t n,
			     uint64_t address);
};
