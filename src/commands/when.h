/*
 * when: a point in time on the command line.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* `text` as a time of the capture whose time 0 is wall_anchor_ns: "2.5s", "10m" since its start;
 * "2026-11-22T07:00:00.5Z" (also with a space, or +02:00; without a zone: UTC), or "@1763794800.5",
 * seconds since 1970. A time before the start is 0. Errors: ERR_USAGE, which names `option`. */
MUST_CHECK struct err *when_parse(const char *option, const char *text, uint64_t wall_anchor_ns,
				  uint64_t *ret);
