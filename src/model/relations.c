/*
 * relations: see relations.h. Relations are found by a bounded search back or forward over the
 * rows; nothing is cached.
 */
#include "model/relations.h"

#include <string.h>

#include "base/vec.h"
#include "model/import_stack.h"
#include "model/selection.h"
#include "model/trace.h"

#define LOOK_ROWS_MAX (1u << 20)
/* a process first seen later than this after a spawn does not count as its child */
#define STARTED_WITHIN_NS 10000000000ull

static bool name_is(const struct trace *t, uint32_t name, const char *what)
{
	size_t n;
	const char *s = trace_name(t, name, &n);
	return n == strlen(what) && memcmp(s, what, n) == 0;
}

static bool is_spawn(const struct trace *t, uint32_t name)
{
	static const char *const names[] = {
		"subprocess.Popen", "os.fork",   "os.forkpty",
		"os.posix_spawn",   "os.system", "os.exec",
		"os.spawn",         "pty.spawn", "_posixsubprocess.fork_exec"
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name_is(t, name, names[i]))
			return true;
	return false;
}

/* The latest row before `seq` that fn accepts, at most LOOK_ROWS_MAX rows back. */
static uint64_t look_back(struct trace *t, uint64_t seq,
			  bool (*fn)(struct trace *, const struct event *, const struct event *),
			  const struct event *of)
{
	uint64_t least = seq > LOOK_ROWS_MAX ? seq - LOOK_ROWS_MAX : 0;
	while (seq-- > least) {
		struct event e;
		if (trace_event(t, seq, &e) && fn(t, &e, of))
			return seq;
	}
	return SELECTION_NONE;
}

static bool is_import_at(struct trace *t, const struct event *e, const struct event *of)
{
	return e->thread == of->thread && name_is(t, e->name, "import") &&
	       import_stack_statement(t, e->stack) == of->stack;
}

/* The import statement in progress around an event; an import event is not an effect of itself. */
static uint32_t statement_around(struct trace *t, const struct event *e)
{
	bool is_import = name_is(t, e->name, "import");
	return import_stack_innermost(t,
				      is_import ? import_stack_statement(t, e->stack) : e->stack);
}

static bool is_spawn_of(struct trace *t, const struct event *e, const struct event *of)
{
	return e->process == of->process && is_spawn(t, e->name);
}

static bool is_of_process(struct trace *t, const struct event *e, const struct event *of)
{
	return e->process == of->process;
}

uint64_t relation_cause(struct trace *t, uint64_t seq)
{
	struct event e, of;
	if (!trace_event(t, seq, &e))
		return SELECTION_NONE;
	of = e;
	of.stack = statement_around(t, &e);
	if (of.stack && of.stack != e.stack) {
		uint64_t found = look_back(t, seq, is_import_at, &of);
		if (found != SELECTION_NONE)
			return found;
	}
	uint32_t parent = trace_process_parent(t, e.process);
	if (parent == UINT32_MAX || look_back(t, seq, is_of_process, &e) != SELECTION_NONE)
		return SELECTION_NONE;
	of.process = parent;
	return look_back(t, seq, is_spawn_of, &of);
}

static enum relation_kind kind_of(const struct trace *t, uint32_t name)
{
	if (name_is(t, name, "import"))
		return RELATION_IMPORTED;
	if (name_is(t, name, "open"))
		return RELATION_OPENED;
	if (name_is(t, name, "exec"))
		return RELATION_EXECUTED;
	return RELATION_OTHER;
}

static struct err *effects_of_import(struct trace *t, const struct event *cause, uint32_t max,
				     struct relation_vec *ret)
{
	uint64_t end = trace_n_events(t), stop = cause->seq + LOOK_ROWS_MAX;
	uint32_t statement = import_stack_statement(t, cause->stack);
	for (uint64_t seq = cause->seq + 1; seq < end && seq < stop && ret->n < max; seq++) {
		struct event e;
		if (!trace_event(t, seq, &e) || e.thread != cause->thread)
			continue;
		if (e.stack == cause->stack || !import_stack_is_below(t, e.stack, statement))
			break;
		struct relation r = { .kind = kind_of(t, e.name),
				      .seq = seq,
				      .is_direct = statement_around(t, &e) == statement };
		if (!vec_push(ret, r))
			return err_no_memory();
	}
	return NULL;
}

static uint64_t first_of_process(struct trace *t, uint32_t process, uint64_t from)
{
	uint64_t end = trace_n_events(t), stop = from + LOOK_ROWS_MAX;
	for (uint64_t seq = from; seq < end && seq < stop; seq++) {
		struct event e;
		if (trace_event(t, seq, &e) && e.process == process)
			return seq;
	}
	return SELECTION_NONE;
}

/* The first child of this process that started after the event. */
static struct err *effects_of_spawn(struct trace *t, const struct event *cause,
				    struct relation_vec *ret)
{
	uint32_t found = UINT32_MAX;
	for (uint32_t p = cause->process + 1; p < trace_n_processes(t); p++) {
		uint64_t start_ns = trace_process(t, p)->start_ns;
		if (start_ns >= cause->time_ns && start_ns - cause->time_ns < STARTED_WITHIN_NS &&
		    trace_process_parent(t, p) == cause->process &&
		    (found == UINT32_MAX || start_ns < trace_process(t, found)->start_ns))
			found = p;
	}
	if (found == UINT32_MAX)
		return NULL;
	struct relation r = { .kind = RELATION_PROCESS,
			      .process = found,
			      .is_direct = true,
			      .seq = first_of_process(t, found, cause->seq) };
	return vec_push(ret, r) ? NULL : err_no_memory();
}

struct err *relation_effects(struct trace *t, uint64_t seq, uint32_t max, struct relation_vec *ret)
{
	struct event e;
	if (!trace_event(t, seq, &e) || ret->n >= max)
		return NULL;
	if (name_is(t, e.name, "import") && e.stack)
		return effects_of_import(t, &e, max, ret);
	return is_spawn(t, e.name) ? effects_of_spawn(t, &e, ret) : NULL;
}

/* ---- texts that differ in numbers and temporary names only ---- */

static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_';
}

/* Length of the random part of a tempfile name (CPython v3.13.0 Lib/tempfile.py,
 * _RandomNameSequence: 8 of [a-z0-9_]) that starts at s: directly after "tmp" at the start of a
 * path component, or anywhere below a temporary folder after - _ or /. It differs from a word of
 * eight letters by a digit, or by letters that do not alternate as in words. */
static size_t temporary_part(const char *s, size_t left, bool after_tmp, bool below_tmp)
{
	size_t n = 0;
	bool has_digit = false, has_underscore = false;
	while (n < left && n < 9 && is_name_char(s[n])) {
		has_digit |= s[n] >= '0' && s[n] <= '9';
		has_underscore |= s[n] == '_';
		n++;
	}
	if (n != 8)
		return 0;
	return after_tmp || (below_tmp && (has_digit || has_underscore)) ? 8 : 0;
}

size_t relation_text_normalise(const char *s, size_t n_bytes, char *to)
{
	size_t i = 0, n = 0;
	bool below_tmp = memmem(s, n_bytes, "/tmp/", 5) != NULL;
	while (i < n_bytes) {
		char before = i ? s[i - 1] : '/';
		bool after_tmp = i >= 3 && memcmp(s + i - 3, "tmp", 3) == 0 &&
				 (i == 3 || s[i - 4] == '/');
		size_t part = after_tmp || before == '-' || before == '_' || before == '/' ||
				      before == '.'
				  ? temporary_part(s + i, n_bytes - i, after_tmp, below_tmp)
				  : 0;
		if (part) {
			to[n++] = '*';
			i += part;
		} else if (s[i] == '0' && i + 2 < n_bytes && s[i + 1] == 'x' &&
			   is_hex_digit(s[i + 2])) {
			for (i += 2; i < n_bytes && is_hex_digit(s[i]); i++)
				;
			to[n++] = '#';
		} else if (s[i] >= '0' && s[i] <= '9') {
			while (i < n_bytes && s[i] >= '0' && s[i] <= '9')
				i++;
			to[n++] = '#';
		} else {
			to[n++] = s[i++];
		}
	}
	return n;
}
