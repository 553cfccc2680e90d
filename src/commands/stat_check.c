/*
 * stat_check: see stat_check.h.
 */
#include "commands/stat_check.h"

#include <string.h>

#include "base/strbuf.h"
#include "commands/given.h"
#include "commands/open_capture.h"
#include "commands/stat_count.h"
#include "commands/stat_import.h"
#include "commands/stat_table.h"
#include "model/fields.h"
#include "model/summary_ready.h"
#include "options.h"

/* Does the table name callers, as its keys or beside them? `by` is a key, not a ready summary. */
static bool shows_callers(const struct options *o, const char *by)
{
	return !o->coverage && !o->count && (!strcmp(by, "caller") || stat_table_has_callers(by));
}

/* Do its keys come from the stacks of Python? */
static bool is_of_stacks(const char *by)
{
	enum field_id field = field_find(by, strlen(by));
	return field != FIELD_COUNT && fields[field].domain == DOMAIN_STACK;
}

static struct err *check_callers(const struct options *o, bool is_live)
{
	const char *by = o->by ? o->by : "event";
	const struct ready_summary *ready = ready_summary_find(by);
	const char *key = ready ? ready->by : by;
	bool has_stacks = !is_live || o->stack == STACK_PYTHON || o->stack == STACK_BOTH;
	if (!has_stacks && !o->count && is_of_stacks(key))
		return err_with_hint(
		    err_create(ERR_USAGE, "--by %s needs the stacks of Python", by),
		    "--stack python, which is the default, takes them; so does --stack both");
	struct strbuf what = { 0 };
	strbuf_adds(&what, o->coverage ? "--coverage" : o->count ? "--count" : "--by ");
	strbuf_adds(&what, o->coverage || o->count ? "" : by);
	struct err *err = given_check_mine(o, strbuf_str(&what), shows_callers(o, key));
	strbuf_fini(&what);
	return err;
}

static struct err *check_sort(const struct options *o)
{
	if (!o->sort)
		return NULL;
	bool is_import = o->by && !strcmp(o->by, "import");
	return is_import ? stat_import_check_sort(o->sort) : stat_table_check_sort(o->sort);
}

/* Options that say which events to capture are for a live target; of a capture they would have to
 * be ignored. */
static struct err *check_capture(const struct options *o)
{
	const char *name = o->limit             ? "limit"
			   : o->until           ? "until"
			   : o->follow != UNSET ? "follow"
						: NULL;
	if (!o->n_args)
		return err_with_hint(
		    err_create(ERR_USAGE,
			       "stat needs one thing to count: a capture, -p PID or -- PROGRAM"),
		    "auditview stat FILE, auditview stat -p PID, auditview stat -- PROGRAM");
	if (name)
		return err_create(
		    ERR_USAGE, "--%s needs a process to attach to, or a program to launch", name);
	struct err *err = NULL;
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	return err;
}

struct err *stat_check(const struct options *o, bool is_live)
{
	struct err *err = is_live ? given_check(o, false) : check_capture(o);
	if (!err && o->count)
		err = stat_count_check(o);
	if (!err)
		err = check_sort(o);
	return err ? err : check_callers(o, is_live);
}
