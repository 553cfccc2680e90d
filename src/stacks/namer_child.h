/*
 * namer_child: the messages between a namer and its process. Both sides are the same program, so
 * the messages have no version.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "stacks/namer.h"

#define NAMER_MANGLED_BYTES 2048u /* of a question, with its NUL */
/* that the process keeps open; a further file replaces the oldest */
#define NAMER_MAX_FILES 32u

enum namer_question { NAMER_DEMANGLE, NAMER_OPEN, NAMER_LINE };

struct namer_request {
	uint32_t kind;    /* enum namer_question */
	uint32_t n_text;  /* DEMANGLE: bytes of text, with its NUL */
	uint64_t file_id; /* OPEN, LINE */
	uint64_t vaddr;   /* LINE */
	char text[NAMER_MANGLED_BYTES];
};

/* OPEN is not answered. Its descriptor is attached to the message, and the answer to the LINE that
 * follows shows whether it worked. */
struct namer_answer {
	uint32_t is_found;
	uint32_t line;
	uint32_t n_text; /* bytes of text, with its NUL */
	char text[NAMER_TEXT_BYTES];
};

/* The main function of the process: answer what comes through `fd` until its other end is
 * closed. */
NORETURN void namer_child_run(int fd);
