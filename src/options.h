/*
 * options: the command line, from one table.
 *
 * Every option is one row of options_table[] in options.c; --help, completion and the manual are
 * made from it. Every command is one row of commands[] (command.h). options_parse() fills struct
 * options; it never exits and never prints.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

struct command;
struct strbuf;

enum stack_mode { STACK_OFF, STACK_PYTHON, STACK_NATIVE, STACK_BOTH };
enum on_exit_mode { ON_EXIT_WAIT, ON_EXIT_DETACH, ON_EXIT_TERM, ON_EXIT_KILL };
enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum tristate { UNSET = -1, NO = 0, YES = 1 };

struct options {
	const struct command *command;
	/* what to look at */
	int *pids;
	size_t n_pids;
	char **program; /* after --, NULL-terminated; NULL = none */
	char **args;    /* positional words after the command, NULL-terminated */
	size_t n_args;
	/* capture */
	const char *events; /* -e, all joined by ',' */
	const char *filter; /* -Y */
	enum stack_mode stack;
	bool stack_set;
	uint32_t string_bytes; /* -s */
	uint32_t bulk_bytes;
	bool bytes_set;       /* one of the two was given */
	uint32_t stack_bytes; /* --stack-bytes */
	enum tristate follow;
	const char *output;          /* -o */
	uint64_t duration_ns, limit; /* 0 = none */
	const char *until;
	const char *hold, *hold_do; /* --hold --do; NULL = not given */
	uint64_t hold_ignore;
	uint32_t hold_locals; /* bytes kept of a held thread's variables; 0: none */
	bool hold_silently;   /* no line says who is held: the screen does */
	const char *keep;     /* --keep; NULL = all */
	uint64_t rotate_bytes, rotate_ns, rotate_count; /* 0 = none */
	bool may_drop;
	uint64_t ring_bytes; /* 0: the default for the kind of stacks */
	const char *user;    /* -u */
	const char *python;  /* --python PATH or version */
	enum tristate redact;
	enum color_mode color;
	enum on_exit_mode on_exit;
	const char *format;                  /* -F / --format */
	const char *by;                      /* --by */
	const char *category, *theme, *code; /* --category --theme -c */
	bool quiet, json, no_tty, no_config, list_fields, coverage, on_screen, all_pythons,
	    show_help, show_version, wide;
	const char *mine; /* --mine: folders, joined by ',' */
	const char *sort;
	uint64_t interval_ns;        /* --interval; 0 = none */
	bool count;                  /* --count */
	const char *offsets, *hosts; /* --offset --host of merge: FILE=VALUE, joined by ',' */
	const char *from, *to;       /* of cut */
	bool async;                  /* of export */
	const char *schema;          /* of export; NULL = not given */
	uint64_t number;             /* -n: rows to show; 0 = not given */
	bool stacks, locals;         /* --stacks, --locals */
	bool exit_code;              /* --exit-code */
	bool list_options;           /* --list-options, for tests */
	bool show_manual;            /* --manual, for the build of the manual page */
	const char *completion;      /* --completion: the shell; NULL = not given */
	struct arena memory;         /* owns the strings that are not borrowed from argv */
};

/* ---- the table ---- */

enum option_kind {
	OPTION_FLAG,      /* bool */
	OPTION_SWITCH,    /* enum tristate; --name and --no-name */
	OPTION_TEXT,      /* const char *, borrowed from argv; the last one given wins */
	OPTION_WORD,      /* the same, but must be one of words */
	OPTION_LIST,      /* const char *: all values joined by ',' */
	OPTION_CHOICE,    /* an enum: index into words */
	OPTION_PIDS,      /* comma list, may be repeated; duplicates are removed */
	OPTION_COUNT,     /* uint64_t; 10k = 10 000 */
	OPTION_BYTES32,   /* uint32_t; 10k = 10 240 */
	OPTION_BYTES,     /* uint64_t */
	OPTION_MEGABYTES, /* uint64_t; the same, but a bare number is millions */
	OPTION_DURATION   /* uint64_t, ns; a bare number is seconds */
};

struct option_row {
	const char *name; /* without the dashes */
	char letter;      /* 0 = none */
	bool is_hidden;   /* not in help, manual and completion */
	enum option_kind kind;
	size_t off; /* in struct options */
	/* of a bool that becomes true when the option is given; 0 = none */
	size_t set_off;
	/* enum option_group (command.h): a command takes the option if they share a group */
	unsigned groups;
	unsigned show_groups; /* the same, but only together with --screen */
	unsigned needs;       /* enum option_need (command.h) */
	uint64_t min, max;    /* numbers; in the kind's unit */
	/* NULL-terminated: the values of an OPTION_CHOICE; for a text, what completion offers */
	const char *const *words;
	/* the same, if a table that is elsewhere has them: word i, or NULL after the last */
	const char *(*word_at)(size_t i);
	const char *arg; /* name of the argument in help; NULL for flags and switches */
	const char *doc; /* one or two sentences; help wraps it */
};
extern const struct option_row options_table[];
extern const size_t n_options;

/* Word i of `words` or `word_at`; NULL after the last, and if the option has no words. Words live
 * forever. */
const char *option_word(const struct option_row *row, size_t i);
/* Does the command take it, possibly only together with --screen? */
bool option_is_taken(const struct option_row *row, const struct command *command);

/* Parse argv. On failure the error says what was expected and names the nearest known word. */
MUST_CHECK struct err *options_parse(int argc, char **argv, struct options *ret);
void options_fini(struct options *o);

/* Is the program to launch a *.py file, which a Python has to run? */
bool options_is_script(const struct options *o);

/* Colour on this file descriptor? --color decides; auto requires a terminal, a TERM other than
 * dumb, and no NO_COLOR. */
bool options_want_color(const struct options *o, int fd);

/* "4096", "32k", "1MiB", "2.5s": parse a number with a unit. False if it is not one. */
bool options_number_parse(const char *text, enum option_kind kind, uint64_t *ret);

/* Help for one command, or for all (command NULL), width columns wide. */
void options_help(struct strbuf *to, const struct command *command, unsigned width);
/* Options and commands as roff, for the manual page. */
void options_manual(struct strbuf *to);
/* One line for each command and option that it takes: command (- for none), option, "screen" or
 * "-", and what it needs. */
void options_list(struct strbuf *to);
