/*
 * pane_terminal: what other files ask of the program's terminal.
 */
#pragma once
#include <stdbool.h>

struct pane;

/* Read what the launched program wrote to its terminal (fd: the pty's master). p may be NULL: it is
 * read and dropped. False: the program has ended. */
bool pane_terminal_read(struct pane *p, int fd);
