/*
 * namer: a process without rights that runs other people's code on hostile bytes.
 *
 * libdw and the C++ demangler are not made for input that wants to hurt: a compressed section or a
 * mangled name of 265 bytes makes them take gigabytes or minutes. So they run in a process of their
 * own (namer_child.c), which has no privileges, no files but those that it is handed, almost no
 * system calls, and a limit of memory and of CPU time for each question. If it dies, the question
 * has no answer, and the next one starts a new process. A file that had no answer twice is not
 * asked about again.
 *
 * The owner waits for each answer, and records nothing meanwhile. So waiting is on credit: there
 * are NAMER_BURST_MS of it at first and at most, and it grows by 1 ms in each NAMER_SHARE ms.
 * Without credit there is no answer, whatever is asked, until there is some again. Thus images that
 * are made to be slow cannot hold the owner for longer, and names come back when they are gone.
 *
 * The process is started by the first question. It ends when the namer is destroyed or its owner
 * dies. It is nobody's child: an owner that waits for its tracees with waitpid(-1) never meets it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct namer;

#define NAMER_BURST_MS 800
#define NAMER_SHARE    8
#define NAMER_TEXT_BYTES                                                                           \
	4096u /* of an answer, with its NUL; longer names are left as they were, longer paths are  \
		 cut in front */

/* NULL when memory is short. */
struct namer *namer_create(void);
void namer_destroy(struct namer *n); /* NULL is fine */
DEFINE_CLEANUP(namer);

/* The name as in the source, borrowed until the next call; NULL if it is no C++ name, or is too
 * long, or took too much. */
const char *namer_demangle(struct namer *n, const char *mangled);

/*
 * Source file and line of an address, by the .debug_line of a file. `file_id` names the file in all
 * questions about it and is never used for another one; `fd` is its descriptor, borrowed for the
 * call. *ret_file is borrowed until the next call. False if there is no answer.
 */
bool namer_line(struct namer *n, uint64_t file_id, int fd, uint64_t vaddr, const char **ret_file,
		uint32_t *ret_line);
