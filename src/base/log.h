/*
 * log: debug notes on stderr, off unless AUDITVIEW_DEBUG is set in the environment. Errors are
 * never reported this way.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

extern bool log_is_on; /* set by log_init() */
void log_init(void);
void log_write(const char *fmt, ...) PRINTF_LIKE(1, 2);
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_is_on)                                                                     \
			log_write(__VA_ARGS__);                                                    \
	} while (0)
