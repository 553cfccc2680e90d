/*
 * commands: the table of commands. How to add one: command.h.
 */
#include "command.h"

#include <string.h>

/* clang-format off */
#define TARGET_OPTIONS (OPT_TARGET | OPT_PYTHON | OPT_CAPTURE | OPT_OUTPUT)
const struct command commands[] = {
	{
		.name = NULL,
		.args = "[FILE | -p PID[,PID…] | -- PROGRAM [ARG…]]",
		.doc = "attach, launch or open a capture, and look at it",
		.about = "Attaches to running Python processes, or runs a program, and shows their audit events as they come; or "
			 "opens a capture, also one that is still being written. A dash as FILE is standard "
			 "input: a capture or JSON lines, told apart by the first bytes. Without any of them the start page lists running Python processes, captures and lessons. When "
			 "standard output is no terminal, events are printed as \"auditview print\" does.",
		.max_args = 1,
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_FILTER | OPT_FORMAT | OPT_WIDE | OPT_COLOR | OPT_TERMINAL | OPT_CONFIG |
			   OPT_LIST_FIELDS,
		.run = cmd_view,
	},
	{
		.name = "record",
		.args = "-o FILE (-p PID[,PID…] | -- PROGRAM [ARG…])",
		.doc = "capture into a file, without a screen",
		.about = "Writes the events of processes, or of a program it runs, to a capture file.",
		.options = OPT_ALWAYS | TARGET_OPTIONS,
		.run = cmd_record,
	},
	{
		.name = "print",
		.args = "(FILE | -p PID[,PID…] | -- PROGRAM [ARG…])",
		.doc = "one line per event on standard output, as strace does",
		.about = "Prints events as text, JSON lines, CSV or TSV. A program that it launches has its standard output sent to "
			 "standard error, so that a pipe carries events alone; with -o the events go to that file and the program's "
			 "streams are left as they are.",
		.max_args = 1,
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_FILTER | OPT_FORMAT | OPT_WIDE | OPT_COLOR,
		.run = cmd_print,
	},
	{
		.name = "export",
		.args = "FILE --format FMT [-o OUT] [-Y FILTER]",
		.doc = "turn a capture into another format",
		.about = "Writes the events of a capture, or those that a filter matches, to a file, or to standard output without -o.",
		.min_args = 1, .max_args = 1,
		.options = OPT_ALWAYS | OPT_FORMAT | OPT_OUTPUT | OPT_FILTER,
		.run = cmd_export,
	},
	{
		.name = "import",
		.args = "IN -o FILE",
		.doc = "turn JSON lines into a capture",
		.about = "Reads what \"export --format jsonl\" wrote, without loss, and any JSON lines with at least \"event\", as a logger with "
			 "sys.addaudithook writes them. A line that cannot be taken is left out and said with its number; the status is then 1. "
			 "Secrets stay as they are. A dash as IN is standard input.",
		.min_args = 1, .max_args = 1,
		.options = OPT_ALWAYS | OPT_OUTPUT,
		.run = cmd_import,
	},
	{
		.name = "stat",
		.args = "FILE [--by KEY] [-Y FILTER]",
		.doc = "count the events of a capture, as strace -c does",
		.about = "A table of counts, grouped by event, category, theme, caller, file, thread, process or stack.",
		.min_args = 1, .max_args = 1,
		.options = OPT_ALWAYS | OPT_FILTER | OPT_STAT | OPT_JSON,
		.run = cmd_stat,
	},
	{
		.name = "diff",
		.args = "A B",
		.doc = "what capture B does that capture A does not",
		.about = "Compares events, files, hosts, commands and callers of two captures.",
		.min_args = 2, .max_args = 2,
		.options = OPT_ALWAYS | OPT_FILTER | OPT_JSON | OPT_SHOW,
		.run = cmd_diff,
	},
	{
		.name = "events",
		.args = "[PATTERN]",
		.doc = "list the audit events that Python knows",
		.about = "The catalogue: every event of CPython 3.8 and later, its arguments, theme and the versions that raise it.",
		.max_args = 1,
		.options = OPT_ALWAYS | OPT_PYTHON | OPT_CATALOG | OPT_JSON | OPT_WIDE,
		.run = cmd_events,
	},
	{
		.name = "explain",
		.args = "EVENT-or-API",
		.doc = "what an event means and what raises it",
		.about = "Meaning, arguments, what raises it, since when, and what escapes it.",
		.min_args = 1, .max_args = 1,
		.options = OPT_ALWAYS | OPT_PYTHON | OPT_JSON | OPT_COLOR,
		.run = cmd_explain,
	},
	{
		.name = "try",
		.args = "(EVENT | -c CODE | SCRIPT)",
		.doc = "run an example or your own code and show its events",
		.about = "Runs the example of an event, code, or a script under the tracer and shows only the events that it caused itself.",
		.max_args = 64,
		.options = OPT_ALWAYS | OPT_PYTHON | OPT_TRY | OPT_SHOW,
		.run = cmd_try,
	},
	{
		.name = "lesson",
		.args = "[NUMBER]",
		.doc = "learn what Python does, step by step",
		.about = "Lists the lessons, or opens one.",
		.max_args = 1,
		.options = OPT_ALWAYS | OPT_PYTHON | OPT_SHOW,
		.run = cmd_lesson,
	},
	{
		.name = "doctor",
		.args = "[PID]",
		.doc = "can a process be attached to, and if not, why and what to do",
		.about = "Checks each precondition of attaching, for this machine or for one process, names the setting that cures what does "
			 "not hold, and lists the audit hooks the process already has. Nothing is changed and nothing is stopped.",
		.max_args = 1,
		.options = OPT_ALWAYS | OPT_JSON | OPT_COLOR,
		.run = cmd_doctor,
	},
};
const size_t n_commands = ARRAY_LEN(commands);
/* clang-format on */

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		if (name && c->name ? strcmp(name, c->name) == 0 : !name && !c->name)
			return c;
	}
	return NULL;
}
