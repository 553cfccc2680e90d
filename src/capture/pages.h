/*
 * pages: new entries of the dictionaries of a capture, which wait in one page each until they are
 * written to the sink as a block. A page is written before a page that refers to it. If memory is
 * short, the sink is broken (sink_break()).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/writer.h"

/* of strings, values or records; a reader decompresses that much to see one of them */
#define PAGES_BYTES   (128u << 10)
#define PAGES_ENTRIES 4096u

struct sink;

typedef VEC(uint32_t) u32_vec;

struct text_page { /* of strings or values */
	uint32_t first;
	u32_vec lengths;
	struct strbuf bytes;
};

struct pages {
	struct sink *sink; /* borrowed */
	struct text_page strings, values;
	u32_vec new_names; /* string ids of the names since the last NAME block */
	uint32_t first_new_name;
	VEC(struct frame_info) frames;
	uint32_t first_frame;
	u32_vec stack_parents, stack_frames;
	uint32_t first_stack;
	struct strbuf meta, raw; /* scratch, for the blocks of the writer too */
};

/* Entries get ids in the order of these calls, from 1 in each file. */
void pages_add_string(struct pages *p, const void *bytes, size_t n_bytes);
void pages_add_value(struct pages *p, const void *bytes, size_t n_bytes);
void pages_add_frame(struct pages *p, const struct frame_info *frame);
void pages_add_stack(struct pages *p, uint32_t parent, uint32_t frame);
bool pages_add_name(struct pages *p, uint32_t string); /* false: no memory */
void pages_flush_texts(struct pages *p);               /* strings and values */
void pages_flush(struct pages *p);                     /* all */
/* Ids begin at 1 again, in a new file; all has been flushed. */
void pages_restart(struct pages *p);
void pages_fini(struct pages *p);

void pages_clear_scratch(struct pages *p);
