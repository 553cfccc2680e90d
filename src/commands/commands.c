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
		.args = "[FILE… | -p PID[,PID…] | -- PROGRAM [ARG…]]",
		.doc = "attach, launch or open a capture, and look at it",
		.about = "Attaches to running Python processes, or runs a program, and shows their audit events as they come; or "
			 "opens a capture, also one that is still being written. A dash as FILE is standard "
			 "input, followed while it is written: a capture or JSON lines, told apart by the first bytes. Several captures are shown as one, ordered by wall clock, with the field \"host\". Without any of them the start page lists running Python processes, captures and lessons. When "
			 "standard output is no terminal, events are printed as \"auditview print\" does.",
		.max_args = 1000,
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_FILTER | OPT_MINE | OPT_FORMAT | OPT_WIDE | OPT_COLOR | OPT_TERMINAL | OPT_CONFIG |
			   OPT_LIST_FIELDS | OPT_KEEP | OPT_HOLD,
		.run = cmd_view,
	},
	{
		.name = "record",
		.args = "-o FILE (-p PID[,PID…] | -- PROGRAM [ARG…])",
		.doc = "capture into a file, without a screen",
		.about = "Writes the events of processes, or of a program it runs, to a capture file; with -o - to standard output, for "
			 "a reader at the other end of a pipe.",
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_ROTATE | OPT_KEEP | OPT_HOLD,
		.run = cmd_record,
	},
	{
		.name = "print",
		.args = "(FILE… | -p PID[,PID…] | -- PROGRAM [ARG…])",
		.doc = "one line per event on standard output, as strace does",
		.about = "Prints events as text, JSON lines, CSV or TSV. A program that it launches has its standard output sent to "
			 "standard error, so that a pipe carries events alone; with -o the events go to that file and the program's "
			 "streams are left as they are.",
		.max_args = 1000,
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_FILTER | OPT_MINE | OPT_FORMAT | OPT_WIDE | OPT_COLOR | OPT_HOLD,
		.run = cmd_print,
	},
	{
		.name = "export",
		.args = "(FILE… --format FMT [-Y FILTER] | --schema FORM) [-o OUT]",
		.doc = "turn a capture into another format",
		.about = "Writes the events of a capture, or those that a filter matches, to a file, or to standard output without -o.",
		.min_args = 1, .max_args = 1000,
		.options = OPT_ALWAYS | OPT_FORMAT | OPT_OUTPUT | OPT_FILTER | OPT_MINE | OPT_SCHEMA,
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
		.name = "merge",
		.args = "A B… -o FILE",
		.doc = "join captures of several hosts or processes on one time axis",
		.about = "Orders the events of several captures by wall clock. The host of each becomes the field \"host\", which filters, columns, "
			 "\"stat --by host\" and exports know; the same pid on two hosts stays two processes. \"cut -Y 'host == …'\" gives each back. "
			 "A file whose capture has no host name gives its own name.",
		.min_args = 1, .max_args = 1000,
		.options = OPT_ALWAYS | OPT_OUTPUT | OPT_MERGE,
		.run = cmd_merge,
	},
	{
		.name = "cut",
		.args = "FILE [--from T] [--to T] [-Y FILTER] -o OUT",
		.doc = "make a capture of a part of another",
		.about = "Writes the events of a span of time, or those that a filter matches, to a new capture, with the processes, threads and "
			 "stacks that they need.",
		.min_args = 1, .max_args = 1,
		.options = OPT_ALWAYS | OPT_OUTPUT | OPT_FILTER | OPT_MINE | OPT_CUT,
		.run = cmd_cut,
	},
	{
		.name = "stat",
		.args = "(FILE… | -p PID[,PID…] | -- PROGRAM [ARG…]) [--by KEY] [-Y FILTER]",
		.doc = "count the events of a capture or of a live target, as strace -c does",
		.about = "A table of counts, grouped by event, category, theme, caller, file, thread, process, stack or another field of filters. For a live target it "
			 "is printed at the end, and with --interval also meanwhile. A program that it launches has its standard output "
			 "sent to standard error; with -o the table goes to that file, and the program's streams are left as they are.",
		.max_args = 1000,
		.options = OPT_ALWAYS | TARGET_OPTIONS | OPT_FILTER | OPT_MINE | OPT_STAT | OPT_JSON,
		.run = cmd_stat,
	},
	{
		.name = "diff",
		.args = "A B",
		.doc = "what capture B does that capture A does not",
		.about = "Compares events, files, hosts, commands and callers of two captures.",
		.min_args = 2, .max_args = 2,
		.options = OPT_ALWAYS | OPT_FILTER | OPT_MINE | OPT_JSON | OPT_SHOW | OPT_EXIT,
		.run = cmd_diff,
	},
	{
		.name = "profile",
		.args = "FILE… [-o PROFILE]",
		.doc = "what each package of a program does, as a text to keep",
		.about = "Writes which files, hosts, commands, modules and other events each installed package of the captures causes, and the "
			 "program itself. Folders have names, and numbers and random names are replaced, so that the text is the same for each "
			 "run of the same program; it is sorted, and made to be kept in a repository.",
		.min_args = 1, .max_args = 1000,
		.options = OPT_ALWAYS | OPT_OUTPUT | OPT_FILTER,
		.run = cmd_profile,
	},
	{
		.name = "check",
		.args = "PROFILE (FILE | -p PID | -- PROGRAM [ARG…])",
		.doc = "what a run does that a profile does not have",
		.about = "Lists what is new in a capture, in a program that it runs, or in a process until it ends, with the stack of the first event "
			 "of each. Exit status 0: nothing is new; 3: something is. If nothing is new and a program was run, the status is the "
			 "program's. A program that it runs has its standard output sent to standard error.",
		.min_args = 1, .max_args = 2,
		.options = OPT_ALWAYS | OPT_TARGET | OPT_PYTHON | OPT_FILTER | OPT_JSON,
		.run = cmd_check,
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
		.args = "[PID [--stacks]]",
		.doc = "can a process be attached to, and if not, why and what to do",
		.about = "Checks each precondition of attaching, for this machine or for one process, names the setting that cures what does "
			 "not hold, and lists the audit hooks the process already has. Nothing is changed and nothing is stopped. With --stacks it "
			 "prints what each thread is doing now: its Python stack, the innermost frame first, where it waits, and whether it holds the "
			 "GIL. A stack is shown only if the thread did not run while it was read. The line of an innermost frame that runs is the one "
			 "that Python noted last.",
		.max_args = 1,
		.options = OPT_ALWAYS | OPT_JSON | OPT_COLOR | OPT_STACKS,
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
