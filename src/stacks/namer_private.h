/*
 * namer_private: the messages between a namer and its process. Both are the same program, so there
 * is no version.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "stacks/namer.h"

#define NAMER_MANGLED_BYTES 2048u /* of a question, with its NUL */
#define NAMER_MAX_FILES     32u   /* that the process keeps open; more push the oldest out */

enum namer_question { NAMER_DEMANGLE, NAMER_OPEN, NAMER_LINE };

struct namer_request {
	uint32_t kind;    /* enum namer_question */
	uint32_t n_text;  /* DEMANGLE: bytes of text, with its NUL */
	uint64_t file_id; /* OPEN, LINE */
	uint64_t vaddr;   /* LINE */
	char text[NAMER_MANGLED_BYTES];
};

/* OPEN is not answered: its descriptor travels beside it, the LINE behind it tells. */
struct namer_answer {
	uint32_t is_found;
	uint32_t line;
	uint32_t n_text; /* bytes of text, with its NUL */
	char text[NAMER_TEXT_BYTES];
};

/* What the process does: answer what comes through `fd` until its other end is closed. */
NORETURN void namer_child_run(int fd);
