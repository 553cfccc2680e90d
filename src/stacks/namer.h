/*
 * namer: an unprivileged process that runs third-party code on hostile bytes.
 *
 * libdw and the C++ demangler are not made for malicious input: a compressed section or a mangled
 * name of 265 bytes makes them use gigabytes or minutes. So they run in a process of their own
 * (namer_child.c). It has no privileges, only the files that are passed to it, almost no system
 * calls, and limits of memory and of CPU time for each question. If it dies, the question has no
 * answer, and the next question starts a new process. A file that gave no answer twice is not asked
 * about again.
 *
 * The owner waits for each answer and records nothing meanwhile. So waiting uses credit: it starts
 * with NAMER_BURST_MS, which is also its maximum, and grows by 1 ms in each NAMER_SHARE ms. Without
 * credit no question is answered until there is enough again. So images that are made to be slow
 * cannot hold up the owner for longer, and names return when such images are gone.
 *
 * The first question starts the process. It ends when the namer is destroyed or its owner dies. It
 * is not a child of the owner, so that an owner that waits for its tracees with waitpid(-1) never
 * sees it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct namer;

#define NAMER_BURST_MS 800
#define NAMER_SHARE    8
/* of an answer, with its NUL; longer names are not demangled, longer paths lose their beginning */
#define NAMER_TEXT_BYTES 4096u

/* NULL if out of memory. */
struct namer *namer_create(void);
void namer_destroy(struct namer *n); /* NULL is fine */
DEFINE_CLEANUP(namer);

/* The name as in the source, borrowed until the next call; NULL if it is not a C++ name, is too
 * long, or needs too much time or memory. */
const char *namer_demangle(struct namer *n, const char *mangled);

/*
 * Source file and line of an address, from the .debug_line of a file. `file_id` identifies the file
 * in all questions about it and is never reused for another file; `fd` is its descriptor, borrowed
 * for the call. *ret_file is borrowed until the next call. False if there is no answer.
 */
bool namer_line(struct namer *n, uint64_t file_id, int fd, uint64_t vaddr, const char **ret_file,
		uint32_t *ret_line);
