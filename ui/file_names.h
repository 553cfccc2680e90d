/*
 * file_names: the short names of source files: the base name; for an __init__.py the name of its
 * folder; with the folder in front ("db/util.py") as soon as two files of the capture have the same
 * short name.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash_map.h"

struct strbuf;
struct trace;

struct file_names {        /* zeroed: no frame was read yet */
	uint32_t n_frames; /* read so far, ids 1 … */
	/* short name → string id of the first file with that name */
	struct hash_map first_of_name;
	uint8_t *shared; /* [n_strings] 1: another file has the same short name */
	uint32_t n_strings;
};
void file_names_fini(struct file_names *f);
/* Read new frames, a few thousand at a time. Returns true if there are more. If memory is short,
 * names stay short. */
bool file_names_update(struct file_names *f, struct trace *t);
bool file_names_waits(const struct file_names *f, const struct trace *t);
/* Append the name of the file with this string id, escaped. */
void file_names_text(struct strbuf *to, const struct file_names *f, struct trace *t, uint32_t file);
