/*
 * config: $XDG_CONFIG_HOME/auditview/config (else ~/.config/…), checked; errors name their line.
 *
 *   # comment
 *   theme = dark|light|cb|mono|auto        color.network = 75 bold
 *   mouse = on|off                         follow = on|off
 *   fold = on|off                          time = start|delta|clock
 *   columns = time process thread event arguments caller
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

enum column {
	COLUMN_TIME,
	COLUMN_PROCESS,
	COLUMN_THREAD,
	COLUMN_EVENT,
	COLUMN_ARGUMENTS,
	COLUMN_CALLER,
	COLUMN_COUNT
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
/* Read a text. Each error is passed to report with its line number, and reading continues. `name`
 * is the name of the file. */
void config_parse(struct config *c, struct keymap *keys, const char *text, size_t n_bytes,
		  void (*report)(void *ctx, int line, const char *message), void *ctx);
/* Read the user's files. A missing file is no error. */
void config_load(struct config *c, struct keymap *keys,
		 void (*report)(void *ctx, int line, const char *message), void *ctx);
/* Keep or replace a named filter in the file `filters`; text NULL: remove it. */
MUST_CHECK struct err *config_keep_filter(struct config *c, const char *name, const char *text);
/* "time thread event …" → bits. Errors: ERR_SYNTAX naming the word. */
MUST_CHECK struct err *config_columns(const char *text, unsigned *ret);
/* roff of all settings, for the manual page. */
void config_manual(struct strbuf *to);
