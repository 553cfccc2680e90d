/*
 * captures: several captures given on the command line, to be merged.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct merge_input;
struct options;
struct trace;

struct captures {
	struct merge_input *inputs; /* [n]; each owns its trace */
	size_t n;
	char *hosts; /* owns the names that --host gives */
};
/* Open o->args, with --offset and --host. Damage is reported on standard error. whole: read pipes
 * to their end. */
MUST_CHECK struct err *captures_open(const struct options *o, bool whole, struct captures *ret);
/* After the merge: report damage that was found late, and files of which parts were left out. */
void captures_damage_say(const struct options *o, const struct captures *c);
void captures_fini(struct captures *c);

/* Open o->args, one capture or several that are merged into an unnamed file. Unless `follow` is
 * set, pipes are read to their end. If it is set and one of several is still being written, a
 * process of its own goes on merging: the trace is then one that grows, and the process ends with
 * this one. */
MUST_CHECK struct err *captures_open_as_one(const struct options *o, bool follow,
					    struct trace **ret);
