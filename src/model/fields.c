/*
 * fields: see fields.h.
 *
 * To add a field: an id in fields.h, a row here, and its value in filter_value.c (by domain);
 * tests/filter has a table of expressions in which every field must occur. If it is a group, which
 * `stat --by` counts by: src/commands/stat_table.c, and a case in tests/filter/commands.py, which
 * counts by every word.
 */
#include "model/fields.h"

#include <string.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/filter_ready.h"

/* clang-format off */
const struct field fields[FIELD_COUNT] = {
	[FIELD_EVENT]      = { "event",      DOMAIN_NAME,   FIELD_TEXT,        true,  "name of the audit event",                       "event == \"open\"" },
	[FIELD_CATEGORY]   = { "category",   DOMAIN_NAME,   FIELD_TEXT,        true,  "its name up to the first dot",                  "category in {socket, ssl}" },
	[FIELD_THEME]      = { "theme",      DOMAIN_NAME,   FIELD_TEXT,        true,  "what it is about; @network is short for it",    "theme != \"import\"" },
	[FIELD_DOCUMENTED] = { "documented", DOMAIN_NAME,   FIELD_BOOL,        true,  "is it in Python's table of audit events",       "not documented" },
	[FIELD_PID]        = { "pid",        DOMAIN_THREAD, FIELD_NUMBER,      true,  "process",                                       "pid in {41, 42}" },
	[FIELD_PPID]       = { "ppid",       DOMAIN_THREAD, FIELD_NUMBER,      true,  "parent process",                                "ppid == 41" },
	[FIELD_TID]        = { "tid",        DOMAIN_THREAD, FIELD_NUMBER,      true,  "thread, as the kernel numbers it",              "tid == 4123" },
	[FIELD_THREAD]     = { "thread",     DOMAIN_THREAD, FIELD_TEXT,        true,  "name of the thread, or its number",             "thread == \"MainThread\"" },
	[FIELD_INTERP]     = { "interp",     DOMAIN_THREAD, FIELD_NUMBER,      true,  "interpreter, 0 is the main one",                "interp > 0" },
	[FIELD_PYTHON]     = { "python",     DOMAIN_THREAD, FIELD_VERSION,     true,  "version of Python",                             "python >= 3.12" },
	[FIELD_PROCESS]    = { "process",    DOMAIN_THREAD, FIELD_TEXT,        true,  "name of the process: app.py, -m http.server",   "process ~ \"pytest\"" },
	[FIELD_HOST]       = { "host",       DOMAIN_THREAD, FIELD_TEXT,        true,  "machine of the process; of the network: peer",  "host == \"web-1\"" },
	[FIELD_CHILDREN]   = { "children",   DOMAIN_THREAD, FIELD_BOOL,        true,  "is the process a child that was followed",      "children and @network" },
	[FIELD_SEQ]        = { "seq",        DOMAIN_EVENT,  FIELD_NUMBER,      false, "number of the event, from 0",                   "seq >= 1000" },
	[FIELD_TIME]       = { "time",       DOMAIN_EVENT,  FIELD_NANOSECONDS, false, "since the start of the capture, or wall clock", "time > 2.5s" },
	[FIELD_CUT]        = { "cut",        DOMAIN_EVENT,  FIELD_BOOL,        false, "does the capture lack a part of it",            "cut and event == \"compile\"" },
	[FIELD_DESCRIPTOR] = { "descriptor", DOMAIN_EVENT,  FIELD_TEXT,        false, "what a descriptor in its arguments was",        "descriptor contains \"/etc/\"" },
	[FIELD_TASK]       = { "task",       DOMAIN_EVENT,  FIELD_TASKS,       true,  "its asyncio task, by name; .id .awaited_by",    "task.awaited_by == \"main\"" },
	[FIELD_ARGS]       = { "args",       DOMAIN_ARGS,   FIELD_VALUES,      false, "any argument; args.NAME, args[0]: one of them", "args.mode == \"w\"" },
	[FIELD_FILE]       = { "file",       DOMAIN_ARGS,   FIELD_TEXT,        true,  "file that the event names; both of a rename",   "file ~ \"\\.env$\"" },
	[FIELD_PEER]       = { "peer",       DOMAIN_ARGS,   FIELD_TEXT,        true,  "host that the event talks to; a Unix socket",   "peer == 10.0.0.7" },
	[FIELD_PORT]       = { "port",       DOMAIN_ARGS,   FIELD_NUMBER,      true,  "port of that host",                             "port in {80, 443}" },
	[FIELD_COMMAND]    = { "command",    DOMAIN_ARGS,   FIELD_TEXT,        true,  "command that is run, as a line for the shell",  "command contains \"git push\"" },
	[FIELD_STACK]      = { "stack",      DOMAIN_STACK,  FIELD_FRAMES,      true,  "any frame: .func .file .line .module .package", "stack.func == \"load_plugin\"" },
	[FIELD_TOP]        = { "top",        DOMAIN_STACK,  FIELD_FRAMES,      true,  "the innermost frame, with the same members",    "top.file contains \"/site-packages/\"" },
	[FIELD_CALLER]     = { "caller",     DOMAIN_STACK,  FIELD_FRAMES,      true,  "the innermost frame outside the library",       "caller.file contains \"app/\"" },
	[FIELD_DEPTH]      = { "depth",      DOMAIN_STACK,  FIELD_NUMBER,      true,  "frames of the stack",                           "depth > 20" },
	[FIELD_PACKAGE]    = { "package",    DOMAIN_STACK,  FIELD_TEXT,        true,  "distribution of the innermost frame outside the library", "package == \"requests\"" },
};
/* clang-format on */

const char *const frame_members[MEMBER_COUNT] = { [MEMBER_FUNC] = "func",
						  [MEMBER_FILE] = "file",
						  [MEMBER_LINE] = "line",
						  [MEMBER_MODULE] = "module",
						  [MEMBER_PACKAGE] = "package",
						  [MEMBER_ID] = "id",
						  [MEMBER_AWAITED_BY] = "awaited_by" };

enum field_id field_find(const char *name, size_t n)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (strlen(fields[i].name) == n && !memcmp(fields[i].name, name, n))
			return (enum field_id)i;
	return FIELD_COUNT;
}

enum frame_member field_member_find(const char *name, size_t n)
{
	for (int i = MEMBER_NONE + 1; i < MEMBER_COUNT; i++)
		if (strlen(frame_members[i]) == n && !memcmp(frame_members[i], name, n))
			return (enum frame_member)i;
	return MEMBER_COUNT;
}

bool field_has_member(enum field_id field, enum frame_member member)
{
	bool is_of_task = member == MEMBER_ID || member == MEMBER_AWAITED_BY;
	return member > MEMBER_NONE && member < MEMBER_COUNT &&
	       fields[field].type == (is_of_task ? FIELD_TASKS : FIELD_FRAMES);
}

void fields_list(struct strbuf *to)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char *doc = tr(fields[i].doc);

		strbuf_addf(to, "%-11s %s%*s %s\n", fields[i].name, doc, utf8_padding(doc, 48), "",
			    fields[i].example);
	}
	strbuf_adds(to, "\n");
	for (size_t i = 0; i < READY_FILTERS; i++)
		strbuf_addf(to, tr("%-20s ready filter: %s\n"), ready_filters[i].name,
			    tr(ready_filters[i].doc));
	strbuf_adds(to, "\n");
	strbuf_adds(
	    to,
	    tr("EVENT.NAME  an argument of one event:                        open.path ~ "
	       "\"\\.env$\"\n"
	       "a bare word is an event or a category, a.b* a glob, @word a theme, /…/ a regular "
	       "expression over event\n"
	       "names, \"text\" anything that has this text in its name or arguments.\n"
	       "operators   == != < <= > >= ~ !~ contains in {…}, and or not (&& || !), ( ); & "
	       "asks "
	       "for bits\n"
	       "            (also eq ne lt le gt ge matches =~ AND OR NOT)\n"
	       "units       ns us ms s m h after times; k M G (1024) after other numbers; 0x 0o "
	       "0b;\n"
	       "            names as O_CREAT, AF_INET, SIGTERM\n"));
}
