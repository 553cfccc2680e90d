/*
 * own: one pass per process for the roles, one over all events for imports.
 *
 * The program's code begins after the first "exec" that follows cpython.run_command, run_file,
 * run_module or run_stdin in the same thread with no Python frame below it: the interpreter
 * executes the main module from C (CPython v3.12.1 Python/pythonrun.c, run_eval_code_obj). The
 * events between are the reading and compiling of the program, from 3.13 on also an import of
 * linecache. A forked process begins with its program; so does a process whose start was not seen.
 *
 * The end: cpython.PyInterpreterState_Clear of the main interpreter is the last but one event of a
 * process (v3.12.1 Python/pylifecycle.c, Py_FinalizeEx). A process that ended in another way
 * (os._exit, a signal, exec) has no shut-down.
 */
#include "model/own.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "model/import_stack.h"
#include "model/trace.h"

struct process_span {
	/* seq: cpython.run_*, first of the program, first of the shut-down; UINT64_MAX unknown */
	uint64_t run, begin, end;
	uint64_t start; /* before this event it was a forked copy of its parent */
	uint32_t run_thread;
};

/* Ids of the names that are needed; 0 if the capture does not have them. */
struct names {
	uint32_t runs[4], exec, replace, clear_state, clear_hooks, import;
};

static uint32_t name_id(const struct trace *t, const char *name)
{
	return trace_name_find(t, name, strlen(name));
}

static void find_names(const struct trace *t, struct names *ret)
{
	static const char *const runs[] = { "cpython.run_command", "cpython.run_file",
					    "cpython.run_module", "cpython.run_stdin" };

	for (size_t i = 0; i < 4; i++)
		ret->runs[i] = name_id(t, runs[i]);
	ret->exec = name_id(t, "exec");
	ret->replace = name_id(t, "os.exec");
	ret->clear_state = name_id(t, "cpython.PyInterpreterState_Clear");
	ret->clear_hooks = name_id(t, "cpython._PySys_ClearAuditHooks");
	ret->import = name_id(t, "import");
}

static bool is_run(const struct names *n, uint32_t name)
{
	for (size_t i = 0; i < 4; i++)
		if (n->runs[i] && n->runs[i] == name)
			return true;
	return false;
}

static void look_at(struct process_span *s, const struct names *n, const struct event *e,
		    bool has_stacks)
{
	bool is_from_c = !has_stacks || e->stack == 0; /* no Python frame runs yet */

	if (s->run == UINT64_MAX && is_run(n, e->name)) {
		s->run = e->seq;
		s->run_thread = e->thread;
	} else if (s->run != UINT64_MAX && s->begin == UINT64_MAX && e->name == n->exec &&
		   e->thread == s->run_thread && is_from_c) {
		s->begin = e->seq + 1;
	}
	if (e->name == n->replace && n->replace && s->run == UINT64_MAX)
		s->start = e->seq + 1;
	if (e->name == n->clear_state && n->clear_state)
		s->end = e->seq;
	else if (e->name != n->clear_hooks || !n->clear_hooks)
		s->end = UINT64_MAX; /* more events follow: it was not the last interpreter */
}

/* The run events of a Python that the program started are shown; those of the program itself are
 * not. */
static enum own_role role_of(const struct process_span *s, bool is_first, uint64_t seq)
{
	if (seq >= s->end)
		return OWN_SHUTDOWN;
	if (s->run == UINT64_MAX || seq < s->start) /* forked, or attached to */
		return OWN_CODE;
	return seq < (s->begin == UINT64_MAX || !is_first ? s->run : s->begin) ? OWN_STARTUP
									       : OWN_CODE;
}

/* Is `stack` part of the import of the statement at `node`? Node 0: C code started the import, with
 * no frame below. */
static bool is_part_of(struct trace *t, uint32_t stack, uint32_t node)
{
	uint32_t parent, frame = 0;

	if (node)
		return import_stack_is_below(t, stack, node);
	while (trace_stack(t, stack, &parent, &frame))
		stack = parent;
	return frame && trace_frame_origin(t, frame) == FRAME_ORIGIN_IMPORT;
}

struct open_import {
	uint64_t seq;   /* OWN_NO_IMPORT: none */
	uint32_t stack; /* of its statement */
};

static void find_imports(struct trace *t, const struct names *n, struct open_import *open,
			 struct own *o)
{
	for (uint64_t seq = 0; seq < o->n; seq++) {
		struct event e;

		if (!trace_event(t, seq, &e))
			continue;
		struct open_import *now = &open[e.thread];

		if (now->seq != OWN_NO_IMPORT && is_part_of(t, e.stack, now->stack)) {
			o->imports[seq] = now->seq;
			continue;
		}
		/* The same statement searches again, for the extension's file or for a parent
		 * package: it is still the same import. */
		now->seq = OWN_NO_IMPORT;
		if (e.name == n->import && n->import) {
			now->seq = seq;
			now->stack = import_stack_statement(t, e.stack);
		}
	}
}

struct err *own_make(struct trace *t, struct own *ret)
{
	struct own o = { .n = trace_n_events(t) };
	uint32_t n_processes = trace_n_processes(t), n_threads = trace_n_threads(t);
	struct process_span *spans = calloc(n_processes + 1, sizeof(*spans));
	struct open_import *open = calloc(n_threads + 1, sizeof(*open));
	struct names names;

	o.roles = calloc(o.n + 1, sizeof(*o.roles));
	o.imports = malloc((o.n + 1) * sizeof(*o.imports));
	if (!spans || !open || !o.roles || !o.imports) {
		free(spans);
		free(open);
		own_fini(&o);
		return err_no_memory();
	}
	find_names(t, &names);
	for (uint32_t i = 0; i < n_processes; i++)
		spans[i] = (struct process_span){ UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0 };
	for (uint32_t i = 0; i < n_threads; i++)
		open[i].seq = OWN_NO_IMPORT;
	for (uint64_t seq = 0; seq < o.n; seq++) {
		struct event e;

		o.imports[seq] = OWN_NO_IMPORT;
		if (trace_event(t, seq, &e) && e.process < n_processes)
			look_at(&spans[e.process], &names, &e, trace_n_stacks(t) > 0);
	}
	for (uint64_t seq = 0; seq < o.n; seq++) {
		struct event e;

		o.roles[seq] = OWN_CODE;
		if (trace_event(t, seq, &e) && e.process < n_processes)
			o.roles[seq] = (uint8_t)role_of(&spans[e.process], e.process == 0, seq);
		o.counts[o.roles[seq]]++;
	}
	if (n_threads)
		find_imports(t, &names, open, &o);
	free(spans);
	free(open);
	*ret = o;
	return NULL;
}

void own_fini(struct own *o)
{
	free(o->roles);
	free(o->imports);
	*o = (struct own){ 0 };
}
