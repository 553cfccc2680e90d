/*
 * options: the table, and the parser that uses it. Help and manual: options_doc.c;
 * completion: commands/complete.c.
 *
 * The command line is read in two steps. First every word becomes an option with its row, a
 * positional word, or, after "--", the program. The first positional word is the command. Only then
 * are the options checked against the command, so options may precede the command.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "command.h"
#include "model/group_words.h"

#define DEFAULT_STRING_BYTES 4096
#define DEFAULT_BULK_BYTES   256
#define DEFAULT_STACK_BYTES  65536
#define DEFAULT_HOLD_LOCALS  (128 << 10)

static const char *const stack_words[] = { "off", "python", "native", "both", NULL };
static const char *const on_exit_words[] = { "wait", "detach", "term", "kill", NULL };
static const char *const color_words[] = { "auto", "always", "never", NULL };
static const char *const shell_words[] = { "bash", "zsh", "fish", NULL };
static const char *const format_words[] = { "text",       "json",     "jsonl",      "csv",
					    "tsv",        "perfetto", "chrome",     "folded",
					    "speedscope", "sqlite",   "clickhouse", NULL };
static const char *const schema_words[] = { "clickhouse", "json", NULL };

/*
 * How to add an option: a field in struct options, a row here. The row's groups decide which
 * commands take it (command.h). Keep the order: it is the order of --help.
 * tests/unit/test_options.c proves that no two rows share a name or a letter.
 */
/* clang-format off */
#define AT(field) .off = offsetof(struct options, field)
const struct option_row options_table[] = {
	/* what to look at */
	{ "pid", 'p', .kind = OPTION_PIDS, AT(pids), .groups = OPT_TARGET, .min = 1, .max = INT_MAX, .arg = "PID[,PID…]",
	  .doc = "Attach to these running processes. May be repeated." },
	{ "user", 'u', .kind = OPTION_TEXT, AT(user), .groups = OPT_TARGET, .needs = NEED_PROGRAM, .arg = "USER",
	  .doc = "Run the program as this user." },
	{ "python", 0, .kind = OPTION_TEXT, AT(python), .groups = OPT_PYTHON, .needs = NEED_SCRIPT, .arg = "PYTHON",
	  .doc = "The interpreter that runs a *.py file or the code to try: a path or a version such as 3.12. "
		 "In the catalogue: the version to show." },
	{ "on-exit", 0, .kind = OPTION_CHOICE, AT(on_exit), .groups = OPT_TARGET, .needs = NEED_PROGRAM, .words = on_exit_words, .arg = "wait|detach|term|kill",
	  .doc = "What happens to a launched program when the viewer quits (default wait). A process that was attached to always continues." },
	/* what to capture */
	{ "events", 'e', .kind = OPTION_LIST, AT(events), .groups = OPT_CAPTURE, .needs = NEED_TARGET, .arg = "EXPR",
	  .doc = "Capture only these: a comma list of event names, globs, /regular expressions/, @themes and categories; ! before "
		 "one of them negates it. Decided in the target before arguments are read." },
	{ "stack", 0, .kind = OPTION_CHOICE, AT(stack), .set_off = offsetof(struct options, stack_set), .groups = OPT_CAPTURE, .needs = NEED_TARGET,
	  .words = stack_words, .arg = "off|python|native|both", .doc = "Stacks to take with each event (default python)." },
	{ "stack-bytes", 0, .kind = OPTION_BYTES32, AT(stack_bytes), .groups = OPT_CAPTURE, .needs = NEED_TARGET | NEED_NATIVE, .min = 1024, .max = 256 << 10, .arg = "BYTES",
	  .doc = "With native stacks: the most bytes of stack copied for each event (default 64k)." },
	{ "string-bytes", 's', .kind = OPTION_BYTES32, AT(string_bytes), .groups = OPT_CAPTURE, .needs = NEED_TARGET, .set_off = offsetof(struct options, bytes_set), .max = 1 << 20, .arg = "BYTES",
	  .doc = "Bytes kept of each string argument (default 4k; more than 64k count as 64k). A string that was cut is marked, and its full length is kept." },
	{ "bulk-bytes", 0, .kind = OPTION_BYTES32, AT(bulk_bytes), .groups = OPT_CAPTURE, .needs = NEED_TARGET, .set_off = offsetof(struct options, bytes_set), .max = 1 << 20, .arg = "BYTES",
	  .doc = "Bytes kept of bulk arguments, such as the code of marshal.loads and compile (default 256)." },
	{ "follow", 'f', .kind = OPTION_SWITCH, AT(follow), .groups = OPT_CAPTURE,
	  .doc = "Follow children: fork, vfork, posix_spawn, exec; with -p also existing children, and children of a program that is not a Python. On by default when launching, off when attaching. With a capture: print also what is added to it, until it ends." },
	{ "duration", 0, .kind = OPTION_DURATION, AT(duration_ns), .groups = OPT_CAPTURE, .needs = NEED_TARGET, .min = 1, .max = UINT64_MAX / 4, .arg = "TIME",
	  .doc = "Stop after this time: 10s, 500ms, 5m, 1h. A bare number is seconds." },
	{ "limit", 0, .kind = OPTION_COUNT, AT(limit), .groups = OPT_CAPTURE, .min = 1, .max = UINT64_MAX, .arg = "N",
	  .doc = "Stop after N events: captured ones, or, with a capture, printed ones." },
	{ "until", 0, .kind = OPTION_TEXT, AT(until), .groups = OPT_CAPTURE, .arg = "FILTER",
	  .doc = "Stop at the first event that this filter matches." },
	{ "hold", 0, .kind = OPTION_TEXT, AT(hold), .groups = OPT_HOLD, .needs = NEED_TARGET, .arg = "FILTER",
	  .doc = "When an event that this filter matches is raised, hold its thread before the operation happens. It says which, and holds it until --do is done; "
		 "without --do until auditview gets SIGUSR2, or ends; on the screen until the key C. Under a GIL the program's other Python threads wait for the one that is held." },
	{ "do", 0, .kind = OPTION_TEXT, AT(hold_do), .groups = OPT_HOLD, .needs = NEED_TARGET | NEED_HOLD, .arg = "stacks|continue|COMMAND",
	  .doc = "What to do while a thread is held: print the stacks of all threads with their local variables (stacks), nothing (continue), or run a shell command, in which {pid}, {tid} and {seq} are "
		 "the numbers of process, thread and event. A debugger needs --no-follow with a program that is launched: a process has one tracer." },
	{ "hold-ignore", 0, .kind = OPTION_COUNT, AT(hold_ignore), .groups = OPT_HOLD, .needs = NEED_TARGET | NEED_HOLD, .min = 1, .max = UINT64_MAX, .arg = "N",
	  .doc = "Do not hold the first N matches." },
	{ "hold-locals", 0, .kind = OPTION_BYTES32, AT(hold_locals), .groups = OPT_HOLD, .needs = NEED_TARGET, .max = 1 << 20, .arg = "BYTES",
	  .doc = "The most that the capture keeps of the local variables of a held thread's frames (default 128k; 0 keeps none). They are read while the thread waits, without their secrets." },
	{ "rotate-size", 'C', .kind = OPTION_MEGABYTES, AT(rotate_bytes), .groups = OPT_ROTATE, .needs = NEED_TARGET, .min = 1000, .max = 1ull << 50, .arg = "SIZE",
	  .doc = "Begin another file when this one has that size. A bare number is millions of bytes, as with tcpdump. The files are named FILE_TIME_NUMBER, "
		 "so that the order of names is the order of time; each is a whole capture." },
	{ "rotate-time", 'G', .kind = OPTION_DURATION, AT(rotate_ns), .groups = OPT_ROTATE, .needs = NEED_TARGET, .min = 1000000, .max = UINT64_MAX / 4, .arg = "TIME",
	  .doc = "Begin another file when this one is that old and has an event. A bare number is seconds." },
	{ "rotate-count", 'W', .kind = OPTION_COUNT, AT(rotate_count), .groups = OPT_ROTATE, .needs = NEED_TARGET, .min = 1, .max = 1000000, .arg = "COUNT",
	  .doc = "With --rotate-size or --rotate-time: keep only the newest COUNT files." },
	{ "keep", 0, .kind = OPTION_TEXT, AT(keep), .groups = OPT_KEEP, .needs = NEED_TARGET, .arg = "SIZE|TIME",
	  .doc = "A flight recorder: keep only the newest events, as many as fit into SIZE (64M) or were raised in TIME (10m), and make one capture of them at the "
		 "end, also after --until, and on SIGUSR1 (record) or with the key W (screen). An m is minutes, an M is megabytes." },
	{ "may-drop", 0, .kind = OPTION_FLAG, AT(may_drop), .groups = OPT_CAPTURE, .needs = NEED_TARGET,
	  .doc = "Never make the target wait: count losses instead." },
	{ "ring-size", 0, .kind = OPTION_BYTES, AT(ring_bytes), .groups = OPT_CAPTURE, .needs = NEED_TARGET, .min = 1 << 20, .max = 1 << 30, .arg = "BYTES",
	  .doc = "Size of the ring that each target process writes into, rounded up to a power of two (default 512K, with native stacks 4M). "
		 "Where threads run side by side (free-threaded builds) a process has up to eight rings; if the size is above 4M, each of them has a quarter of it, but at least 4M." },
	{ "redact", 0, .kind = OPTION_SWITCH, AT(redact), .groups = OPT_CAPTURE | OPT_STACKS, .needs = NEED_TARGET,
	  .doc = "Leave secrets out of the capture, and out of the local variables of a thread that is held: values of variables, keys and options named as "
		 "passwords, tokens and the like, and what has the known form of a secret (see SECRETS in the manual). On by default; --no-redact keeps all." },
	/* what to show */
	{ "filter", 'Y', .kind = OPTION_TEXT, AT(filter), .groups = OPT_FILTER, .show_groups = OPT_SHOW, .arg = "FILTER",
	  .doc = "Show only events that this display filter matches. Nothing is lost by it." },
	{ "mine", 0, .kind = OPTION_LIST, AT(mine), .groups = OPT_MINE, .arg = "DIR",
	  .doc = "The code below this folder is your own, and no other is: the caller of an event is the innermost frame in it. May be repeated. Without, it is guessed." },
	{ "format", 'F', .kind = OPTION_TEXT, AT(format), .groups = OPT_FORMAT, .words = format_words, .arg = "FORMAT",
	  .doc = "print: text, json (= jsonl), clickhouse, csv or tsv; default text. export: text, jsonl, clickhouse, csv, tsv, perfetto, chrome, "
		 "folded, speedscope or sqlite." },
	{ "output", 'o', .kind = OPTION_TEXT, AT(output), .groups = OPT_OUTPUT, .arg = "FILE",
	  .doc = "Where the result goes: the capture, or the text of print and export. A dash is standard output. An existing file is replaced only when the new one is finished." },
	{ "async", 0, .kind = OPTION_FLAG, AT(async), .groups = OPT_SCHEMA,
	  .doc = "With -F folded: put the frames of an asyncio task under the tasks that wait for it, outermost first." },
	{ "schema", 0, .kind = OPTION_WORD, AT(schema), .groups = OPT_SCHEMA, .words = schema_words, .arg = "FORM",
	  .doc = "Print the members of a JSON line, and end: as the statement that makes a table for them in ClickHouse (clickhouse), or as JSON Schema (json)." },
	{ "by", 0, .kind = OPTION_WORD, AT(by), .groups = OPT_STAT, .word_at = group_word_at, .arg = "KEY",
	  .doc = "What to group by (default event). A field of filters: event, category, theme, documented, pid, ppid, tid, thread, interp, python, process, host, children, task, file, peer, port, command, stack, top, caller, depth or package; "
		 "process and thread are a name with its number, host is the machine if the capture holds several, else the peer. machine: where the process runs. module: what is imported. what: what each event is about, of whatever kind. "
		 "import: what importing each module cost, as python -X importtime shows it; --sort first makes it a tree. "
		 "Or a ready summary, which has a filter of its own: files-written, files-read, hosts-contacted, names-looked-up, commands-run, modules-imported, code-from-strings, libraries-loaded, objects-unpickled, my-code." },
	{ "interval", 0, .kind = OPTION_DURATION, AT(interval_ns), .groups = OPT_STAT, .needs = NEED_TARGET, .min = 1000000, .max = UINT64_MAX / 4, .arg = "TIME",
	  .doc = "Of a live target: print a table of what was raised since the one before, each TIME. A bare number is seconds." },
	{ "count", 0, .kind = OPTION_FLAG, AT(count), .groups = OPT_STAT, .needs = NEED_TARGET,
	  .doc = "Of a live target: only count, in the target itself, as strace -c does. It takes no arguments, no stacks and no times, which costs least. "
		 "Counted by event, category, theme, documented, process, pid, ppid, python or children; -e selects, and -Y if it tests names alone." },
	{ "sort", 0, .kind = OPTION_TEXT, AT(sort), .groups = OPT_STAT, .arg = "COLUMN", .doc = "Sort by this column." },
	{ "rows", 'n', .kind = OPTION_COUNT, AT(number), .groups = OPT_STAT, .min = 1, .max = UINT64_MAX, .arg = "N",
	  .doc = "Show at most N rows." },
	{ "coverage", 0, .kind = OPTION_FLAG, AT(coverage), .groups = OPT_STAT,
	  .doc = "Which documented events of that Python version were seen, and which never." },
	{ "category", 0, .kind = OPTION_TEXT, AT(category), .groups = OPT_CATALOG, .arg = "CATEGORY", .doc = "Only events of this category." },
	{ "theme", 0, .kind = OPTION_TEXT, AT(theme), .groups = OPT_CATALOG, .arg = "THEME", .doc = "Only events of this theme." },
	{ "json", 0, .kind = OPTION_FLAG, AT(json), .groups = OPT_JSON, .doc = "Print JSON instead of text." },
	{ "stacks", 0, .kind = OPTION_FLAG, AT(stacks), .groups = OPT_STACKS,
	  .doc = "Of a process: print the Python stack of each thread and where it waits, instead of the checks. Nothing is stopped." },
	{ "locals", 0, .kind = OPTION_FLAG, AT(locals), .groups = OPT_STACKS,
	  .doc = "As --stacks, with the local variables of each frame, as they are at that moment. Secrets are left out of them; --no-redact shows them." },
	{ "exit-code", 0, .kind = OPTION_FLAG, AT(exit_code), .groups = OPT_EXIT,
	  .doc = "End with status 3 if B does something that A does not, else with 0." },
	{ "wide", 'w', .kind = OPTION_FLAG, AT(wide), .groups = OPT_WIDE,
	  .doc = "Do not cut lines to the width of the terminal." },
	{ "list-fields", 0, .kind = OPTION_FLAG, AT(list_fields), .groups = OPT_LIST_FIELDS,
	  .doc = "List the fields that filters know, and end." },
	{ "offset", 0, .kind = OPTION_LIST, AT(offsets), .groups = OPT_MERGE, .arg = "FILE=TIME",
	  .doc = "Add this time, such as 1.5s or -20ms, to the clock of one of the captures: FILE is its path as it is given, or its number, "
		 "1 for the first. May be repeated." },
	{ "host", 0, .kind = OPTION_LIST, AT(hosts), .groups = OPT_MERGE, .arg = "FILE=NAME",
	  .doc = "The name of the host that one of the captures comes from. Without it, the name that is in the capture, or that of the file." },
	{ "from", 0, .kind = OPTION_TEXT, AT(from), .groups = OPT_CUT, .arg = "TIME",
	  .doc = "Keep events from this time on: 2.5s or 10m since the start of the capture, a date such as 2026-11-22T07:00:00Z, or @SECONDS since 1970." },
	{ "to", 0, .kind = OPTION_TEXT, AT(to), .groups = OPT_CUT, .arg = "TIME",
	  .doc = "Keep events before this time." },
	{ "code", 'c', .kind = OPTION_TEXT, AT(code), .groups = OPT_TRY, .arg = "CODE", .doc = "Run this Python code." },
	{ "all-pythons", 0, .kind = OPTION_FLAG, AT(all_pythons), .groups = OPT_TRY,
	  .doc = "Run it on every Python found here, and compare them." },
	{ "screen", 0, .kind = OPTION_FLAG, AT(on_screen), .groups = OPT_SHOW, .doc = "Show it on the screen, not as text." },
	/* the tool itself */
	{ "no-tty", 0, .kind = OPTION_FLAG, AT(no_tty), .groups = OPT_TERMINAL, .needs = NEED_PROGRAM,
	  .doc = "Give a launched program no terminal pane: its output goes to a file next to the capture." },
	{ "no-config", 0, .kind = OPTION_FLAG, AT(no_config), .groups = OPT_CONFIG, .show_groups = OPT_SHOW, .doc = "Do not read the configuration file, and keep no history and no marks." },
	{ "color", 0, .kind = OPTION_CHOICE, AT(color), .groups = OPT_COLOR, .show_groups = OPT_SHOW, .words = color_words, .arg = "auto|always|never",
	  .doc = "Colour in text output (default auto: on a terminal, unless NO_COLOR is set)." },
	{ "quiet", 'q', .kind = OPTION_FLAG, AT(quiet), .groups = OPT_ALWAYS, .doc = "No notices on standard error, errors only." },
	{ "help", 'h', .kind = OPTION_FLAG, AT(show_help), .groups = OPT_ALWAYS, .doc = "Show this help, and end." },
	{ "version", 'V', .kind = OPTION_FLAG, AT(show_version), .groups = OPT_ALWAYS, .doc = "Show the version, and end." },
	{ "completion", 0, .kind = OPTION_TEXT, AT(completion), .groups = OPT_ALWAYS, .words = shell_words, .arg = "bash|zsh|fish",
	  .doc = "Print a completion script for this shell, and end." },
	{ "list-options", 0, .is_hidden = true, .kind = OPTION_FLAG, AT(list_options), .groups = OPT_ALWAYS,
	  .doc = "Print which command takes which option, for tests." },
	{ "manual", 0, .is_hidden = true, .kind = OPTION_FLAG, AT(show_manual), .groups = OPT_ALWAYS,
	  .doc = "Print the options and commands as roff." },
};
const size_t n_options = ARRAY_LEN(options_table);
/* clang-format on */

/* ---- numbers with units ---- */

struct unit {
	const char *name;
	double factor;
};
static const struct unit byte_units[] = { { "", 1 },        { "b", 1 },        { "k", 0x1p10 },
					  { "kb", 0x1p10 }, { "kib", 0x1p10 }, { "m", 0x1p20 },
					  { "mb", 0x1p20 }, { "mib", 0x1p20 }, { "g", 0x1p30 },
					  { "gb", 0x1p30 }, { "gib", 0x1p30 } };
static const struct unit megabyte_units[] = { { "", 1e6 },      { "b", 1 },        { "k", 0x1p10 },
					      { "kb", 0x1p10 }, { "kib", 0x1p10 }, { "m", 0x1p20 },
					      { "mb", 0x1p20 }, { "mib", 0x1p20 }, { "g", 0x1p30 },
					      { "gb", 0x1p30 }, { "gib", 0x1p30 } };
static const struct unit count_units[] = { { "", 1 }, { "k", 1e3 }, { "m", 1e6 }, { "g", 1e9 } };
static const struct unit time_units[] = { { "", 1e9 },     { "ns", 1 },     { "us", 1e3 },
					  { "µs", 1e3 },   { "ms", 1e6 },   { "s", 1e9 },
					  { "m", 60e9 },   { "min", 60e9 }, { "h", 3600e9 },
					  { "d", 86400e9 } };

/* "4096", "32k", "1MiB", "2.5s": parse a number with a unit. False if it is not one. */
bool options_number_parse(const char *text, enum option_kind kind, uint64_t *ret)
{
	const struct unit *units = count_units;
	size_t n_units = ARRAY_LEN(count_units);
	if (kind == OPTION_BYTES || kind == OPTION_BYTES32) {
		units = byte_units;
		n_units = ARRAY_LEN(byte_units);
	} else if (kind == OPTION_MEGABYTES) {
		units = megabyte_units;
		n_units = ARRAY_LEN(megabyte_units);
	} else if (kind == OPTION_DURATION) {
		units = time_units;
		n_units = ARRAY_LEN(time_units);
	}
	/* Digits with at most one point; strtod alone would take signs, "inf", hexadecimal and the
	 * locale's comma. */
	uint64_t whole = 0;
	double part = 0, place = 0.1;
	const char *p = text;
	bool has_digit = false;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return false;
		has_digit = true;
	}
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p); p++, place /= 10) {
			part += place * (*p - '0');
			has_digit = true;
		}
	}
	if (!has_digit)
		return false;
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < n_units; i++) {
		if (strcasecmp(p, units[i].name) != 0)
			continue;
		uint64_t factor = (uint64_t)units[i].factor, value;
		double rest = part * units[i].factor;
		if (__builtin_mul_overflow(whole, factor, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(rest + 0.5), &value))
			return false;
		if (part > 0 && factor == 1)
			return false; /* it would be a fraction of a byte */
		*ret = value;
		return true;
	}
	return false;
}

static void add_number(struct strbuf *to, const struct option_row *row, uint64_t v)
{
	if ((row->kind == OPTION_BYTES || row->kind == OPTION_BYTES32) && v && v % 1024 == 0) {
		unsigned power = 0;
		while (power < 3 && v % 1024 == 0) {
			v /= 1024;
			power++;
		}
		strbuf_addf(to, "%llu%c", (unsigned long long)v, "?kMG"[power]);
	} else {
		strbuf_add_u64(to, v);
	}
}

const char *option_word(const struct option_row *row, size_t i)
{
	if (row->word_at)
		return row->word_at(i);
	return row->words ? row->words[i] : NULL;
}

/* ---- errors ---- */

/* Append ", one of auto, always, never" for a message. */
static void add_words(struct strbuf *to, const struct option_row *row)
{
	for (size_t i = 0; option_word(row, i); i++)
		strbuf_addf(to, "%s%s", i ? ", " : "", option_word(row, i));
}

static struct err *err_expected(const struct option_row *row, const char *value,
				const char *expected)
{
	return err_create(ERR_USAGE, "cannot use \"%s\" for --%s: expected %s", value, row->name,
			  expected);
}

static struct err *err_number(const struct option_row *row, const char *value)
{
	struct strbuf b = { 0 };
	switch (row->kind) {
	case OPTION_DURATION: strbuf_adds(&b, "a time such as 500ms, 10s, 5m or 1h"); break;
	case OPTION_BYTES:
	case OPTION_MEGABYTES:
	case OPTION_BYTES32: strbuf_adds(&b, "a size such as 4096, 32k or 1M"); break;
	default: strbuf_adds(&b, "a number"); break;
	}
	if (row->kind != OPTION_DURATION && row->max < UINT64_MAX) {
		strbuf_adds(&b, ", from ");
		add_number(&b, row, row->min);
		strbuf_adds(&b, " to ");
		add_number(&b, row, row->max);
	} else if (row->min) {
		strbuf_adds(&b, ", more than 0");
	}
	struct err *err = err_expected(row, value, strbuf_str(&b));
	strbuf_fini(&b);
	return err;
}

/* Compares with all option names that a user may write, including "no-" forms. */
static struct err *err_unknown_option(const char *word, size_t n_word)
{
	char names[2 * ARRAY_LEN(options_table)][40];
	const char *list[2 * ARRAY_LEN(options_table)];
	size_t n = 0;
	for (size_t i = 0; i < n_options; i++) {
		if (options_table[i].is_hidden)
			continue;
		snprintf(names[n], sizeof(names[n]), "%s", options_table[i].name);
		list[n] = names[n];
		n++;
		if (options_table[i].kind == OPTION_SWITCH) {
			snprintf(names[n], sizeof(names[n]), "no-%s", options_table[i].name);
			list[n] = names[n];
			n++;
		}
	}
	struct err *err = err_create(ERR_USAGE, "unknown option --%.*s", (int)n_word, word);
	const char *nearest = nearest_of(word, n_word, NEAREST_START, list, n);
	if (!nearest)
		return err_with_hint(err, "all options: auditview --help");
	return err_with_hint(err, "the nearest is --%s; all of them: auditview --help", nearest);
}

static struct err *err_unknown_word(const char *word)
{
	const char *names[32];
	size_t n = 0;
	for (size_t i = 0; i < n_commands && n + 1 < ARRAY_LEN(names); i++)
		if (commands[i].name)
			names[n++] = commands[i].name;
	const char *nearest = nearest_of(word, strlen(word), NEAREST_ANY, names, n);
	struct err *err = err_create(ERR_USAGE, "\"%s\" is neither a command nor a file", word);
	if (word[0] && strspn(word, "0123456789") == strlen(word))
		return err_with_hint(
		    err, "to attach to process %s: auditview -p %s (the nearest command is %s)",
		    word, word, nearest ? nearest : "none");
	return nearest ? err_with_hint(err, "the nearest command is %s", nearest) : err;
}

/* ---- one option ---- */

static void *field(struct options *o, size_t off)
{
	return (char *)o + off;
}

static struct err *add_pids(struct options *o, const struct option_row *row, const char *value)
{
	for (const char *p = value;;) {
		char *end;
		errno = 0;
		long pid = strtol(p, &end, 10);
		if (end == p || !isdigit((unsigned char)*p) || errno || pid < (long)row->min ||
		    pid > (long)row->max || (*end && *end != ','))
			return err_expected(row, value,
					    "process ids parted by commas, such as 4121,4307");
		bool is_new = true;
		for (size_t i = 0; i < o->n_pids; i++)
			is_new = is_new && o->pids[i] != pid;
		if (is_new) {
			int *pids = arena_alloc(&o->memory, (o->n_pids + 1) * sizeof(*pids));
			if (!pids)
				return err_no_memory();
			if (o->n_pids)
				memcpy(pids, o->pids, o->n_pids * sizeof(*pids));
			pids[o->n_pids++] = (int)pid;
			o->pids = pids;
		}
		if (!*end)
			return NULL;
		p = end + 1;
	}
}

/* Find the index of the word that an option was given. */
static struct err *find_word(const struct option_row *row, const char *value, unsigned *ret)
{
	struct nearest near = nearest_to(value, strlen(value), NEAREST_ANY);
	const char *word;
	for (unsigned i = 0; (word = option_word(row, i)); i++) {
		if (strcmp(word, value) == 0) {
			*ret = i;
			return NULL;
		}
		nearest_offer(&near, word, strlen(word), 0);
	}
	struct strbuf b = { 0 };
	strbuf_adds(&b, "one of ");
	add_words(&b, row);
	struct err *err = err_expected(row, value, strbuf_str(&b));
	strbuf_fini(&b);
	return err_with_hint(err, "the nearest is %s", near.found[0].name);
}

static struct err *set_choice(struct options *o, const struct option_row *row, const char *value)
{
	unsigned i;
	struct err *err = find_word(row, value, &i);
	if (!err)
		memcpy(field(o, row->off), &i, sizeof(i));
	return err;
}

static struct err *set_word(struct options *o, const struct option_row *row, const char *value)
{
	unsigned i;
	struct err *err = find_word(row, value, &i);
	if (!err)
		*(const char **)field(o, row->off) = option_word(row, i);
	return err;
}

_Static_assert(sizeof(enum stack_mode) == sizeof(unsigned) &&
		   sizeof(enum on_exit_mode) == sizeof(unsigned) &&
		   sizeof(enum color_mode) == sizeof(unsigned),
	       "set_choice() writes enums as unsigned");

/* `value` is NULL for flags and switches; is_no: given as --no-NAME. */
static struct err *option_set(struct options *o, const struct option_row *row, const char *value,
			      bool is_no)
{
	uint64_t number;
	if (row->set_off)
		*(bool *)field(o, row->set_off) = true;
	switch (row->kind) {
	case OPTION_FLAG: *(bool *)field(o, row->off) = true; return NULL;
	case OPTION_SWITCH: *(enum tristate *)field(o, row->off) = is_no ? NO : YES; return NULL;
	case OPTION_TEXT: *(const char **)field(o, row->off) = value; return NULL;
	case OPTION_WORD: return set_word(o, row, value);
	case OPTION_LIST: {
		const char **list = field(o, row->off);
		if (!*list) {
			*list = value;
			return NULL;
		}
		size_t n = strlen(*list), m = strlen(value);
		char *joined = arena_alloc(&o->memory, n + m + 2);
		if (!joined)
			return err_no_memory();
		memcpy(joined, *list, n);
		joined[n] = ',';
		memcpy(joined + n + 1, value, m + 1);
		*list = joined;
		return NULL;
	}
	case OPTION_CHOICE: return set_choice(o, row, value);
	case OPTION_PIDS: return add_pids(o, row, value);
	case OPTION_COUNT:
	case OPTION_BYTES:
	case OPTION_MEGABYTES:
	case OPTION_DURATION:
	case OPTION_BYTES32:
		if (!options_number_parse(value, row->kind, &number) || number < row->min ||
		    number > row->max)
			return err_number(row, value);
		if (row->kind == OPTION_BYTES32)
			*(uint32_t *)field(o, row->off) = (uint32_t)number;
		else
			*(uint64_t *)field(o, row->off) = number;
		return NULL;
	}
	CHECK(!"an option of unknown kind");
	return NULL;
}

static bool takes_value(const struct option_row *row)
{
	return row->kind != OPTION_FLAG && row->kind != OPTION_SWITCH;
}

/* ---- the whole line ---- */

struct parser {
	struct options *o;
	char **argv;
	int argc, i; /* i: the word being read */
	bool seen[ARRAY_LEN(options_table)];
	char **words; /* positional; room for argc + 1 */
	size_t n_words;
};

static struct err *apply(struct parser *p, const struct option_row *row, const char *value,
			 bool is_no)
{
	p->seen[row - options_table] = true;
	if (takes_value(row) && !value) {
		if (p->i + 1 >= p->argc)
			return err_create(ERR_USAGE, "--%s wants a value: %s", row->name, row->arg);
		value = p->argv[++p->i];
	}
	return option_set(p->o, row, value, is_no);
}

/* --name, --name=value, --name value, --no-name; any unambiguous prefix of a name is accepted, as
 * in getopt_long(3). */
static struct err *parse_long(struct parser *p, const char *word)
{
	size_t n = strcspn(word, "=");
	const char *value = word[n] ? word + n + 1 : NULL;
	const struct option_row *found = NULL;
	bool is_exact = false, is_no = false;
	struct strbuf candidates = { 0 };
	unsigned n_found = 0;
	for (size_t i = 0; i < 2 * n_options && !is_exact; i++) {
		const struct option_row *row = &options_table[i / 2];
		bool no = i % 2;
		if (no && row->kind != OPTION_SWITCH)
			continue;
		char name[64];
		snprintf(name, sizeof(name), "%s%s", no ? "no-" : "", row->name);
		if (strncmp(name, word, n) != 0 || n == 0 || (row->is_hidden && name[n]))
			continue;
		is_exact = name[n] == 0;
		strbuf_addf(&candidates, "%s--%s", n_found++ ? ", " : "", name);
		found = row;
		is_no = no;
	}
	struct err *err = NULL;
	if (!found)
		err = err_unknown_option(word, n);
	else if (!is_exact && n_found > 1)
		err = err_create(ERR_USAGE, "--%.*s can mean %s", (int)n, word,
				 strbuf_str(&candidates));
	else if (value && !takes_value(found))
		err = err_create(ERR_USAGE, "--%s takes no value, but \"%s\" was given",
				 found->name, value);
	else
		err = apply(p, found, value, is_no);
	strbuf_fini(&candidates);
	return err;
}

/* -abc = -a -b -c; the first option that takes a value gets the rest of the word, or the next
 * word. */
static struct err *parse_letters(struct parser *p, const char *word)
{
	for (const char *c = word; *c; c++) {
		const struct option_row *row = NULL;
		for (size_t i = 0; i < n_options; i++)
			if (options_table[i].letter && options_table[i].letter == *c)
				row = &options_table[i];
		if (!row) {
			struct err *err = err_create(ERR_USAGE, "unknown option -%c", *c);
			for (size_t i = 0; i < n_options; i++)
				if (c == word && strlen(word) > 1 &&
				    strcmp(options_table[i].name, word) == 0)
					return err_with_hint(
					    err, "the nearest is --%s, with two dashes", word);
			for (size_t i = 0; i < n_options; i++)
				if (tolower((unsigned char)options_table[i].letter) ==
				    tolower((unsigned char)*c))
					return err_with_hint(err, "the nearest is -%c, --%s",
							     options_table[i].letter,
							     options_table[i].name);
			return err_with_hint(err, "all options: auditview --help");
		}
		if (takes_value(row))
			return apply(p, row, c[1] ? c + 1 : NULL, false);
		struct err *err = apply(p, row, NULL, false);
		if (err)
			return err;
	}
	return NULL;
}

static struct err *find_command(struct parser *p)
{
	struct options *o = p->o;
	const char *first = p->n_words ? p->words[0] : NULL;
	bool is_help = first && strcmp(first, "help") == 0 && access(first, F_OK) != 0;
	if (is_help) { /* "auditview help record", as in git */
		o->show_help = true;
		p->words++;
		p->n_words--;
		first = p->n_words ? p->words[0] : NULL;
	}
	const struct command *named = first ? command_find(first) : NULL;
	if (named) {
		p->words++;
		p->n_words--;
	} else if (first && (is_help || (strcmp(first, "-") != 0 && access(first, F_OK) != 0 &&
					 !o->show_version))) {
		return err_unknown_word(first);
	}
	o->command = named ? named : command_find(NULL);
	return NULL;
}

bool option_is_taken(const struct option_row *row, const struct command *command)
{
	return ((row->groups | row->show_groups) & command->options) != 0;
}

/* What the option needs and does not have; NULL: nothing is missing. The start page can attach and
 * launch later, so it has everything. */
static const char *missing_need(const struct options *o, const struct option_row *row)
{
	const struct command *command = o->command;
	if (!(row->groups & command->options) && row->show_groups & command->options &&
	    !o->on_screen)
		return "--screen";
	if (!(command->options & OPT_TARGET) ||
	    (!command->name && !o->n_args && !o->n_pids && !o->program))
		return NULL;
	if (row->needs & NEED_TARGET && !o->n_pids && !o->program)
		return "a process to attach to, or a program to launch";
	if (row->needs & NEED_PROGRAM && !o->program)
		return "a program to launch";
	if (row->needs & NEED_SCRIPT && !options_is_script(o))
		return "a program that is a *.py file";
	if (row->needs & NEED_NATIVE && o->stack != STACK_NATIVE && o->stack != STACK_BOTH)
		return "--stack native or --stack both";
	if (row->needs & NEED_HOLD && !o->hold)
		return "--hold";
	return NULL;
}

/* An option that the command does not use is an error, which names the commands that use it. */
static struct err *check_groups(const struct parser *p)
{
	const struct command *command = p->o->command;
	for (size_t i = 0; command && i < n_options; i++) {
		const struct option_row *row = &options_table[i];
		const char *missing = p->seen[i] && option_is_taken(row, command)
					  ? missing_need(p->o, row)
					  : NULL;
		if (missing)
			return err_create(ERR_USAGE, "--%s needs %s", row->name, missing);
		if (!p->seen[i] || option_is_taken(row, command))
			continue;
		struct strbuf takers = { 0 };
		for (size_t c = 0; c < n_commands; c++)
			if (option_is_taken(row, &commands[c]))
				strbuf_addf(&takers, "%s%s%s", takers.n ? ", " : "",
					    commands[c].name ? "" : "auditview",
					    commands[c].name ? commands[c].name : " itself");
		struct err *err = err_create(ERR_USAGE, "%s takes no option --%s",
					     command->name ? command->name : "auditview",
					     row->name);
		err = err_with_hint(err, "--%s belongs to: %s", row->name, strbuf_str(&takers));
		strbuf_fini(&takers);
		return err;
	}
	return NULL;
}

/* Refuse two options if one of them would have to be ignored. What also depends on a value is
 * checked by the command. tests/e2e/check_options.py tries all pairs. */
static struct err *check_pairs(const struct parser *p)
{
	static const struct {
		const char *a, *b;
	} pairs[] = {
		{ "all-pythons", "python" }, { "all-pythons", "screen" }, { "json", "wide" },
		{ "json", "screen" },        { "json", "color" },         { "coverage", "by" },
		{ "coverage", "sort" },      { "coverage", "rows" },      { "coverage", "json" },
		{ "exit-code", "screen" },   { "schema", "format" },      { "schema", "async" },
		{ "schema", "filter" },      { "schema", "mine" },
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		unsigned n = 0;
		for (size_t k = 0; k < n_options; k++)
			n += p->seen[k] && (!strcmp(options_table[k].name, pairs[i].a) ||
					    !strcmp(options_table[k].name, pairs[i].b));
		if (n == 2)
			return err_create(ERR_USAGE, "--%s and --%s do not go together", pairs[i].a,
					  pairs[i].b);
	}
	/* It lists something, and ends: nothing else would be obeyed. */
	for (size_t k = 0; k < n_options && p->o->list_fields; k++)
		if (p->seen[k] && strcmp(options_table[k].name, "list-fields") != 0 &&
		    strcmp(options_table[k].name, "quiet") != 0)
			return err_create(ERR_USAGE, "--list-fields and --%s do not go together",
					  options_table[k].name);
	return NULL;
}

static struct err *check_words(const struct options *o)
{
	const struct command *command = o->command;
	if (!command)
		return NULL;
	const char *space = command->name ? " " : "", *name = command->name ? command->name : "";
	const char *of = command->name ? ": " : "";
	unsigned min_args = o->schema ? 0 : command->min_args,
		 max_args = o->schema ? 0 : command->max_args;
	if (o->n_args < min_args || o->n_args > max_args) {
		struct err *err = o->n_args > max_args
				      ? err_create(ERR_USAGE, "%s%sone word too many: \"%s\"", name,
						   of, o->args[max_args])
				      : err_create(ERR_USAGE, "%s%stoo few words", name, of);
		return err_with_hint(err, "usage: auditview%s%s %s", space, name, command->args);
	}
	if (command->options & OPT_TARGET &&
	    (o->n_pids > 0) + (o->program != NULL) + (o->n_args > command->min_args) > 1)
		return err_with_hint(err_create(ERR_USAGE, "cannot look at %s at once",
						!o->n_args   ? "a process and a program"
						: o->program ? "a capture and a program"
							     : "a capture and a process"),
				     "usage: auditview%s%s %s", space, name, command->args);
	return NULL;
}

static struct err *parse(struct parser *p)
{
	struct options *o = p->o;
	struct err *err = NULL;
	char **rest = NULL; /* the words after "--" */
	for (p->i = 1; p->i < p->argc && !err; p->i++) {
		char *word = p->argv[p->i];
		if (strcmp(word, "--") == 0) {
			rest = p->argv + p->i + 1;
			break;
		}
		if (word[0] != '-' || !word[1])
			p->words[p->n_words++] = word;
		else if (word[1] == '-')
			err = parse_long(p, word + 2);
		else
			err = parse_letters(p, word + 1);
	}
	if (!err)
		err = find_command(p);
	if (err)
		return err;
	bool is_target = o->command && o->command->options & OPT_TARGET;
	if (rest && is_target && !*rest && !o->show_help)
		return err_create(ERR_USAGE, "no program given after --");
	if (rest && is_target)
		o->program = rest;
	for (; rest && !is_target && *rest; rest++)
		p->words[p->n_words++] = *rest;
	p->words[p->n_words] = NULL;
	o->args = p->words;
	o->n_args = p->n_words;
	if (o->show_help || o->show_version || o->completion || o->show_manual || o->list_options)
		return NULL; /* the rest is not checked then */
	err = check_groups(p);
	if (!err)
		err = check_pairs(p);
	return err ? err : check_words(o);
}

struct err *options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = {
		.stack = STACK_PYTHON,
		.string_bytes = DEFAULT_STRING_BYTES,
		.bulk_bytes = DEFAULT_BULK_BYTES,
		.hold_locals = DEFAULT_HOLD_LOCALS,
		.stack_bytes = DEFAULT_STACK_BYTES,
		.follow = UNSET,
		.redact = UNSET,
		.on_exit = ON_EXIT_WAIT,
		.color = COLOR_AUTO,
	};
	struct parser p = { .o = &o, .argv = argv, .argc = argc };
	p.words = arena_alloc(&o.memory, ((size_t)argc + 1) * sizeof(*p.words));
	struct err *err = p.words ? parse(&p) : err_no_memory();
	if (err) {
		options_fini(&o);
		return err;
	}
	*ret = o;
	return NULL;
}

void options_fini(struct options *o)
{
	arena_fini(&o->memory);
	*o = (struct options){ 0 };
}

bool options_is_script(const struct options *o)
{
	size_t n = o->program ? strlen(o->program[0]) : 0;
	return n > 3 && strcmp(o->program[0] + n - 3, ".py") == 0;
}

bool options_want_color(const struct options *o, int fd)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	switch (o->color) {
	case COLOR_ALWAYS: return true;
	case COLOR_NEVER: return false;
	case COLOR_AUTO: break;
	}
	/* no-color.org: present and not empty, whatever its value. */
	return isatty(fd) && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}
