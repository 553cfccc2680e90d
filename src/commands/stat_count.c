/*
 * stat_count: see stat_count.h.
 */
#include "commands/stat_count.h"

#include <string.h>

#include "commands/stat_table.h"
#include "model/filter.h"
#include "options.h"

/* Counters know names of events only: refuse options that need more. */
static struct err *check_options(const struct options *o)
{
	const char *what = o->limit                                ? "--limit"
			   : o->until                              ? "--until"
			   : o->stack_set && o->stack != STACK_OFF ? "--stack"
			   : o->bytes_set       ? "--string-bytes or --bulk-bytes"
			   : o->may_drop        ? "--may-drop"
			   : o->ring_bytes      ? "--ring-size"
			   : o->redact != UNSET ? "--redact"
						: NULL;
	if (o->by && !stat_table_can_count(o->by))
		return err_with_hint(
		    err_create(ERR_USAGE, "--count cannot count by %s: only names are counted",
			       o->by),
		    "by event, category, theme, documented, process, pid, ppid, python or "
		    "children; or without --count");
	if (o->sort && strcmp(o->sort, "events") != 0 && strcmp(o->sort, "key") != 0)
		return err_with_hint(
		    err_create(ERR_USAGE, "--count cannot sort by %s: it takes no times", o->sort),
		    "sort by events or key; or without --count");
	if (what)
		return err_with_hint(
		    err_create(ERR_USAGE, "%s has no meaning with --count, which takes names alone",
			       what),
		    "without --count, events are taken with their arguments and stacks");
	return NULL;
}

/* The same of -Y. */
static struct err *check_filter(const struct options *o)
{
	CLEANUP(filter) struct filter *f = NULL;
	struct err *err = o->filter ? filter_compile(o->filter, strlen(o->filter), NULL, &f) : NULL;
	if (err || !f || filter_is_of_names(f))
		return err;
	return err_with_hint(
	    err_create(ERR_USAGE, "--count takes names alone, and -Y \"%s\" tests more than that",
		       o->filter),
	    "event, category, theme and documented are of names; or without --count");
}

struct err *stat_count_check(const struct options *o)
{
	struct err *err = check_options(o);
	return err ? err : check_filter(o);
}
