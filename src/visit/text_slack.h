/*
 * text_slack: the dead bytes between the end of a module's code and the end of its last page.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/mem_read.h"

struct elf_module;
struct mapping;
struct remote_mem;

/* The bytes behind the executable segment that `m` maps; 16-aligned. False: `m` maps no end of
 * one. */
bool text_slack_find(struct remote_mem *mem, const struct elf_module *module,
		     const struct mapping *m, raddr *ret_at, size_t *ret_n);
