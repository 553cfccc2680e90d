/*
 * export_sqlite: a database, for queries. Tables events, names, threads, processes, stacks, frames,
 * tasks (of asyncio, one row for each chain of tasks that waited);
 * the view "trace" has one readable row per event. Stacks are a tree: a stack is its innermost
 * frame on top of its parent.
 *
 *     select event, count(*) from trace group by event order by 2 desc;
 *     select json_extract(args, '$.path') from trace where event = 'open';
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash_map.h"
#include "base/utf8.h"
#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/catalog.h"
#include "model/trace_task.h"
#include "model/value_json.h"

static const char schema[] =
    "create table about (key text primary key, value text);"
    "create table names (id integer primary key, event text, category text, theme text, documented "
    "integer);"
    "create table processes (id integer primary key, pid integer, ppid integer, name text, python "
    "text, exe text, cwd text, "
    "start_ns integer, end_ns integer, exit_status integer, host text, boot_id text, "
    "start_ticks integer);"
    "create table threads (id integer primary key, process integer, tid integer, interp integer, "
    "name text);"
    "create table frames (id integer primary key, kind text, func text, file text, line integer, "
    "module text, offset integer);"
    "create table stacks (id integer primary key, parent integer, frame integer);"
    "create table events (seq integer primary key, ts_ns integer, name integer, thread integer, "
    "args text, stack integer, "
    "caller integer, flags integer, task integer, descriptors text);"
    "create table tasks (id integer primary key, name text, task_id integer, awaited_by text);"
    "create view trace as select e.seq, e.ts_ns, e.ts_ns / 1e9 as seconds, p.pid, t.tid, t.name as "
    "thread, n.event, n.category, "
    "n.theme, e.args, f.file as caller_file, f.line as caller_line, f.func as caller, e.stack, "
    "p.host, k.name as task, k.awaited_by, e.descriptors from "
    "events e "
    "join names n on n.id = e.name join threads t on t.id = e.thread join processes p on p.id = "
    "t.process "
    "left join frames f on f.id = e.caller left join tasks k on k.id = e.task;";

struct state {
	sqlite3 *db;
	sqlite3_stmt *event, *task;
	struct hash_map tasks; /* value ids that are in the table → 1 */
	VEC(bool) stacks;      /* [stack] is used */
};

static struct err *failed(struct exporter *x)
{
	struct state *s = x->state;
	return err_create(ERR_SYS, "cannot write %s: %s", x->options.path,
			  s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

/*
 * SQLite opens files by name. In a folder that others can write to, a name can be switched to
 * another file between two calls, so SQLite gets the name of our descriptor. It would resolve that
 * name to the file's own name unless lstat(2) reports that it is not a link, and it opens with
 * O_NOFOLLOW (SQLite 3.40.1 os_unix.c: appendOnePathElement, unixOpen).
 */
static int open_following(const char *path, int flags, int mode)
{
	return open(path, flags & ~O_NOFOLLOW, mode);
}

static struct err *open_database(struct exporter *x, sqlite3 **ret)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	char name[32];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", x->fd);
	if (!vfs || vfs->iVersion < 3)
		return err_create(ERR_UNSUPPORTED, "this SQLite is too old");
	vfs->xSetSystemCall(vfs, "lstat", (sqlite3_syscall_ptr)stat);
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_following);
	int rc = sqlite3_open_v2(name, ret, SQLITE_OPEN_READWRITE, NULL);
	if (rc == SQLITE_OK) /* SQLite opens the file at its first access */
		rc = sqlite3_exec(
		    *ret, "pragma journal_mode = off; pragma synchronous = off; begin immediate",
		    NULL, NULL, NULL);
	vfs->xSetSystemCall(vfs, "lstat", NULL);
	vfs->xSetSystemCall(vfs, "open", NULL);
	return rc == SQLITE_OK ? NULL : failed(x);
}

static struct err *begin(struct exporter *x)
{
	struct state *s = x->state = calloc(1, sizeof(*s));
	if (!s)
		return err_no_memory();
	struct err *err = open_database(x, &s->db);
	if (err)
		return err;
	if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(s->db, "insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			       -1, &s->event, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(s->db, "insert into tasks values (?, ?, ?, ?)", -1, &s->task,
			       NULL) != SQLITE_OK)
		return failed(x);
	return NULL;
}

/* TEXT if it is valid UTF-8, else BLOB: the bytes that the target has; for a file name those of
 * os.fsencode(). */
static void bind_text(sqlite3_stmt *q, int column, const char *s, size_t n)
{
	if (utf8_is_valid(s, n)) {
		sqlite3_bind_text(q, column, s, (int)n, SQLITE_TRANSIENT);
		return;
	}
	struct strbuf bytes = { 0 };
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = utf8_decode(s + i, n - i, &len);
		if (c >= 0xdc80 && c <= 0xdcff)
			strbuf_addc(&bytes, (char)(c & 0xff)); /* PEP 383 */
		else
			strbuf_add(&bytes, s + i, len);
	}
	sqlite3_bind_blob(q, column, strbuf_str(&bytes), (int)bytes.n, SQLITE_TRANSIENT);
	strbuf_fini(&bytes);
}

/* The row of a task, with the first event that has it. */
static struct err *write_task(struct exporter *x, uint32_t value, bool *ret_has)
{
	struct state *s = x->state;
	struct trace_task task;
	struct strbuf awaited = { 0 };
	*ret_has = trace_task(x->trace, value, &task);
	uint32_t *at = *ret_has ? hash_map_place(&s->tasks, value) : NULL;
	if (!at)
		return *ret_has ? err_no_memory() : NULL;
	if (*at)
		return NULL;
	*at = 1;
	export_words_awaited(&awaited, &task);
	sqlite3_bind_int64(s->task, 1, value);
	bind_text(s->task, 2, task.name, task.n_name);
	sqlite3_bind_int64(s->task, 3, task.id);
	sqlite3_bind_text(s->task, 4, strbuf_str(&awaited), (int)awaited.n, SQLITE_STATIC);
	bool ok = sqlite3_step(s->task) == SQLITE_DONE && !awaited.failed;
	sqlite3_reset(s->task);
	strbuf_fini(&awaited);
	return ok ? NULL : failed(x);
}

/* What descriptors were. The scratch has the arguments until the row is written. */
static bool bind_was(struct exporter *x, const struct event *e)
{
	struct state *s = x->state;
	struct strbuf was = { 0 };
	export_words_was(x, &was, e);
	if (was.n)
		bind_text(s->event, 10, strbuf_str(&was), was.n);
	else
		sqlite3_bind_null(s->event, 10);
	bool ok = !was.failed;
	strbuf_fini(&was);
	return ok;
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	struct state *s = x->state;
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	strbuf_clear(&x->scratch);
	export_words_args(x, &x->scratch, &e);
	while (s->stacks.n <= e.stack)
		if (!vec_push(&s->stacks, false))
			return err_no_memory();
	s->stacks.v[e.stack] = true;
	sqlite3_bind_int64(s->event, 1, (sqlite3_int64)seq);
	sqlite3_bind_int64(s->event, 2, (sqlite3_int64)e.time_ns);
	sqlite3_bind_int64(s->event, 3, e.name);
	sqlite3_bind_int64(s->event, 4, e.thread);
	sqlite3_bind_text(s->event, 5, strbuf_str(&x->scratch), (int)x->scratch.n, SQLITE_STATIC);
	if (e.stack)
		sqlite3_bind_int64(s->event, 6, e.stack);
	else
		sqlite3_bind_null(s->event, 6);
	uint32_t caller = trace_caller(x->trace, e.stack);
	if (caller)
		sqlite3_bind_int64(s->event, 7, caller);
	else
		sqlite3_bind_null(s->event, 7);
	sqlite3_bind_int(s->event, 8, e.flags);
	bool has_task;
	struct err *err = write_task(x, e.task, &has_task);
	if (err)
		return err;
	if (has_task)
		sqlite3_bind_int64(s->event, 9, e.task);
	else
		sqlite3_bind_null(s->event, 9);
	bool ok = bind_was(x, &e) && sqlite3_step(s->event) == SQLITE_DONE;
	sqlite3_reset(s->event);
	return ok ? NULL : failed(x);
}

/* Insert one row: i for an integer, s for a string id, t for a text (pointer, bytes), in the order
 * of the columns. */
static bool insert(struct exporter *x, sqlite3_stmt *q, const char *types, const uint64_t *numbers,
		   const char *const *texts)
{
	for (int i = 0; types[i]; i++) {
		size_t n = 0;
		if (types[i] == 's') {
			const char *text = trace_string(x->trace, (uint32_t)numbers[i], &n);
			if (n)
				bind_text(q, i + 1, text, n);
			else
				sqlite3_bind_null(q, i + 1);
		} else if (types[i] == 't') {
			bind_text(q, i + 1, texts[i], (size_t)numbers[i]);
		} else {
			sqlite3_bind_int64(q, i + 1, (sqlite3_int64)numbers[i]);
		}
	}
	bool ok = sqlite3_step(q) == SQLITE_DONE;
	sqlite3_reset(q);
	return ok;
}

static bool write_about(struct exporter *x, sqlite3 *db, const struct trace_about *about)
{
	char anchor[24];
	snprintf(anchor, sizeof(anchor), "%llu", (unsigned long long)about->wall_anchor_ns);
	const char *const rows[][2] = { { "creator", about->creator },
					{ "host", about->host },
					{ "wall_anchor_ns", anchor } };
	sqlite3_stmt *q;
	bool ok = sqlite3_prepare_v2(db, "insert into about values (?, ?)", -1, &q, NULL) ==
		  SQLITE_OK;
	for (size_t i = 0; ok && i < ARRAY_LEN(rows); i++) {
		const char *value = rows[i][1] ? rows[i][1] : "";
		ok = insert(x, q, "tt", (uint64_t[]){ strlen(rows[i][0]), strlen(value) },
			    (const char *const[]){ rows[i][0], value });
	}
	sqlite3_finalize(q);
	return ok;
}

static bool write_names(struct exporter *x, sqlite3 *db)
{
	sqlite3_stmt *q;
	bool ok = sqlite3_prepare_v2(db, "insert into names values (?, ?, ?, ?, ?)", -1, &q,
				     NULL) == SQLITE_OK;
	for (uint32_t i = 0; ok && i <= trace_n_names(x->trace); i++) {
		size_t n;
		const char *name = trace_name(x->trace, i, &n);
		const struct catalog_event *e = catalog_find(name, n);
		const char *theme = catalog_theme_name(catalog_theme_of(name, n));
		ok = insert(x, q, "ittti",
			    (uint64_t[]){ i, n, catalog_category_bytes(name, n), strlen(theme),
					  e && e->documented },
			    (const char *const[]){ NULL, name, name, theme });
	}
	sqlite3_finalize(q);
	return ok;
}

static bool write_threads(struct exporter *x, sqlite3 *db)
{
	sqlite3_stmt *q, *r = NULL;
	bool ok = sqlite3_prepare_v2(
		      db, "insert into processes values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      -1, &q, NULL) == SQLITE_OK &&
		  sqlite3_prepare_v2(db, "insert into threads values (?, ?, ?, ?, ?)", -1, &r,
				     NULL) == SQLITE_OK;
	for (uint32_t i = 0; ok && i < trace_n_processes(x->trace); i++) {
		const struct process_info *p = trace_process(x->trace, i);
		size_t n_host, n_boot;
		const char *host = trace_process_host(x->trace, i, &n_host),
			   *boot_id = trace_process_boot_id(x->trace, i, &n_boot);
		ok = insert(x, q, "iiissssiiitti",
			    (uint64_t[]){ i, p->pid, p->ppid, p->name, p->python, p->exe, p->cwd,
					  p->start_ns, p->end_ns, (uint64_t)(int64_t)p->exit_status,
					  n_host, n_boot, p->start_ticks },
			    (const char *const[]){ NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
						   NULL, NULL, host, boot_id });
	}
	for (uint32_t i = 0; ok && i < trace_n_threads(x->trace); i++) {
		const struct thread_info *t = trace_thread(x->trace, i);
		ok = insert(x, r, "iiiis",
			    (uint64_t[]){ i, t->process, t->tid, t->interpreter, t->name }, NULL);
	}
	sqlite3_finalize(q);
	sqlite3_finalize(r);
	return ok;
}

/* Write the stacks that an exported event has, and their parents. */
static bool write_stacks(struct exporter *x, sqlite3 *db, struct state *s)
{
	static const char *const kinds[] = {
		[FRAME_PYTHON] = "python", [FRAME_NATIVE] = "native", [FRAME_MARK] = "mark"
	};
	sqlite3_stmt *q, *r = NULL;
	VEC(bool) frames = { 0 };
	uint32_t parent, frame;
	bool ok = sqlite3_prepare_v2(db, "insert into stacks values (?, ?, ?)", -1, &q, NULL) ==
		      SQLITE_OK &&
		  sqlite3_prepare_v2(db,
				     "insert or ignore into frames values (?, ?, ?, ?, ?, ?, ?)",
				     -1, &r, NULL) == SQLITE_OK;
	for (size_t id = s->stacks.n; ok && id-- > 1;) {
		if (!s->stacks.v[id] || !trace_stack(x->trace, (uint32_t)id, &parent, &frame))
			continue;
		s->stacks.v[parent] = true; /* parents have smaller ids */
		ok = insert(x, q, "iii", (uint64_t[]){ id, parent, frame }, NULL);
		while (ok && frames.n <= frame)
			ok = vec_push(&frames, false);
		if (!ok || frames.v[frame])
			continue;
		struct frame_info f;
		frames.v[frame] = true;
		trace_frame(x->trace, frame, &f);
		ok = insert(x, r, "itssisi",
			    (uint64_t[]){ frame, strlen(kinds[f.kind]), f.function, f.file, f.line,
					  f.module, f.offset },
			    (const char *const[]){ NULL, kinds[f.kind] });
		if (!(id & 0xfff))
			trace_trim(x->trace);
	}
	vec_fini(&frames);
	sqlite3_finalize(q);
	sqlite3_finalize(r);
	return ok;
}

static struct err *end(struct exporter *x, bool ok)
{
	struct state *s = x->state;
	struct err *err = NULL;
	if (ok) {
		const struct trace_about *about = trace_about_get(x->trace);
		if (!write_about(x, s->db, about) || !write_names(x, s->db) ||
		    !write_threads(x, s->db) || !write_stacks(x, s->db, s) ||
		    sqlite3_exec(s->db, "commit", NULL, NULL, NULL) != SQLITE_OK)
			err = failed(x);
	}
	sqlite3_finalize(s->event);
	sqlite3_finalize(s->task);
	hash_map_fini(&s->tasks);
	if (sqlite3_close(s->db) != SQLITE_OK && !err && ok)
		err = err_create(ERR_SYS, "cannot write %s", x->options.path);
	vec_fini(&s->stacks);
	free(s);
	return err;
}

const struct exporter_format export_sqlite = {
	.name = "sqlite",
	.suffix = ".sqlite",
	.doc = "an SQLite database (needs -o)",
	.needs_path = true,
	.shows_callers = true,
	.begin = begin,
	.event = write_event,
	.end = end,
};
