/*
 * capture_count: how many events a capture holds.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* How many events a closed or abandoned capture holds: its blocks are read again and counted.
 * Errors: those of reader.h, and ERR_UNSUPPORTED if it is not a regular file. */
MUST_CHECK struct err *capture_count(const char *path, uint64_t *ret_n_events);
/* The same of an open file, which is taken over and must be readable; `label` is for messages. */
MUST_CHECK struct err *capture_count_fd(int fd, const char *label, uint64_t *ret_n_events);
