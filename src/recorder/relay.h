/*
 * relay: a terminal for a program that must not have ours, and a process that passes on what goes
 * in and out.
 *
 * The program's terminal is a pseudo-terminal. A child of ours holds its master: it copies the
 * output to our terminal and, where the program's standard input is one, puts ours into raw mode
 * and copies what is typed. So Ctrl-C and the like are made into signals by the program's own
 * terminal, for whatever is in its foreground. A second Ctrl-C is for us as well. Ctrl-Z, if the
 * program itself is in the foreground, stops the program and the shell's whole job.
 *
 * If the program outlives us, the relay does too: it then stops reading our terminal and discards
 * the output, so that the program neither loses its terminal nor waits for it.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct relay;

/* terminals[n]: descriptors of the terminals to stand in for, the first is asked for its size and
 * settings. `reads`: what is typed is passed on. Errors: ERR_SYS. */
MUST_CHECK struct err *relay_create(const int terminals[], int n, bool reads, struct relay **ret);
int relay_slave(const struct relay *r);
void relay_close_slave(struct relay *r); /* the program has it */
/* The process with that terminal as its own: it is stopped and continued with us. */
void relay_set_leader(struct relay *r, pid_t leader);
/* Our terminal is as it was, and all that the program has written so far is on it. Then frees; the
 * relay itself may live on. NULL is fine. */
void relay_destroy(struct relay *r);
