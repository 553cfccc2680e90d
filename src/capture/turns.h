/*
 * turns: what a writer keeps in memory so that it can begin another file.
 *
 * Each file of a rotation is a whole capture, whose dictionaries begin anew. The recorder holds ids
 * of strings, frames and processes for as long as it runs, so these ids stay valid across files:
 * their contents are kept here, and an entry gets its number in the current file when that file
 * needs it first. Strings and frames come from the program's text, so their number has a bound;
 * values, stacks and threads do not, and their ids end with the file.
 *
 * A writer that writes one file keeps nothing, and its ids are the numbers in the file.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/vec.h"
#include "capture/writer.h"

/* The number of an entry in the file that was current at `turn`. */
struct kept_place {
	uint32_t turn, local;
};
struct kept_text {
	const char *s;
	uint32_t n_bytes;
	struct kept_place place;
};
struct kept_frame {
	struct frame_info info;
	struct kept_place place;
};
struct kept_process {
	struct process_info info; /* ids as the recorder has them */
	struct kept_place place;
};

struct turns {
	bool is_on;
	uint32_t turn;     /* of the current file, from 1 */
	uint64_t n_before; /* events in the files before it */
	struct arena texts;
	VEC(struct kept_text) strings;             /* [id - 1] */
	VEC(struct kept_text) values;              /* [id - 1] those that processes refer to */
	VEC(struct kept_frame) frames;             /* [id - 1] */
	VEC(struct kept_process) processes;        /* [index] */
	uint32_t n_strings, n_frames, n_processes; /* in the current file */
};

void turns_fini(struct turns *t);
/* Keep a copy of the bytes. False if memory is short. */
bool turns_keep_string(struct turns *t, const char *s, size_t n_bytes);
/* Returns an id, the same for the same bytes; 0 if memory is short. */
uint32_t turns_keep_value(struct turns *t, const void *bytes, size_t n_bytes);
/* Is the entry in the current file? If not, it gets the next number there; *ret_local either
 * way. */
bool turns_place(struct kept_place *p, uint32_t turn, uint32_t *n_local, uint32_t *ret_local);
