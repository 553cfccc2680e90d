/*
 * pane_terminal: what other files ask of the program's terminal.
 */
#pragma once
#include <stdbool.h>

struct pane;

/* Read what the launched program wrote to its terminal (fd: the pty's master). If p is NULL, the
 * output is dropped. Returns false if the program has ended. */
bool pane_terminal_read(struct pane *p, int fd);
