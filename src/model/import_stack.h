/*
 * import_stack: what a stack tells about imports in progress, without any other event.
 *
 * The `import` event is raised in the frame of the import statement, before the import system runs.
 * While the import is in progress, stacks are: … the statement's frame, frames of <frozen
 * importlib…>, the module's own frames. So the node of the statement is directly below the frames
 * of the import system, and it is the stack of the `import` event (CPython v3.8.0 … v3.14.0
 * Python/import.c, import_find_and_load: PySys_Audit("import", …), then _find_and_load). 3.15
 * raises the event inside the import system, in Python (v3.15.0 Lib/importlib/_bootstrap.py,
 * _find_and_load): there the statement's node is below the frames of the import system at the top
 * of the event's stack.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct trace;

/* The outermost import statement whose import `stack` is part of, as a stack node; 0 if there is
 * none. A function of the user's own (not a module's top level) on the way ends the search: its
 * work is not "part of an import". Cached. */
uint32_t import_stack_root(struct trace *t, uint32_t stack);
/* The innermost one, whatever functions are between; 0 if none. */
uint32_t import_stack_innermost(struct trace *t, uint32_t stack);
/* Is `ancestor` the statement of one of the imports in progress in `stack`? (Also true of
 * `ancestor` itself.) */
bool import_stack_is_below(struct trace *t, uint32_t stack, uint32_t ancestor);
/* The node of the import statement behind an `import` event, from the event's stack: the stack
 * itself, or in 3.15 what is below the import system. */
uint32_t import_stack_statement(struct trace *t, uint32_t stack);
