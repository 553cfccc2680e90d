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
	const char *how; /* static text: how it was found, or why it was not */
};

/* `function` is PySys_AddAuditHook, `runtime` is _PyRuntime with its size. expected: the offset
 * from the tables, to choose between several candidates; 0: unknown. */
struct audit_head audit_head_decode(const struct elf_symbols *s, const struct elf_found *function,
				    const struct elf_found *runtime, uint32_t expected);

/* Does a valid chain of hook entries start at `head`? An empty chain is valid. */
bool audit_head_is_sane(const struct mem_reader *mem, uint64_t head);
