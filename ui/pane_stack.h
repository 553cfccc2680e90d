/*
 * pane_stack: what other files ask of the stack.
 */
#pragma once
#include <stdbool.h>

struct pane;
struct strbuf;

/* Get the file and line of the frame under the cursor; false if the file is not on this machine. */
bool pane_stack_source(const struct pane *p, struct strbuf *ret_path, unsigned *ret_line);
