/*
 * trace_private: how a trace is laid out, for the files trace*.c only. Each uses only the files
 * below it: trace.c; trace_index.c; trace_caller.c; trace_package.c; trace_task.c; trace_chunk.c;
 * trace_page.c; trace_cache.c.
 *
 *   reader ── blocks ─▶ trace_index: per block one slot (where it is, which ids or rows it
 *                       holds); counters
 *                       trace_page:  slot ─▶ page of a dictionary    ┐ loaded on demand, kept in
 *                       trace_chunk: slots of 16 Ki rows ─▶ columns  ┘ one LRU until trace_trim()
 */
#pragma once
#include "base/arena.h"
#include "base/hash_map.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/reader.h"
#include "model/trace.h"

/* The head of everything that the cache may evict. */
struct cached {
	size_t n_bytes;
	uint64_t tick; /* of the last use; UINT64_MAX = pinned */
	/* the pointer to this object, cleared on eviction; it must not move while this is loaded */
	struct cached **home;
	void (*destroy)(struct cached *c);
};

enum page_kind { PAGE_STRING, PAGE_VALUE, PAGE_FRAME, PAGE_STACK, PAGE_KIND_COUNT };

struct page_slot {
	uint32_t first, n;    /* ids [first, first + n) */
	struct block_ref ref; /* .offset 0: lost */
	struct cached *page;
};

/* Slots in arrays that never move, because cached.home points into them. */
#define SLOTS_PER_BAG 1024u
struct page_table {
	VEC(struct page_slot *) bags;
	uint32_t n_slots, end; /* all ids are smaller than end */
	uint32_t last_hit;
};

struct text_page { /* PAGE_STRING, PAGE_VALUE */
	struct cached cached;
	struct string_page view;
	uint8_t *raw;
	uint32_t offsets[];
};
struct frame_page {
	struct cached cached;
	uint32_t first, n;
	struct frame_info frames[];
};
struct tree_page { /* PAGE_STACK */
	struct cached cached;
	struct stack_page view;
	uint32_t columns[];
};

struct event_ref { /* one EVENT block, or a hole (.ref.offset 0) */
	struct block_ref ref;
	uint32_t n;
};
typedef VEC(uint32_t) u32_vec;

struct chunk_slot {
	uint64_t min_ns, max_ns;
	uint32_t n;
	uint32_t args_end, stack_end;
	u32_vec names, name_n, threads, thread_n;
	VEC(struct event_ref) blocks;
	struct cached *columns; /* struct chunk_columns */
	struct cached *objects; /* struct chunk_objects */
};

struct chunk_columns {
	struct cached cached;
	struct chunk view;
	size_t n_blocks; /* of the slot, decoded so far */
	uint64_t *time_ns;
	uint16_t *name, *thread;
	uint32_t *args, *stack, *descriptors;
	uint32_t *task; /* [room] of its own; NULL: none so far */
	uint32_t room;
	uint8_t *flags;
};
struct chunk_objects {
	struct cached cached;
	size_t n_blocks;
	/* event i of the chunk has addresses[starts[i] … starts[i + 1]) */
	uint32_t starts[TRACE_CHUNK + 1];
	uint32_t n;
	VEC(uint64_t) addresses;
};

struct local_entry {
	uint32_t epoch, index;
};
/* global id → position in the table of the chunk being filled; epoch = chunk + 1 */
struct local_map {
	VEC(struct local_entry) of_id;
};
struct name_entry {
	const char *text; /* in name_texts, NUL-terminated */
	uint32_t n_bytes;
};
struct prefix { /* of a file name, with the slash at its end */
	char *s;
	size_t n;
};
struct prefixes {
	struct prefix *v;
	size_t n, cap;
};
struct package_entry {
	char *text; /* name NUL version */
	struct trace_package view;
};
struct package_path {
	char *s; /* no NUL; a folder ends with a slash */
	size_t n;
	uint32_t package;
	bool is_elsewhere; /* the project of an editable install: the user's own */
};
/* The head of an EVENT block, parsed; the tables are (id, count) varints in the meta. */
struct event_meta {
	uint64_t first_seq, min_ns, max_ns;
	uint32_t n, args_end, stack_end, n_names, n_threads;
	const uint8_t *names, *threads, *end;
};

struct trace {
	struct reader *reader;
	char *path; /* NULL when opened by descriptor */
	char *label;
	struct trace_options options;
	struct trace_about about;
	char *creator, *host, *boot_id;

	struct page_table pages[PAGE_KIND_COUNT];
	VEC(struct chunk_slot *) chunks;
	uint64_t n_events;
	struct local_map name_map, thread_map;

	struct arena name_texts;
	VEC(struct name_entry) names; /* [n_names + 1], [0] = "" */
	struct hash_map ids_by_name;  /* hash of the text → name id */
	VEC(uint64_t) count_by_name, count_by_thread;
	VEC(struct host_info) hosts; /* number 1 is the first */
	VEC(struct process_info) processes;
	u32_vec parents;           /* [processes.n] of trace_process_parent() */
	uint64_t n_parent_records; /* n_process_records when they were found */
	VEC(struct thread_info) threads;
	VEC(struct trace_note) notes;
	VEC(struct trace_counted) counted;
	struct hash_map counted_index; /* (process, name) → index + 1 */
	struct hash_map locals;        /* event → value id (trace_locals.h) */
	uint64_t n_lost;
	bool is_more_lost; /* GOODBYE_LOST_UNKNOWN */
	bool processes_changed;

	/* damage */
	uint64_t n_bad_bytes; /* of blocks that verify but are malformed */
	uint32_t n_bad_blocks;
	VEC(uint64_t) unreadable; /* file offsets of blocks that could not be loaded */
	uint64_t n_lost_rows;
	bool replaced;
	/* what trace_damage() returned last, and trace_damage_news() without the tail */
	struct strbuf damage, damage_said;
	bool damage_is_said;

	/* cache */
	VEC(struct cached *) loaded; /* not the pinned ones */
	size_t loaded_bytes, pinned_bytes;
	uint64_t tick;
	uint32_t load_kind, load_at; /* where trace_load() continues */
	bool load_full;

	/* memos, by id */
	VEC(uint8_t) origin_of_frame; /* enum frame_origin + 1 and a rank, 0 unknown */
	u32_vec caller_of_stack;      /* stack id + 1, 0 unknown, 1 none */
	/* stack id + 1, 0 unknown, 1 none */
	u32_vec import_root_of_stack, import_innermost_of_stack;
	u32_vec package_of_frame, package_of_stack; /* + 1, 0 unknown */
	VEC(struct package_entry) packages;         /* number 1 is the first */
	VEC(struct package_path) package_paths;
	struct hash_map packages_by_text, paths_by_text; /* index + 1 */
	struct hash_map package_lists;                   /* value ids that were read → 1 */
	size_t package_bytes;                            /* of names and paths */
	uint64_t n_package_nodes;                        /* of lists that were read */
	/* of processes, so far; and how many there were when lists were read last */
	uint64_t n_process_records, n_package_records;
	/* value id of a task → number of its name + 1, or 1: it is malformed */
	struct hash_map task_names;
	struct hash_map task_names_by_text;     /* → number */
	VEC(struct name_entry) task_name_texts; /* number 1 is the first */
	uint32_t n_bad_tasks;
	struct prefixes prefixes;
	size_t n_mine;               /* of trace_add_mine(), when frames were judged */
	unsigned n_callers_found;    /* trace_callers_found() */
	struct prefixes projects;    /* folders that processes have as theirs */
	uint64_t n_project_records;  /* as n_package_records */
	uint32_t n_prefix_processes; /* processes whose prefixes were added */
};

/* trace_index.c */
struct err *trace_index_block(void *trace, const struct block_header *h,
			      const struct block_ref *ref, const uint8_t *meta);
void trace_index_fini(struct trace *t);

/* trace_page.c */
struct page_slot *page_slot_at(const struct page_table *table, uint32_t i);
/* The page of a slot, loaded if it is not in memory; NULL when memory is short. */
struct cached *page_get(struct trace *t, enum page_kind kind, struct page_slot *slot);
bool page_table_add(struct page_table *table, uint32_t first, uint32_t n,
		    const struct block_ref *ref);
void page_table_fini(struct page_table *table);

/* trace_chunk.c */
bool chunk_event_parse(const uint8_t *meta, uint32_t n_bytes, struct event_meta *ret);
struct chunk_columns *chunk_columns_get(struct trace *t, uint32_t chunk);
void chunk_slot_destroy(struct chunk_slot *slot);
uint32_t chunk_map_index(struct local_map *map, uint32_t epoch, uint32_t id, u32_vec *ids,
			 u32_vec *counts, uint32_t count);

/* trace_cache.c */
void trace_cache_add(struct trace *t, struct cached *c, struct cached **home, size_t n_bytes);
void trace_cache_resized(struct trace *t, struct cached *c, size_t n_bytes);
void trace_cache_pin(struct trace *t, struct cached *c);
/* A block exists but cannot be loaded; trace_damage() counts it once. */
void trace_mark_unreadable(struct trace *t, const struct block_ref *ref);
static inline void cache_touch(struct trace *t, struct cached *c)
{
	if (c->tick < t->tick)
		c->tick = t->tick;
}

/* trace_package.c */
/* Read the lists of packages of new processes. Cheap if there are none. */
void package_refresh(struct trace *t);
/* Of a path; 0 none. *ret_is_elsewhere is set otherwise. */
uint32_t package_of_file(struct trace *t, const char *s, size_t n, bool *ret_is_elsewhere);
void package_fini(struct trace *t);

/* trace_task.c */
void task_fini(struct trace *t);

/* trace_caller.c, import_stack.c */
void caller_fini(struct trace *t);
