/*
 * stat_check: which options of `auditview stat` go together.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct options;

/* Refuse, before anything is started or written, options that would have to be ignored: ERR_USAGE.
 * is_live: of a process or a program, not of a capture. */
MUST_CHECK struct err *stat_check(const struct options *o, bool is_live);
