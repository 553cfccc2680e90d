/*
 * config: $XDG_CONFIG_HOME/auditview/config (else ~/.config/…), checked; errors name their line.
 *
 *   # comment
 *   theme = dark|light|cb|mono|auto        color.network = 75 bold
 *   mouse = on|off                         follow = on|off
 *   fold = on|off                          time = start|delta|clock
 *   columns = seq time process pid interp thread event arguments caller package task
 *   columns += NAME                        columns -= NAME
 *   timeline = on|off                      details = right|below|auto
 *   source = DIR                           (any number)
 *   filter NAME = FILTER                   kept filters, in addition to those in the file `filters`
 *                                          next to it
 *   bind KEY ACTION                        bind PANE KEY ACTION          bind KEY none
 *
 * For an unknown word, the error names the nearest known one; all other lines still count. Every
 * setting is a row of settings[].
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"
#include "ui/event_text.h"
#include "ui/theme.h"

struct keymap;
struct strbuf;

/* In the order in which they are named; event_columns_size() places them. */
enum column {
	COLUMN_SEQ, /* the number of the event */
	COLUMN_TIME,
	COLUMN_PROCESS, /* host and pid, if there are several */
	COLUMN_PID,
	COLUMN_INTERP, /* the number of the interpreter */
	COLUMN_THREAD,
	COLUMN_EVENT,
	COLUMN_ARGUMENTS,
	COLUMN_CALLER,
	COLUMN_PACKAGE, /* distribution */
	COLUMN_TASK,    /* of asyncio */
	COLUMN_COUNT
};
enum {
	COLUMNS_AT_FIRST = 1 << COLUMN_TIME | 1 << COLUMN_PROCESS | 1 << COLUMN_THREAD |
			   1 << COLUMN_EVENT | 1 << COLUMN_ARGUMENTS | 1 << COLUMN_CALLER
};

struct named_filter {
	char *name, *text;
	bool is_kept; /* it comes from the file `filters`, which the screen writes */
};

struct config {
	char *theme; /* "auto" */
	bool mouse, follow, fold, timeline;
	enum time_mode time;
	unsigned columns; /* one bit per enum column */
	int details;      /* 0 auto, 1 right, 2 below */
	VEC(char *) source_dirs;
	char *mine; /* the last folder that was given; NULL none */
	VEC(struct named_filter) filters;
	struct {
		char *role, *style;
	} colors[ROLE_COUNT + 1];
	int n_colors;
	/* of the config file; NULL with --no-config, or if there is none */
	char *folder;
	bool uses_files; /* false: --no-config */
};

MUST_CHECK struct err *config_init(struct config *c);
void config_fini(struct config *c);
/* Read a text. Each error is passed to report with its line number, and reading continues. kept:
 * the text is of the file `filters`, which auditview writes itself. */
void config_parse(struct config *c, struct keymap *keys, const char *text, size_t n_bytes,
		  void (*report)(void *ctx, int line, const char *message), void *ctx, bool kept);
/* Read the user's files. A missing file is no error. */
void config_load(struct config *c, struct keymap *keys,
		 void (*report)(void *ctx, int line, const char *message), void *ctx);
/* Keep or replace a named filter in the file `filters`; text NULL: remove it. */
MUST_CHECK struct err *config_keep_filter(struct config *c, const char *name, const char *text);
struct config_setting {
	const char *name;
	const char *values; /* words separated by |, or one word in capitals for a kind of value */
	const char *doc;
};
/* The settings by number, from 0; false: there is no further one. */
bool config_setting_at(size_t i, struct config_setting *ret);
enum config_how {
	CONFIG_REPLACES, /* NAME=VALUE */
	CONFIG_ADDS,     /* NAME+=VALUE */
	CONFIG_TAKES     /* NAME-=VALUE */
};
/* How a setting is changed, by what stands at *at, behind its name. Before "+=" and "-=", *at
 * becomes the place of "="; else it stays. */
enum config_how config_how_at(const char **at);
/* Set or change one setting. Errors: ERR_SYNTAX that names what is expected, ERR_USAGE if the value
 * is not one that can be added to or taken from. */
MUST_CHECK struct err *config_set(struct config *c, const char *name, enum config_how how,
				  const char *value);
/* Append its value; false: there is no such setting. */
bool config_get(const struct config *c, const char *name, struct strbuf *to);
/* Write the setting into the user's file `config`: its line is replaced or added, all others stay
 * as they are. The file is replaced whole, with mode 0600, and never through a symbolic link.
 * *ret_path: malloc'ed. Errors: ERR_USAGE with --no-config, ERR_DENIED, those of new_file.h. */
MUST_CHECK struct err *config_save(const struct config *c, const char *name, char **ret_path);
/* Append the names of columns, separated by spaces. */
void config_columns_text(unsigned columns, struct strbuf *to);
/* "time thread event …" → bits. Errors: ERR_SYNTAX naming the word. */
MUST_CHECK struct err *config_columns(const char *text, unsigned *ret);
/* roff of all settings, for the manual page. */
void config_manual(struct strbuf *to);
