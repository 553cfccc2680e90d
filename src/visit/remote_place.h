/*
 * remote_place: where our code for calls is written: dead bytes behind the text of a module.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"
#include "python/python.h"

struct maps;
struct remote_mem;
struct remote_target;

/* Where the stub may be written: found once per process image. */
#define REMOTE_PLACE_BYTES 1344
struct remote_place {
	raddr code;    /* dead executable bytes, stub_bytes() of them */
	raddr mailbox; /* u64, zero before a call; address 0: no answer is needed */
	uint8_t before[REMOTE_PLACE_BYTES]; /* what the dead bytes held */
	/* the number of them that may be written: for the code, or more that a killed recorder has
	 * left */
	size_t n_bytes;
	/* they hold code of ours in which a thread may be: call remote_place_wait() before the next
	 * use */
	bool is_left;
	bool is_unloadable;       /* the program can unload the module that contains them, */
	struct elf_module module; /* which is this one; its path is a text that is never freed */
	/* the stub's last instructions, if they must be elsewhere (way_back.h); address 0: nothing
	 * is written there */
	raddr back;
	uint8_t back_before[16]; /* what was there */
	/* the last thread that was sent there; it may still be at its last steps; 0 none */
	pid_t last_tid;
};
/* Find n_bytes dead bytes behind the text of a module: of the module at `prefer`, else of one that
 * cannot be unloaded, else of any. Fills code, before, n_bytes, is_left, is_unloadable and module.
 * If is_unloadable is set, the caller must have every write checked (remote_target.fleeting or
 * unloadable). ERR_UNSUPPORTED. */
MUST_CHECK struct err *remote_place_find(pid_t pid, struct remote_mem *mem, const struct maps *maps,
					 raddr prefer, size_t n_bytes, struct remote_place *ret);
/* Can the program unload the module? It cannot if the module is the program or its loader, or if
 * the program was linked to it. (The program that the kernel started may be ld.so, running
 * another.) `maps` with its modules. */
bool remote_place_can_vanish(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
			     const struct elf_module *module);

/* Wait until no thread is in the code, so that it can be overwritten or cleared. ERR_TIMEOUT. */
MUST_CHECK struct err *remote_place_wait(const struct remote_target *t, uint64_t timeout_ns);
/* The same before a call, if the place still holds code of ours. */
MUST_CHECK struct err *remote_place_wait_if_left(const struct remote_target *t,
						 uint64_t timeout_ns);
