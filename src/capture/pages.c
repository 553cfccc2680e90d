/*
 * pages: see pages.h.
 */
#include "capture/pages.h"

#include <stdlib.h>

#include "base/value.h"
#include "capture/block.h"
#include "capture/column.h"
#include "capture/sink.h"

#define STACK_ENTRIES 16384u

void pages_clear_scratch(struct pages *p)
{
	strbuf_clear(&p->meta);
	strbuf_clear(&p->raw);
}

static void text_page_flush(struct pages *p, enum block_type type, struct text_page *page)
{
	if (!page->lengths.n)
		return;
	pages_clear_scratch(p);
	strbuf_add_varint(&p->meta, page->first);
	strbuf_add_varint(&p->meta, page->lengths.n);
	column_encode(&p->raw, 1, page->lengths.v, 4, page->lengths.n);
	strbuf_add(&p->raw, page->bytes.s, page->bytes.n);
	if (page->bytes.failed)
		sink_break(p->sink);
	sink_block(p->sink, type, &p->meta, &p->raw);
	page->first += (uint32_t)page->lengths.n;
	page->lengths.n = 0;
	strbuf_clear(&page->bytes);
}

static void text_page_add(struct pages *p, enum block_type type, struct text_page *page,
			  const void *bytes, size_t n_bytes)
{
	if (!vec_push(&page->lengths, (uint32_t)n_bytes)) {
		sink_break(p->sink);
		return;
	}
	strbuf_add(&page->bytes, bytes, n_bytes);
	if (page->bytes.n >= PAGES_BYTES || page->lengths.n >= PAGES_ENTRIES)
		text_page_flush(p, type, page);
}

static void strings_flush(struct pages *p)
{
	text_page_flush(p, BLOCK_STRING, &p->strings);
}

static void values_flush(struct pages *p)
{
	text_page_flush(p, BLOCK_VALUE, &p->values);
}

static void names_flush(struct pages *p)
{
	if (!p->new_names.n)
		return;
	strings_flush(p);
	pages_clear_scratch(p);
	strbuf_add_varint(&p->meta, p->first_new_name);
	strbuf_add_varint(&p->meta, p->new_names.n);
	column_encode(&p->raw, 1, p->new_names.v, 4, p->new_names.n);
	sink_block(p->sink, BLOCK_NAME, &p->meta, &p->raw);
	p->first_new_name += (uint32_t)p->new_names.n;
	p->new_names.n = 0;
}

static void frames_flush(struct pages *p)
{
	size_t n = p->frames.n;
	if (!n)
		return;
	strings_flush(p);
	pages_clear_scratch(p);
	strbuf_add_varint(&p->meta, p->first_frame);
	strbuf_add_varint(&p->meta, n);
	uint32_t *column = malloc(n * sizeof(uint32_t));
	uint64_t *offsets = malloc(n * sizeof(uint64_t));
	if (!column || !offsets) {
		sink_break(p->sink);
		free(column);
		free(offsets);
		return;
	}
	const struct frame_info *f = p->frames.v;
#define FRAME_COLUMN(id, member)                                                                   \
	do {                                                                                       \
		for (size_t i = 0; i < n; i++)                                                     \
			column[i] = (uint32_t)f[i].member;                                         \
		column_encode(&p->raw, id, column, 4, n);                                          \
	} while (0)
	FRAME_COLUMN(FRAME_COLUMN_KIND, kind);
	FRAME_COLUMN(FRAME_COLUMN_FUNCTION, function);
	FRAME_COLUMN(FRAME_COLUMN_FILE, file);
	FRAME_COLUMN(FRAME_COLUMN_MODULE, module);
	FRAME_COLUMN(FRAME_COLUMN_LINE, line);
	FRAME_COLUMN(FRAME_COLUMN_END_LINE, end_line);
	FRAME_COLUMN(FRAME_COLUMN_COLUMN, column);
	FRAME_COLUMN(FRAME_COLUMN_END_COLUMN, end_column);
	FRAME_COLUMN(FRAME_COLUMN_FIRST_LINE, first_line);
#undef FRAME_COLUMN
	for (size_t i = 0; i < n; i++)
		offsets[i] = f[i].offset;
	column_encode(&p->raw, FRAME_COLUMN_OFFSET, offsets, 8, n);
	free(column);
	free(offsets);
	sink_block(p->sink, BLOCK_FRAME, &p->meta, &p->raw);
	p->first_frame += (uint32_t)n;
	p->frames.n = 0;
}

static void stacks_flush(struct pages *p)
{
	size_t n = p->stack_parents.n;
	if (!n)
		return;
	frames_flush(p);
	pages_clear_scratch(p);
	strbuf_add_varint(&p->meta, p->first_stack);
	strbuf_add_varint(&p->meta, n);
	/* stored as the distance to the parent; a root has its own id */
	for (size_t i = 0; i < n; i++)
		p->stack_parents.v[i] = p->first_stack + (uint32_t)i - p->stack_parents.v[i];
	column_encode(&p->raw, STACK_COLUMN_PARENT, p->stack_parents.v, 4, n);
	column_encode_delta(&p->raw, STACK_COLUMN_FRAME, p->stack_frames.v, 4, n);
	sink_block(p->sink, BLOCK_STACK, &p->meta, &p->raw);
	p->first_stack += (uint32_t)n;
	p->stack_parents.n = p->stack_frames.n = 0;
}

void pages_add_frame(struct pages *p, const struct frame_info *frame)
{
	if (!vec_push(&p->frames, *frame))
		sink_break(p->sink);
	else if (p->frames.n >= PAGES_ENTRIES)
		frames_flush(p);
}

void pages_add_string(struct pages *p, const void *bytes, size_t n_bytes)
{
	text_page_add(p, BLOCK_STRING, &p->strings, bytes, n_bytes);
}

void pages_add_value(struct pages *p, const void *bytes, size_t n_bytes)
{
	text_page_add(p, BLOCK_VALUE, &p->values, bytes, n_bytes);
}

bool pages_add_name(struct pages *p, uint32_t string)
{
	return vec_push(&p->new_names, string);
}

void pages_add_stack(struct pages *p, uint32_t parent, uint32_t frame)
{
	if (!vec_push(&p->stack_parents, parent) || !vec_push(&p->stack_frames, frame))
		sink_break(p->sink);
	else if (p->stack_parents.n >= STACK_ENTRIES)
		stacks_flush(p);
}

void pages_flush_texts(struct pages *p)
{
	strings_flush(p);
	values_flush(p);
}

void pages_flush(struct pages *p)
{
	strings_flush(p);
	names_flush(p);
	stacks_flush(p);
	frames_flush(p);
	values_flush(p);
}

void pages_restart(struct pages *p)
{
	p->strings.first = p->values.first = 1;
	p->first_new_name = p->first_frame = p->first_stack = 1;
}

void pages_fini(struct pages *p)
{
	vec_fini(&p->strings.lengths);
	strbuf_fini(&p->strings.bytes);
	vec_fini(&p->values.lengths);
	strbuf_fini(&p->values.bytes);
	vec_fini(&p->new_names);
	vec_fini(&p->frames);
	vec_fini(&p->stack_parents);
	vec_fini(&p->stack_frames);
	strbuf_fini(&p->meta);
	strbuf_fini(&p->raw);
}
