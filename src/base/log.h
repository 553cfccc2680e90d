/*
 * log: notes for developers, off unless AUDITVIEW_DEBUG is set in the environment. Errors are never
 * reported this way.
 *
 * AUDITVIEW_DEBUG is a list with commas. "1" stands for the notes of all files; another word for
 * those of a folder of src ("visit") or of a file ("follow", for follow.c); a word with a slash is
 * the file to which they are appended. Without one they go to standard error, but never over a
 * screen: log_leave_terminal().
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

extern bool log_is_on; /* set by log_init() */
void log_init(void);
/* A screen will be opened, by this process or by its parent. If notes go to a terminal, they go to
 * the file debug.log in the folder for our state (folder.h) from now on, or nowhere if that cannot
 * be opened. */
void log_leave_terminal(void);
/* file: __FILE__ of the caller, which decides whether the note is wanted. */
void log_write(const char *file, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_is_on)                                                                     \
			log_write(__FILE__, __VA_ARGS__);                                          \
	} while (0)
