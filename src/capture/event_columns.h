/*
 * event_columns: the events of one EVENT block, as columns, while they are collected.
 */
#pragma once
#include <stdint.h>

#include "capture/block.h"

struct strbuf;

#define EVENT_OBJECTS_PER_BLOCK (128u << 10)
#define EVENT_OBJECTS_MAX       0xffffu /* of one event */

struct local {
	uint32_t epoch, id, index; /* free unless the epoch is that of the current block */
};
#define LOCAL_SLOTS (2 * EVENTS_PER_BLOCK)
/* Names or threads of the current block; its size does not depend on how many threads there are. */
struct local_table {
	/* open addressing starting at the id: ids that are in use at the same time are
	 * neighbours */
	struct local slots[LOCAL_SLOTS];
	uint32_t n;
	uint32_t ids[EVENTS_PER_BLOCK], counts[EVENTS_PER_BLOCK];
};

struct event_columns {
	uint64_t first_seq;
	uint32_t n, n_objects;
	uint32_t epoch;
	uint64_t time_ns[EVENTS_PER_BLOCK];
	uint16_t name[EVENTS_PER_BLOCK], thread[EVENTS_PER_BLOCK];
	uint32_t args[EVENTS_PER_BLOCK], stack[EVENTS_PER_BLOCK];
	uint32_t descriptors[EVENTS_PER_BLOCK], task[EVENTS_PER_BLOCK];
	uint8_t flags[EVENTS_PER_BLOCK];
	uint16_t object_counts[EVENTS_PER_BLOCK];
	uint64_t objects[EVENT_OBJECTS_PER_BLOCK + EVENT_OBJECTS_MAX];
	struct local_table names, threads;
};

/* Index of `id` in a table of the current block, which gets it if it is new; it is counted. */
uint32_t event_columns_local(struct local_table *table, uint32_t epoch, uint32_t id);
/* Append the block to meta and raw. Overwrites the columns. */
void event_columns_encode(struct event_columns *e, uint32_t n_values, uint32_t n_stacks,
			  struct strbuf *meta, struct strbuf *raw);
void event_columns_next(struct event_columns *e); /* begin the next block, empty */
/* Restore the columns from a copy, with its first n events. */
void event_columns_restore(struct event_columns *e, const struct event_columns *from, uint32_t n);
