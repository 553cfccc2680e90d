/*
 * capture_walk: read everything that a capture holds, as a reader without trust would; and make
 * damaged blocks verify again, so that the code behind the checksums is reached too. For the damage
 * tests and the fuzzer.
 */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/vec.h"
#include "capture/block.h"
#include "model/arguments.h"
#include "model/folds.h"
#include "model/group.h"
#include "model/first_seen.h"
#include "model/relations.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "model/value_iter.h"
#include "whole.h"

static inline uint64_t walk_descriptors(struct trace *t, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	uint64_t sum = 0;
	arguments_init(&a, t, e);
	for (unsigned n = 0; e->descriptors && n < 100 && arguments_next(&a, &arg); n++) {
		for (size_t i = 0; arg.was && i < arg.n_was; i += 16)
			sum += (uint8_t)arg.was[i];
		arguments_skip(&a, &arg);
	}
	return sum;
}

static inline uint64_t walk_task(struct trace *t, const struct event *e)
{
	struct trace_task task;
	const char *name;
	uint64_t sum = 0;
	size_t n;
	if (!trace_task(t, e->task, &task))
		return 0;
	for (size_t i = 0; i < task.n_name; i += 16)
		sum += (uint8_t)task.name[i];
	for (uint32_t i = 0; i < task.n_awaited && i < 100; i++)
		sum += trace_task_next(&task, &name, &n) ? n : (abort(), 0);
	if (!trace_task_name(t, e->task) || !trace_task_name_text(t, 1, &n))
		abort();
	return sum + (uint64_t)task.id + task.n_more;
}

/* Seal superblock, trailer and every block whose header has plausible sizes, found at its place or
 * by its magic. */
static inline void capture_reseal(uint8_t *file, size_t n)
{
	struct superblock sb;
	if (n < sizeof(sb))
		return;
	memcpy(&sb, file, sizeof(sb));
	sb.checksum = XXH3_64bits(&sb, offsetof(struct superblock, checksum));
	memcpy(file, &sb, sizeof(sb));
	for (size_t at = sizeof(sb); at + sizeof(struct block_header) <= n;) {
		struct block_header h;
		memcpy(&h, file + at, sizeof(h));
		uint64_t size = sizeof(h) + (uint64_t)h.meta_bytes + h.stored_bytes;
		if (h.magic != BLOCK_MAGIC || at + size > n) {
			at += BLOCK_ALIGN;
			continue;
		}
		uint64_t seed = XXH3_64bits_withSeed(file + at + sizeof(h),
						     (size_t)size - sizeof(h), sb.file_id);
		h.checksum = XXH3_64bits_withSeed(&h, offsetof(struct block_header, checksum),
						  seed);
		memcpy(file + at, &h, sizeof(h));
		at += (size + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
	}
	if (n >= sizeof(sb) + sizeof(struct trailer)) {
		struct trailer t;
		memcpy(&t, file + n - sizeof(t), sizeof(t));
		t.checksum = XXH3_64bits_withSeed(&t, offsetof(struct trailer, checksum),
						  sb.file_id);
		memcpy(file + n - sizeof(t), &t, sizeof(t));
	}
}

static inline uint64_t walk_value(struct trace *t, uint32_t id, const uint64_t *objects,
				  uint32_t n_objects)
{
	struct value_iter it;
	struct value_node node;
	uint64_t sum = 0, n = 0;
	value_iter_init(&it, t, id, objects, n_objects);
	while (n++ < 2000 && value_iter_next(&it, &node)) {
		sum += node.tag + node.depth + node.n_children + node.full + node.address;
		for (size_t i = 0; i < node.n_bytes; i += 16)
			sum += node.bytes[i];
		for (uint32_t i = 0; i < node.n_attr_bytes; i++)
			sum += (uint8_t)node.attr[i];
	}
	return sum;
}

/* Read everything, up to `max_rows` rows and ids of each kind. The sum keeps the compiler from
 * removing work. */
static inline uint64_t capture_walk(struct trace *t, uint64_t max_rows)
{
	uint64_t sum = 0, n_rows = trace_n_events(t) < max_rows ? trace_n_events(t) : max_rows;
	uint64_t step = n_rows ? trace_n_events(t) / n_rows : 1;
	for (uint64_t i = 0; i < n_rows; i++) {
		struct event e;
		uint32_t n_objects;
		size_t n_bytes;
		if (!trace_event(t, i * step, &e))
			abort();
		if (e.name > trace_n_names(t) || e.args > trace_n_values(t) ||
		    e.stack > trace_n_stacks(t) || e.descriptors > trace_n_values(t) ||
		    e.task > trace_n_values(t))
			abort();
		const uint64_t *objects = trace_event_objects(t, e.seq, &n_objects);
		for (uint32_t k = 0; k < n_objects; k++)
			sum += objects[k];
		sum += walk_value(t, e.args, objects, n_objects) + e.time_ns;
		sum += walk_descriptors(t, &e) + walk_task(t, &e);
		trace_name(t, e.name, &n_bytes);
		sum += trace_stack_depth(t, e.stack) + trace_caller(t, e.stack) +
		       trace_stack_package(t, e.stack) + n_bytes;
		if (i % 512 == 0) {
			sum += relation_cause(t, e.seq);
			trace_trim(t);
		}
	}
	for (uint32_t id = 0; id <= trace_n_strings(t) + 1u && id < max_rows; id++) {
		size_t n_bytes;
		const char *s = trace_string(t, id, &n_bytes);
		for (size_t i = 0; i < n_bytes; i += 64)
			sum += (uint8_t)s[i];
	}
	for (uint32_t id = 0; id <= trace_n_values(t) + 1u && id < max_rows; id++)
		sum += walk_value(t, id, NULL, 0);
	for (uint32_t id = 0; id <= trace_n_frames(t) + 1u && id < max_rows; id++) {
		struct frame_info f;
		trace_frame(t, id, &f);
		const struct trace_package *p = trace_package(t, trace_frame_package(t, id));
		sum += f.line + trace_frame_origin(t, id) + (p ? p->n_name + p->n_version : 0);
	}
	for (uint32_t i = 0; i < trace_n_processes(t) && i < max_rows; i++) {
		const struct process_info *p = trace_process(t, i);
		const uint32_t texts[] = { p->python, p->exe, p->cwd, p->name, p->project };
		sum += walk_value(t, p->argv, NULL, 0) + walk_value(t, p->environ, NULL, 0) +
		       walk_value(t, p->prefixes, NULL, 0) + walk_value(t, p->packages, NULL, 0);
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			size_t n_bytes;
			sum += trace_string(t, texts[k], &n_bytes) != NULL;
		}
		sum += trace_process_parent(t, i);
	}
	for (uint32_t i = 0; i < trace_n_threads(t) && i < max_rows; i++)
		sum += trace_thread(t, i)->process < trace_n_processes(t) ? 1 : (abort(), 0);
	for (uint32_t i = 0; i < trace_n_notes(t); i++)
		sum += trace_note_get(t, i)->seq <= trace_n_events(t) ? 1 : (abort(), 0);
	uint64_t in_names = 0;
	for (uint32_t i = 0; i <= trace_n_names(t); i++)
		in_names += trace_count_by_name(t)[i];
	if (in_names != trace_n_events(t))
		abort();
	return sum + (trace_damage(t) ? 1 : 0);
}

/* Build the tables over a whole capture; only for small captures. */
static inline void capture_analyse(struct trace *t)
{
	double done;
	struct folds *folds = NULL;
	struct first_seen *first = NULL;
	struct calltree *tree = NULL;
	const uint32_t *children;
	uint32_t n_children, bins[64];
	uint64_t *counts = calloc((size_t)group_column_end(t, GROUP_STACK) + 1, sizeof(*counts));
	struct histogram_spec spec = {
		.from_ns = 0, .to_ns = UINT64_MAX, .n_bins = 64, .n_classes = 1
	};
	struct calltree_options options = { 0 };
	struct err *errs[] = {
		folds_create(t, &folds),
		folds ? folds_update(folds, NULL, UINT64_MAX, &done) : NULL,
		first_seen_create(t, &first),
		first ? first_seen_update(first, UINT64_MAX, &done) : NULL,
		whole_histogram(t, &spec, bins, NULL),
		group_count(t, NULL, 0, UINT64_MAX, GROUP_STACK, NULL,
			    group_column_end(t, GROUP_STACK), counts),
		whole_calltree(t, NULL, &options, &tree),
		tree ? calltree_children(tree, CALLTREE_ROOT, &children, &n_children) : NULL,
	};
	for (size_t i = 0; i < ARRAY_LEN(errs); i++)
		err_destroy(errs[i]);
	calltree_destroy(tree);
	first_seen_destroy(first);
	folds_destroy(folds);
	free(counts);
}
