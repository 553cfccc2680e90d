/*
 * stat_numbers: see stat_numbers.h.
 */
#include "commands/stat_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/strbuf.h"
#include "commands/stat_callers.h"
#include "commands/stat_table.h"
#include "model/gathered.h"
#include "model/selection.h"
#include "model/trace.h"

/* The row of a number, new if it has none; `text` is its key. rows: number → row + 1. */
static struct err *row_of(struct stat_table *b, struct hash_map *rows, uint64_t number,
			  const char *text, size_t n_text, uint32_t *ret)
{
	uint32_t *at = hash_map_place(rows, number);
	if (at && !*at) {
		struct stat_row row = { .key = strndup(text, n_text), .first_seq = UINT64_MAX };
		if (!row.key || !vec_push(&b->rows, row)) {
			free(row.key);
			return err_no_memory();
		}
		*at = (uint32_t)b->rows.n;
	}
	if (!at)
		return err_no_memory();
	*ret = *at - 1;
	return NULL;
}

bool stat_numbers_are_of_process(enum field_id field)
{
	return field == FIELD_PID || field == FIELD_PPID || field == FIELD_PYTHON ||
	       field == FIELD_CHILDREN;
}

bool stat_numbers_are_of_thread(enum field_id field)
{
	return field == FIELD_TID || field == FIELD_INTERP || stat_numbers_are_of_process(field);
}

uint64_t stat_numbers_of_process(struct trace *t, enum field_id field, uint32_t process,
				 struct strbuf *to)
{
	const struct process_info *p = trace_process(t, process);
	uint64_t value = !p ? 0 : field == FIELD_PID ? p->pid : p->ppid;
	size_t n;
	strbuf_clear(to);
	if (field == FIELD_PYTHON) {
		const char *version = trace_string(t, p ? p->python : 0, &n);
		strbuf_add(to, n ? version : "unknown", n ? n : 7);
		return p ? p->python_hex : 0;
	}
	if (field == FIELD_CHILDREN) {
		bool is_child = p && trace_process_parent(t, process) != UINT32_MAX;
		strbuf_adds(to, is_child ? "children" : "not children");
		return is_child;
	}
	strbuf_add_u64(to, value);
	return value;
}

/* Get the value that the field has in a thread, and set *to to its text. */
static uint64_t value_of(struct trace *t, enum field_id field, uint32_t thread, struct strbuf *to)
{
	const struct thread_info *info = trace_thread(t, thread);
	uint64_t value = !info ? 0 : field == FIELD_TID ? info->tid : info->interpreter;
	if (stat_numbers_are_of_process(field))
		return stat_numbers_of_process(t, field, info ? info->process : UINT32_MAX, to);
	strbuf_clear(to);
	strbuf_add_u64(to, value);
	return value;
}

struct err *stat_numbers_by_thread(struct stat_table *b, enum field_id field)
{
	struct hash_map rows = { 0 };
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (uint32_t i = 0; !err && i < trace_n_threads(b->t); i++) {
		uint64_t value = value_of(b->t, field, i, &text);
		uint32_t row = 0;
		err = text.failed ? err_no_memory()
				  : row_of(b, &rows, value, strbuf_str(&text), text.n, &row);
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
		if (!(i & 0xfff))
			trace_trim(b->t);
	}
	strbuf_fini(&text);
	hash_map_fini(&rows);
	return err;
}

/* ---- ports ---- */

struct ports {
	struct stat_table *table;
	struct hash_map rows;    /* port → row + 1 */
	struct hash_map of_args; /* (name, args) → row + 1, or NO_PORT */
	struct gathered gathered;
	struct stat_callers callers;
};

#define NO_PORT UINT32_MAX

/* The row of the port that an event with this name and these arguments talks to, + 1; NO_PORT: it
 * has none. */
static struct err *port_row(struct ports *p, uint32_t name, uint32_t args, uint32_t *ret)
{
	uint32_t *at = hash_map_place(&p->of_args, hash_map_key(name, args)), row = 0;
	struct gathered *g = &p->gathered;
	if (!at)
		return err_no_memory();
	if (!*at) {
		gathered_read(p->table->t, FIELD_PORT, name, args, g);
		if (g->text.failed)
			return err_no_memory();
		*at = NO_PORT;
		if (g->n) {
			uint64_t port = strtoull(strbuf_str(&g->text), NULL, 10);
			struct err *err = row_of(p->table, &p->rows, port, strbuf_str(&g->text),
						 g->ends[0], &row);
			if (err)
				return err;
			*at = row + 1;
		}
	}
	*ret = *at;
	return NULL;
}

static struct err *count_chunk(struct ports *p, const struct chunk *c)
{
	struct stat_table *b = p->table;
	struct err *err = NULL;
	for (uint32_t i = 0; !err && i < c->n; i++) {
		uint64_t seq = c->first_seq + i;
		uint32_t name = c->names[c->name[i]], row = NO_PORT;
		if (!c->args[i] || (b->rows_in && !selection_has(b->rows_in, seq)))
			continue;
		err = port_row(p, name, c->args[i], &row);
		if (err || row == NO_PORT)
			continue;
		struct stat_row *r = &b->rows.v[row - 1];
		if (!r->n++)
			r->first_seq = seq;
		r->last_seq = seq;
		stat_callers_add(&p->callers, row - 1, trace_caller(b->t, c->stack[i]));
	}
	return err;
}

struct err *stat_numbers_by_port(struct stat_table *b)
{
	struct ports p = { .table = b };
	struct err *err = NULL;
	for (uint32_t i = 0; !err && i < trace_n_chunks(b->t); i++) {
		uint64_t first = (uint64_t)i << TRACE_CHUNK_SHIFT;
		if (!selection_has_any(b->rows_in, first, TRACE_CHUNK))
			continue;
		trace_trim(b->t);
		const struct chunk *c = trace_chunk(b->t, i);
		err = c ? count_chunk(&p, c) : err_no_memory();
	}
	if (!err)
		err = stat_callers_end(&p.callers, b, NULL, 0);
	stat_callers_fini(&p.callers);
	hash_map_fini(&p.rows);
	hash_map_fini(&p.of_args);
	strbuf_fini(&p.gathered.text);
	return err;
}
