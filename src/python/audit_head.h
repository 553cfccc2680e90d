/*
 * audit_head: where in _PyRuntime the list of audit hooks begins, learnt from the code of
 * PySys_AddAuditHook.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "python/elf_symbols.h"

struct audit_head {
	uint32_t offset; /* in _PyRuntime; 0: not found */
	const char *how; /* static text: by what, or why not */
};

/* `function` is PySys_AddAuditHook, `runtime` _PyRuntime with its size. expected: the offset from
 * the tables, to decide between several candidates; 0: unknown. */
struct audit_head audit_head_decode(const struct elf_symbols *s, const struct elf_found *function,
				    const struct elf_found *runtime, uint32_t expected);

/* Does a chain of hook entries hang there? An empty one does too. */
bool audit_head_is_sane(const struct mem_reader *mem, uint64_t head);
