/*
 * file_names: how a source file is called where there is little room: its base name, the folder's
 * for an __init__.py; with the folder before it ("db/util.py") as soon as two files of the capture
 * share that.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash_map.h"

struct strbuf;
struct trace;

struct file_names {        /* zeroed: nothing was looked at yet */
	uint32_t n_frames; /* looked at, ids 1 … */
	/* short name → string id of the first file called so */
	struct hash_map first_of_name;
	uint8_t *shared; /* [n_strings] 1: another file has the same short name */
	uint32_t n_strings;
};
void file_names_fini(struct file_names *f);
/* Look at frames that are new, a few thousand at a time. True: there are more. When memory is short
 * short names stay. */
bool file_names_update(struct file_names *f, struct trace *t);
bool file_names_waits(const struct file_names *f, const struct trace *t);
/* Append the name of the file with this string id, escaped. */
void file_names_text(struct strbuf *to, const struct file_names *f, struct trace *t, uint32_t file);
