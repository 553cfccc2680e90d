/*
 * stat_count: what `auditview stat --count` can and cannot do.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct options;

/* Refuse options that need more than names of events, before anything is started. ERR_USAGE. */
MUST_CHECK struct err *stat_count_check(const struct options *o);
