/*
 * json_members: see json_members.h.
 */
#include "export/json_members.h"

#include <stdbool.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/trace.h"

enum level { /* the object that has the member */
	     LEVEL_LINE,
	     LEVEL_PROCESS,
	     LEVEL_NOTE,
	     LEVEL_TASK,
	     LEVEL_PYTHON_FRAME,
	     LEVEL_NATIVE_FRAME,
	     LEVEL_MARK
};

enum kind {
	KIND_VERSION, /* of the schema */
	KIND_COUNT,   /* an integer from 0 to 2^64 - 1 */
	KIND_BITS,    /* an integer from 0 to 255 */
	KIND_BOOL,
	KIND_TEXT,
	KIND_TEXT_OR_NULL,
	KIND_TIME, /* 2026-11-22T07:00:00.123456789Z */
	KIND_NOTE, /* a name of writer_note_kind_name() */
	KIND_VALUE,
	KIND_VALUES, /* an object whose members are values */
	KIND_TEXTS,  /* an object whose members are texts */
	KIND_LIST,   /* an array of texts */
	KIND_PROCESS,
	KIND_TASK,
	KIND_NOTES,
	KIND_STACK
};

struct member {
	enum level level;
	enum kind kind;
	bool is_optional;
	const char *name;
	const char *doc;    /* NULL: the name says it */
	const char *column; /* of LEVEL_LINE: its type in ClickHouse */
};

/* In the order in which export_jsonl.c writes them. */
/* clang-format off */
static const struct member members[] = {
	{ LEVEL_LINE, KIND_VERSION, false, "v", "version of this schema", "UInt8" },
	{ LEVEL_LINE, KIND_COUNT, false, "seq", "number of the event in its capture", "UInt64" },
	{ LEVEL_LINE, KIND_TIME, false, "time", "wall clock, UTC", "String" },
	{ LEVEL_LINE, KIND_COUNT, false, "ts_ns", "ns since the start of the capture", "UInt64" },
	{ LEVEL_LINE, KIND_TEXT, true, "host.name", "machine that the process runs on", "String" },
	{ LEVEL_LINE, KIND_COUNT, false, "pid", NULL, "UInt32" },
	{ LEVEL_LINE, KIND_COUNT, true, "unnumbered", "tells processes apart whose pid is unknown", "UInt32" },
	{ LEVEL_LINE, KIND_COUNT, false, "tid", NULL, "UInt64" },
	{ LEVEL_LINE, KIND_COUNT, true, "ns_tid", "tid in the innermost pid namespace", "UInt32" },
	{ LEVEL_LINE, KIND_COUNT, false, "interp", "interpreter, 0 is the main one", "UInt32" },
	{ LEVEL_LINE, KIND_TEXT, false, "thread", NULL, "String" },
	{ LEVEL_LINE, KIND_TEXT, false, "python", "version, such as 3.12.1", "String" },
	{ LEVEL_LINE, KIND_TEXT, false, "event", NULL, "String" },
	{ LEVEL_LINE, KIND_TEXT, false, "category", "name of the event up to its first dot", "String" },
	{ LEVEL_LINE, KIND_TEXT, false, "theme", NULL, "String" },
	{ LEVEL_LINE, KIND_BOOL, false, "documented", "in Python's table of audit events", "UInt8" },
	{ LEVEL_LINE, KIND_PROCESS, true, "process",
	  "with the first event of each process; host.name, boot_id, pid and start_ticks identify it everywhere", "String" },
	{ LEVEL_LINE, KIND_NOTES, true, "notes", "what happened before this event: losses, exits, messages", "String" },
	{ LEVEL_LINE, KIND_BITS, true, "flags", "1 stack cut, 2 arguments cut, 4 native part cut, 8 native part not merged", "UInt8" },
	{ LEVEL_LINE, KIND_TASK, true, "task", "asyncio task that raised the event", "String" },
	{ LEVEL_LINE, KIND_TEXTS, true, "descriptors", "of arguments that are descriptors: what these were when the recorder looked, soon after the event", "String" },
	{ LEVEL_LINE, KIND_VALUE, true, "locals",
	  "local variables of a thread that was held: of each frame, innermost first, func, file, line and vars, by name; vars is null if they are not known", "String" },
	{ LEVEL_LINE, KIND_VALUES, false, "args", "by name, or by number if the event is not in the catalogue", "String" },
	{ LEVEL_LINE, KIND_TEXT, true, "package", "distribution of the innermost frame outside the standard library", "String" },
	{ LEVEL_LINE, KIND_TEXT, true, "package_version", "? if it is unknown", "String" },
	{ LEVEL_LINE, KIND_STACK, false, "stack", "innermost frame first", "String" },

	{ LEVEL_PROCESS, KIND_TEXT, false, "name", NULL, NULL },
	{ LEVEL_PROCESS, KIND_COUNT, false, "ppid", NULL, NULL },
	{ LEVEL_PROCESS, KIND_COUNT, false, "python_hex", "sys.hexversion", NULL },
	{ LEVEL_PROCESS, KIND_TEXT, true, "boot_id", "random number that the kernel draws at each boot", NULL },
	{ LEVEL_PROCESS, KIND_COUNT, true, "start_ticks", "start time, clock ticks since boot: field 22 of /proc/PID/stat", NULL },
	{ LEVEL_PROCESS, KIND_COUNT, true, "ns_pid", "pid in the innermost pid namespace", NULL },
	{ LEVEL_PROCESS, KIND_TEXT, true, "exe", NULL, NULL },
	{ LEVEL_PROCESS, KIND_TEXT, true, "cwd", NULL, NULL },
	{ LEVEL_PROCESS, KIND_TEXT, true, "project", "folder of the project that it was started in", NULL },
	{ LEVEL_PROCESS, KIND_VALUE, true, "argv", NULL, NULL },
	{ LEVEL_PROCESS, KIND_VALUE, true, "environ", NULL, NULL },
	{ LEVEL_PROCESS, KIND_VALUE, true, "prefixes", "folders of the Python's own code", NULL },
	{ LEVEL_PROCESS, KIND_VALUE, true, "packages", "installed distributions: name, version, e or -, and their paths", NULL },
	{ LEVEL_PROCESS, KIND_COUNT, false, "flags", NULL, NULL },
	{ LEVEL_PROCESS, KIND_COUNT, false, "start_ns", NULL, NULL },
	{ LEVEL_PROCESS, KIND_COUNT, true, "end_ns", NULL, NULL },
	{ LEVEL_PROCESS, KIND_COUNT, true, "exit_status", "as of wait(2)", NULL },
	{ LEVEL_PROCESS, KIND_COUNT, true, "n_lost", NULL, NULL },

	{ LEVEL_NOTE, KIND_NOTE, false, "kind", NULL, NULL },
	{ LEVEL_NOTE, KIND_COUNT, false, "ts_ns", NULL, NULL },
	{ LEVEL_NOTE, KIND_TEXT, true, "host.name", "if it is not that of the event", NULL },
	{ LEVEL_NOTE, KIND_COUNT, true, "pid", NULL, NULL },
	{ LEVEL_NOTE, KIND_COUNT, true, "unnumbered", NULL, NULL },
	{ LEVEL_NOTE, KIND_TEXT, true, "text", NULL, NULL },
	{ LEVEL_NOTE, KIND_COUNT, true, "a", NULL, NULL },
	{ LEVEL_NOTE, KIND_COUNT, true, "b", NULL, NULL },

	{ LEVEL_TASK, KIND_TEXT, false, "name", NULL, NULL },
	{ LEVEL_TASK, KIND_COUNT, false, "id", "address of the task object; 0 if it is unknown", NULL },
	{ LEVEL_TASK, KIND_LIST, false, "awaited_by", "names of the tasks that wait for it, nearest first", NULL },
	{ LEVEL_TASK, KIND_COUNT, true, "more", "further tasks that wait, whose names are not known", NULL },

	{ LEVEL_PYTHON_FRAME, KIND_TEXT, false, "func", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_TEXT, false, "file", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_COUNT, false, "line", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_COUNT, true, "first_line", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_COUNT, true, "end_line", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_COUNT, true, "column", NULL, NULL },
	{ LEVEL_PYTHON_FRAME, KIND_COUNT, true, "end_column", NULL, NULL },

	{ LEVEL_NATIVE_FRAME, KIND_TEXT_OR_NULL, false, "native", "function; null if it is unknown", NULL },
	{ LEVEL_NATIVE_FRAME, KIND_TEXT, false, "module", NULL, NULL },
	{ LEVEL_NATIVE_FRAME, KIND_COUNT, false, "offset", NULL, NULL },
	{ LEVEL_NATIVE_FRAME, KIND_TEXT, true, "file", NULL, NULL },
	{ LEVEL_NATIVE_FRAME, KIND_COUNT, true, "line", NULL, NULL },

	{ LEVEL_MARK, KIND_TEXT, false, "mark", NULL, NULL },
};
/* clang-format on */

/* ---- JSON Schema, https://json-schema.org/draft/2020-12/schema ---- */

static void add_object(struct strbuf *to, enum level level, const char *doc, unsigned indent);

/* {"description":…, and what follows it */
static void open_member(struct strbuf *to, const char *doc)
{
	strbuf_adds(to, "{ ");
	if (doc)
		strbuf_addf(to, "\"description\": \"%s\", ", doc);
}

static void add_member(struct strbuf *to, const struct member *m, unsigned indent)
{
	switch (m->kind) {
	case KIND_PROCESS: add_object(to, LEVEL_PROCESS, m->doc, indent); return;
	case KIND_TASK: add_object(to, LEVEL_TASK, m->doc, indent); return;
	case KIND_LIST:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"array\", \"items\": { \"type\": \"string\" }");
		break;
	case KIND_VERSION:
		open_member(to, m->doc);
		strbuf_adds(to, "\"const\": 1");
		break;
	case KIND_COUNT:
		open_member(to, m->doc);
		strbuf_adds(to, "\"$ref\": \"#/$defs/count\"");
		break;
	case KIND_BITS:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"integer\", \"minimum\": 0, \"maximum\": 255");
		break;
	case KIND_BOOL:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"boolean\"");
		break;
	case KIND_TEXT:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"string\"");
		break;
	case KIND_TEXT_OR_NULL:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": [\"string\", \"null\"]");
		break;
	case KIND_TIME:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"string\", \"pattern\": \"^[0-9]{4,}-[0-9]{2}-[0-9]{2}T"
				"[0-9]{2}:[0-9]{2}:[0-9]{2}\\\\.[0-9]{9}Z$\"");
		break;
	case KIND_NOTE:
		open_member(to, m->doc);
		strbuf_adds(to, "\"enum\": [");
		for (unsigned i = 0; i < NOTE_KIND_COUNT; i++)
			strbuf_addf(to, "%s\"%s\"", i ? ", " : "", writer_note_kind_name(i));
		strbuf_addc(to, ']');
		break;
	case KIND_VALUE:
		open_member(to, m->doc);
		strbuf_adds(to, "\"$ref\": \"#/$defs/value\"");
		break;
	case KIND_VALUES:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"object\", \"additionalProperties\": { \"$ref\": "
				"\"#/$defs/value\" }");
		break;
	case KIND_TEXTS:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"object\", \"additionalProperties\": { \"type\": "
				"\"string\" }");
		break;
	case KIND_NOTES:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"array\", \"items\": ");
		add_object(to, LEVEL_NOTE, NULL, indent);
		break;
	case KIND_STACK:
		open_member(to, m->doc);
		strbuf_adds(to, "\"type\": \"array\", \"items\": { \"oneOf\": [");
		for (enum level l = LEVEL_PYTHON_FRAME; l <= LEVEL_MARK; l++) {
			strbuf_adds(to, l > LEVEL_PYTHON_FRAME ? ", " : "");
			add_object(to, l, NULL, indent);
		}
		strbuf_adds(to, "] }");
		break;
	}
	strbuf_adds(to, " }");
}

/* "type" to "properties", without the braces around them; `indent` is that of the closing brace. */
static void add_members(struct strbuf *to, enum level level, unsigned indent)
{
	unsigned n = 0;
	strbuf_adds(to, "\"type\": \"object\", \"additionalProperties\": false,\n");
	strbuf_add_repeat(to, ' ', indent + 2);
	strbuf_adds(to, "\"required\": [");
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (members[i].level == level && !members[i].is_optional)
			strbuf_addf(to, "%s\"%s\"", n++ ? ", " : "", members[i].name);
	strbuf_adds(to, "],\n");
	strbuf_add_repeat(to, ' ', indent + 2);
	strbuf_adds(to, "\"properties\": {");
	n = 0;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].level != level)
			continue;
		strbuf_adds(to, n++ ? ",\n" : "\n");
		strbuf_add_repeat(to, ' ', indent + 4);
		strbuf_addf(to, "\"%s\": ", members[i].name);
		add_member(to, &members[i], indent + 4);
	}
	strbuf_addc(to, '\n');
	strbuf_add_repeat(to, ' ', indent + 2);
	strbuf_adds(to, "}");
}

static void add_object(struct strbuf *to, enum level level, const char *doc, unsigned indent)
{
	open_member(to, doc);
	add_members(to, level, indent);
	strbuf_addc(to, '\n');
	strbuf_add_repeat(to, ' ', indent);
	strbuf_addc(to, '}');
}

static void add_json(struct strbuf *to)
{
	strbuf_adds(to, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
			"  \"title\": \"JSON lines of auditview, schema 1: one object a line, one "
			"audit event an object\",\n  ");
	add_members(to, LEVEL_LINE, 0);
	strbuf_adds(to,
		    ",\n  \"$defs\": {\n    \"count\": { \"type\": \"integer\", \"minimum\": 0, "
		    "\"maximum\": 18446744073709551615 },\n    \"value\": { \"description\": "
		    "\"a Python value: see auditview-json(5), VALUES\", \"type\": [\"null\", "
		    "\"boolean\", \"number\", \"string\", \"array\", \"object\"] }\n  }\n}\n");
}

/* ---- ClickHouse ---- */

/* A JSON string in a pattern in a literal: both take backslashes away. */
#define SQL_STRING "(?:[^\"\\\\\\\\]|\\\\\\\\.)*"
#define SQL_FRAME  "\\\\{\"func\":\""
#define SQL_FUNCS  "extractAll(stack, '" SQL_FRAME "(" SQL_STRING ")\"')"
#define SQL_FILES  "extractAll(stack, '" SQL_FRAME SQL_STRING "\",\"file\":\"(" SQL_STRING ")\"')"
#define SQL_LINES                                                                                  \
	"extractAll(stack, '" SQL_FRAME SQL_STRING "\",\"file\":\"" SQL_STRING                     \
	"\",\"line\":([0-9]+)')"

/* Objects have no type there that keeps them as they are, so they are columns of JSON text, as
 * "export -F clickhouse" writes them. Columns that are computed are not part of SELECT *, so that a
 * row comes back as the line that went in; ClickHouse 18.16 finds no computed column in the
 * expression of another. Within the text of a stack, {"func":" begins a Python frame and nothing
 * else: in a string the quotes are escaped. */
static void add_clickhouse(struct strbuf *to)
{
	strbuf_adds(to, "-- JSON lines of auditview, schema 1: auditview export -F clickhouse\n"
			"CREATE TABLE IF NOT EXISTS auditview\n(\n");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];
		if (m->level == LEVEL_LINE)
			strbuf_addf(to, "    `%s` %s,%s%s%s\n", m->name, m->column,
				    m->doc ? " -- " : "", m->doc ? m->doc : "",
				    m->kind >= KIND_VALUES ? ", as JSON text" : "");
	}
	strbuf_adds(
	    to, "    `day` Date MATERIALIZED toDate(parseDateTimeBestEffortOrZero(time, 'UTC')),\n"
		"    -- of the Python frames, innermost first, still with JSON's escapes\n"
		"    `funcs` Array(String) ALIAS " SQL_FUNCS ",\n"
		"    `files` Array(String) ALIAS " SQL_FILES ",\n"
		"    `lines` Array(String) ALIAS " SQL_LINES ",\n"
		"    -- the innermost of them that is not in a folder of Python or of packages\n"
		"    `caller` String ALIAS arrayFirst(c -> NOT match(c, "
		"'^<frozen|/lib(64)?/python3[^/]*/|/(site|dist)-packages/'),\n"
		"        arrayMap((f, l, n) -> concat(f, ':', l, ' ', n),\n"
		"            " SQL_FILES ",\n            " SQL_LINES ",\n            " SQL_FUNCS
		"))\n)\n"
		"ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (event, time, seq);\n");
}

void json_members_schema(struct strbuf *to, const char *name)
{
	if (!strcmp(name, "json"))
		add_json(to);
	else
		add_clickhouse(to);
}
