/*
 * relations: see relations.h. Relations are found by a bounded search back or forward over the
 * rows; nothing is cached.
 */
#include "model/relations.h"

#include <string.h>

#include "base/utf8.h"
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

/* ---- texts that differ in numbers and temporary names only ---- */

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
			   utf8_hex_digit(s[i + 2]) >= 0) {
			for (i += 2; i < n_bytes && utf8_hex_digit(s[i]) >= 0; i++)
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
