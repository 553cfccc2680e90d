/*
 * trace_page: pages of the dictionaries, loaded on demand.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/column.h"
#include "model/trace_private.h"

/* ---- slots ---- */

struct page_slot *page_slot_at(const struct page_table *table, uint32_t i)
{
	return &table->bags.v[i / SLOTS_PER_BAG][i % SLOTS_PER_BAG];
}

bool page_table_add(struct page_table *table, uint32_t first, uint32_t n,
		    const struct block_ref *ref)
{
	if (table->n_slots % SLOTS_PER_BAG == 0) {
		struct page_slot *bag = calloc(SLOTS_PER_BAG, sizeof(*bag));
		if (!bag || !vec_push(&table->bags, bag)) {
			free(bag);
			return false;
		}
	}
	*page_slot_at(table, table->n_slots++) = (struct page_slot){ first, n, *ref, NULL };
	table->end = first + n;
	return true;
}

static struct page_slot *page_slot_find(struct page_table *table, uint32_t id)
{
	if (id == 0 || id >= table->end)
		return NULL;
	struct page_slot *slot = page_slot_at(table, table->last_hit);
	if (id - slot->first < slot->n)
		return slot;
	uint32_t low = 0, high = table->n_slots; /* slots[low].first <= id < slots[high].first */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (page_slot_at(table, middle)->first <= id)
			low = middle;
		else
			high = middle;
	}
	table->last_hit = low;
	return page_slot_at(table, low); /* ids have no gaps: lost ones have slots too */
}

void page_table_fini(struct page_table *table)
{
	for (uint32_t i = 0; i < table->n_slots; i++) {
		struct cached *page = page_slot_at(table, i)->page;
		if (page)
			page->destroy(page);
	}
	for (size_t i = 0; i < table->bags.n; i++)
		free(table->bags.v[i]);
	vec_fini(&table->bags);
}

/* ---- strings and values ---- */

static void text_page_destroy(struct cached *c)
{
	struct text_page *page = (struct text_page *)c;
	free(page->raw);
	free(page);
}

/* Lengths → offsets; false if the sum is not the number of bytes. */
static bool offsets_decode(struct text_page *page, uint32_t raw_bytes)
{
	const uint8_t *p = page->raw, *end = page->raw + raw_bytes;
	struct column lengths;
	uint32_t n = page->view.n;
	if (!column_next(&p, end, &lengths) || !column_decode(&lengths, page->offsets, 4, n))
		return false;
	uint64_t at = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t length = page->offsets[i];
		page->offsets[i] = (uint32_t)at;
		at += length;
		if (at > raw_bytes)
			return false;
	}
	page->offsets[n] = (uint32_t)at;
	page->view.bytes = p;
	return at == (uint64_t)(end - p);
}

static struct cached *text_page_load(struct trace *t, const struct page_slot *slot,
				     size_t *ret_bytes)
{
	struct text_page *page = malloc(sizeof(*page) + (slot->n + 1) * sizeof(uint32_t));
	if (!page)
		return NULL;
	memset(page, 0, sizeof(*page));
	page->cached.destroy = text_page_destroy;
	page->view = (struct string_page){ slot->first, slot->n, page->offsets, NULL };
	page->raw = reader_load(t->reader, &slot->ref);
	*ret_bytes = sizeof(*page) + (slot->n + 1) * sizeof(uint32_t) +
		     (page->raw ? slot->ref.raw_bytes : 0);
	if (!page->raw || !offsets_decode(page, slot->ref.raw_bytes)) {
		trace_mark_unreadable(t, &slot->ref);
		memset(page->offsets, 0, (slot->n + 1) * sizeof(uint32_t));
		page->view.bytes = (const uint8_t *)"";
	}
	return &page->cached;
}

/* ---- frames and stacks ---- */

static void plain_destroy(struct cached *c)
{
	free(c);
}

static bool frames_decode(struct frame_page *page, const uint8_t *raw, uint32_t raw_bytes)
{
	const uint8_t *p = raw, *end = raw + raw_bytes;
	struct column column;
	uint64_t *numbers = malloc(page->n * sizeof(uint64_t));
	bool ok = numbers != NULL;
	while (ok && column_next(&p, end, &column)) {
		if (column.id == 0 || column.id >= FRAME_COLUMN_COUNT)
			continue;
		ok = column_decode(&column, numbers, 8, page->n);
		for (uint32_t i = 0; ok && i < page->n; i++) {
			struct frame_info *f = &page->frames[i];
			uint64_t v = numbers[i];
			if (v > UINT32_MAX && column.id != FRAME_COLUMN_OFFSET) {
				ok = false;
				break;
			}
			switch ((enum frame_column)column.id) {
			case FRAME_COLUMN_KIND:
				f->kind = v <= FRAME_MARK ? (enum frame_kind)v : FRAME_MARK;
				break;
			case FRAME_COLUMN_FUNCTION: f->function = (uint32_t)v; break;
			case FRAME_COLUMN_FILE: f->file = (uint32_t)v; break;
			case FRAME_COLUMN_MODULE: f->module = (uint32_t)v; break;
			case FRAME_COLUMN_LINE: f->line = (uint32_t)v; break;
			case FRAME_COLUMN_END_LINE: f->end_line = (uint32_t)v; break;
			case FRAME_COLUMN_COLUMN: f->column = (uint32_t)v; break;
			case FRAME_COLUMN_END_COLUMN: f->end_column = (uint32_t)v; break;
			case FRAME_COLUMN_FIRST_LINE: f->first_line = (uint32_t)v; break;
			case FRAME_COLUMN_OFFSET: f->offset = v; break;
			case FRAME_COLUMN_COUNT: break;
			}
		}
	}
	free(numbers);
	return ok && p == end;
}

static struct cached *frame_page_load(struct trace *t, const struct page_slot *slot,
				      size_t *ret_bytes)
{
	*ret_bytes = sizeof(struct frame_page) + slot->n * sizeof(struct frame_info);
	struct frame_page *page = calloc(1, *ret_bytes);
	if (!page)
		return NULL;
	page->cached.destroy = plain_destroy;
	page->first = slot->first;
	page->n = slot->n;
	const uint8_t *raw = reader_peek(t->reader, &slot->ref, NULL, NULL);
	if (!raw || !frames_decode(page, raw, slot->ref.raw_bytes)) {
		trace_mark_unreadable(t, &slot->ref);
		memset(page->frames, 0, slot->n * sizeof(struct frame_info));
	}
	return &page->cached;
}

static bool stacks_decode(const struct trace *t, uint32_t first, uint32_t n, uint32_t *parents,
			  uint32_t *frames, const uint8_t *raw, uint32_t raw_bytes)
{
	const uint8_t *p = raw, *end = raw + raw_bytes;
	struct column column;
	while (column_next(&p, end, &column)) {
		if (column.id == STACK_COLUMN_PARENT && !column_decode(&column, parents, 4, n))
			return false;
		if (column.id == STACK_COLUMN_FRAME && !column_decode(&column, frames, 4, n))
			return false;
	}
	uint32_t frame_end = t->pages[PAGE_FRAME].end;
	for (uint32_t i = 0; i < n; i++) {
		if (parents[i] == 0 || parents[i] > first + i)
			/* a parent has a smaller id than its child, so walking up ends */
			return false;
		parents[i] = first + i - parents[i];
		if (frames[i] >= frame_end)
			frames[i] = 0;
	}
	return p == end;
}

static struct cached *stack_page_load(struct trace *t, const struct page_slot *slot,
				      size_t *ret_bytes)
{
	*ret_bytes = sizeof(struct tree_page) + 2 * (size_t)slot->n * sizeof(uint32_t);
	struct tree_page *page = calloc(1, *ret_bytes);
	if (!page)
		return NULL;
	page->cached.destroy = plain_destroy;
	uint32_t *parents = page->columns, *frames = page->columns + slot->n;
	page->view = (struct stack_page){ slot->first, slot->n, parents, frames };
	const uint8_t *raw = reader_peek(t->reader, &slot->ref, NULL, NULL);
	if (!raw ||
	    !stacks_decode(t, slot->first, slot->n, parents, frames, raw, slot->ref.raw_bytes)) {
		trace_mark_unreadable(t, &slot->ref);
		memset(page->columns, 0, 2 * (size_t)slot->n * sizeof(uint32_t));
	}
	return &page->cached;
}

/* ---- access ---- */

struct cached *page_get(struct trace *t, enum page_kind kind, struct page_slot *slot)
{
	static struct cached *(*const load[])(struct trace *, const struct page_slot *,
					      size_t *) = {
		[PAGE_STRING] = text_page_load,
		[PAGE_VALUE] = text_page_load,
		[PAGE_FRAME] = frame_page_load,
		[PAGE_STACK] = stack_page_load,
	};
	if (!slot->page) {
		size_t n_bytes;
		struct cached *page = load[kind](t, slot, &n_bytes);
		if (!page)
			return NULL;
		trace_cache_add(t, page, &slot->page, n_bytes);
	}
	cache_touch(t, slot->page);
	return slot->page;
}

static void *page_of_id(struct trace *t, enum page_kind kind, uint32_t id)
{
	struct page_slot *slot = page_slot_find(&t->pages[kind], id);
	return slot ? page_get(t, kind, slot) : NULL;
}

uint32_t trace_n_strings(const struct trace *t)
{
	return t->pages[PAGE_STRING].end - 1;
}

uint32_t trace_n_values(const struct trace *t)
{
	return t->pages[PAGE_VALUE].end - 1;
}

uint32_t trace_n_frames(const struct trace *t)
{
	return t->pages[PAGE_FRAME].end - 1;
}

uint32_t trace_n_stacks(const struct trace *t)
{
	return t->pages[PAGE_STACK].end - 1;
}

static const uint8_t *text_get(struct trace *t, enum page_kind kind, uint32_t id,
			       size_t *ret_n_bytes)
{
	const struct text_page *page = page_of_id(t, kind, id);
	*ret_n_bytes = 0;
	if (!page)
		return NULL;
	uint32_t i = id - page->view.first;
	*ret_n_bytes = page->view.offsets[i + 1] - page->view.offsets[i];
	return page->view.bytes + page->view.offsets[i];
}

const char *trace_string(struct trace *t, uint32_t string, size_t *ret_n_bytes)
{
	const uint8_t *s = text_get(t, PAGE_STRING, string, ret_n_bytes);
	return s ? (const char *)s : "";
}

const uint8_t *trace_value(struct trace *t, uint32_t value, size_t *ret_n_bytes)
{
	const uint8_t *bytes = text_get(t, PAGE_VALUE, value, ret_n_bytes);
	return *ret_n_bytes ? bytes : NULL;
}

const struct string_page *trace_value_page(struct trace *t, uint32_t id)
{
	const struct text_page *page = page_of_id(t, PAGE_VALUE, id);
	return page ? &page->view : NULL;
}

const struct stack_page *trace_stack_page(struct trace *t, uint32_t id)
{
	const struct tree_page *page = page_of_id(t, PAGE_STACK, id);
	return page ? &page->view : NULL;
}

bool trace_frame(struct trace *t, uint32_t frame, struct frame_info *ret)
{
	const struct frame_page *page = page_of_id(t, PAGE_FRAME, frame);
	if (!page) {
		*ret = (struct frame_info){ 0 };
		return false;
	}
	*ret = page->frames[frame - page->first];
	return true;
}

bool trace_stack(struct trace *t, uint32_t stack, uint32_t *ret_parent, uint32_t *ret_frame)
{
	const struct stack_page *page = trace_stack_page(t, stack);
	if (!page)
		return false;
	*ret_parent = page->parents[stack - page->first];
	*ret_frame = page->frames[stack - page->first];
	return true;
}

uint32_t trace_stack_frames(struct trace *t, uint32_t stack, uint32_t *frames, uint32_t cap)
{
	uint32_t n = 0, frame;
	while (trace_stack(t, stack, &stack, &frame)) {
		if (n < cap)
			frames[n] = frame;
		n++;
	}
	return n;
}

uint32_t trace_stack_depth(struct trace *t, uint32_t stack)
{
	return trace_stack_frames(t, stack, NULL, 0);
}
