/*
 * options: the command line, from one table.
 *
 * Every option is one row of options[] in options.c; --help, completion and the manual are made from it. Every command
 * is one row of commands[] (command.h). options_parse() fills struct options; it never exits and never prints.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	char **program;            /* after --, NULL-terminated; NULL = none */
	char **args;               /* positional words after the command, NULL-terminated */
	size_t n_args;
	/* capture */
	const char *events;        /* -e, all joined by ',' */
	const char *filter;        /* -Y */
	enum stack_mode stack;
	bool stack_set;
	uint32_t string_bytes;     /* -s */
	uint32_t bulk_bytes;
	uint32_t stack_bytes;      /* --stack-bytes */
	enum tristate follow;
	const char *output;        /* -o */
	uint64_t duration_ns, limit; /* 0 = none */
	const char *until;
	bool may_drop;
	uint64_t ring_bytes;
	const char *user;          /* -u */
	const char *python;        /* --python PATH or version */
	enum tristate redact;
	enum color_mode color;
	enum on_exit_mode on_exit;
	const char *format;        /* -F / --format */
	const char *by;            /* --by */
	const char *category, *theme, *code; /* --category --theme -c */
	bool quiet, json, no_tty, no_config, list_fields, coverage, all_pythons, show_help, show_version, wide;
	const char *sort;
	uint64_t number;           /* -n: rows to show */
};

/* Parse argv. On failure the error says what was expected and names the nearest known word. */
MUST_CHECK struct err *options_parse(int argc, char **argv, struct options *ret);
void options_fini(struct options *o);

/* Help for one command, or for all (command NULL), width columns wide. */
void options_help(struct strbuf *to, const struct command *command, unsigned width);
/* A roff table of options and commands, for the manual page. */
void options_manual(struct strbuf *to);
