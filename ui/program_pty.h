/*
 * program_pty: our end of the terminal of the program that was launched here, for the pane that
 * shows it (pane_terminal.c, or pane_terminal_plain.c in a build without libvterm).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct pane;
struct strbuf;

/* Send what was typed. If the program does not read its input, what does not fit is lost, as on a
 * real terminal with a full queue. */
void program_pty_send(const struct pane *p, const char *s, size_t n);
/* Tell the program the size of its terminal. */
void program_pty_resize(const struct pane *p, int n_lines, int n_columns);
/* Read what it wrote; *ret bytes, maybe 0. Returns false if the last process that held the other
 * end has closed it. */
bool program_pty_read(int fd, char *to, size_t n_bytes, size_t *ret);
/* The title of the pane: the program, and what keys do. `focused`: what to say while they go to the
 * program. */
void program_pty_title(const struct pane *p, const char *focused, struct strbuf *subject,
		       struct strbuf *facts);
