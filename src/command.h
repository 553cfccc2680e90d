/*
 * command: one row per command of the program.
 *
 * To add one: write src/commands/cmd_<name>.c with a run function, declare it below, add its row in
 * commands/commands.c, and name the options it takes (OPT_* groups). Help, completion and manual
 * page follow; tests/unit/test_options proves it, and tests/e2e/check_options.py proves that the
 * command obeys each of them.
 *
 * A run function returns an error (main prints it, exit status 1; ERR_USAGE 2), or NULL and the
 * exit status in *ret.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "options.h"

#define STATUS_NEWS 3 /* exit status of check and diff --exit-code: there is something new */

enum option_group {                 /* which options a command takes */
		    OPT_ALWAYS = 1, /* --help --version -q --completion */
		    OPT_TARGET = 2, /* -p, --, -u, --on-exit */
		    /* -e -s --stack -f --duration --limit --until --may-drop --ring-size
		     * --redact */
		    OPT_CAPTURE = 4,
		    OPT_FILTER = 8,         /* -Y */
		    OPT_FORMAT = 16,        /* -F/--format */
		    OPT_STAT = 32,          /* --by --sort -n --coverage */
		    OPT_CATALOG = 64,       /* --category --theme */
		    OPT_TRY = 128,          /* -c --all-pythons */
		    OPT_CONFIG = 256,       /* --no-config */
		    OPT_OUTPUT = 512,       /* -o */
		    OPT_LIST_FIELDS = 1024, /* --list-fields */
		    OPT_JSON = 2048,        /* --json */
		    /* --screen, and options that have a meaning on the screen only */
		    OPT_SHOW = 4096,
		    OPT_PYTHON = 8192,    /* --python */
		    OPT_COLOR = 16384,    /* --color */
		    OPT_WIDE = 32768,     /* -w */
		    OPT_TERMINAL = 65536, /* --no-tty */
		    OPT_ROTATE = 1 << 20, /* -C -G -W */
		    OPT_KEEP = 1 << 21,   /* --keep */
		    OPT_MINE = 1 << 22,   /* --mine */
		    OPT_MERGE = 1 << 24,  /* --offset --host */
		    OPT_CUT = 1 << 25,    /* --from --to */
		    OPT_SCHEMA = 1 << 26, /* --schema --async */
		    OPT_HOLD = 1 << 27,   /* --hold --do --hold-ignore */
		    OPT_STACKS = 1 << 28, /* --stacks */
		    OPT_EXIT = 1 << 29    /* --exit-code */
};

/* What an option needs besides the command. */
enum option_need {
	NEED_TARGET = 1,  /* a process or a program; not a capture */
	NEED_PROGRAM = 2, /* a program that is launched */
	NEED_SCRIPT = 4,  /* a program that is a *.py file */
	NEED_SCREEN = 8,  /* --screen, of the commands that take it */
	NEED_NATIVE = 16, /* native stacks */
	NEED_HOLD = 32    /* --hold */
};

struct command {
	const char *name;            /* NULL for the default: view */
	const char *args;            /* for the usage line */
	const char *doc;             /* one line */
	const char *about;           /* a paragraph for its own help and the manual */
	unsigned min_args, max_args; /* positional words; pids and -- PROGRAM are not among them */
	unsigned options;            /* enum option_group, or'ed */
	struct err *(*run)(const struct options *o, int *ret);
};

extern const struct command commands[];
extern const size_t n_commands;
const struct command *command_find(const char *name); /* NULL if there is none */

MUST_CHECK struct err *cmd_view(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_record(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_print(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_export(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_import(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_merge(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_cut(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_stat(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_diff(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_profile(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_check(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_events(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_explain(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_try(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_lesson(const struct options *o, int *ret);
MUST_CHECK struct err *cmd_doctor(const struct options *o, int *ret);
