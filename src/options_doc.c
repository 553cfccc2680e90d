/*
 * options_doc: help and manual, made from the tables of options and commands.
 */
#include <stdio.h>
#include <string.h>

#include "base/roff.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "command.h"
#include "options.h"

/* An option is listed under the heading of its lowest group. */
static const struct {
	unsigned groups;
	const char *title;
} sections[] = {
	{ OPT_TARGET | OPT_PYTHON, "What to look at" },
	{ OPT_CAPTURE | OPT_ROTATE | OPT_KEEP | OPT_HOLD, "What to capture" },
	{ OPT_FILTER | OPT_FORMAT | OPT_STAT | OPT_OUTPUT | OPT_LIST_FIELDS | OPT_JSON | OPT_SHOW |
	      OPT_CATALOG | OPT_WIDE | OPT_MERGE | OPT_CUT | OPT_SCHEMA | OPT_STACKS | OPT_EXIT |
	      OPT_MINE,
	  "What to show" },
	{ OPT_TRY, "What to try" },
	{ OPT_CONFIG | OPT_COLOR | OPT_TERMINAL | OPT_ALWAYS, "The tool itself" },
};

static size_t section_of(const struct option_row *row)
{
	unsigned lowest = row->groups & -row->groups;
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (sections[i].groups & lowest)
			return i;
	CHECK(!"an option without a heading");
	return 0;
}

/* "-e, --events EXPR" */
static void add_spelling(struct strbuf *to, const struct option_row *row)
{
	if (row->letter)
		strbuf_addf(to, "-%c, ", row->letter);
	if (row->kind == OPTION_SWITCH)
		strbuf_addf(to, "--[no-]%s", row->name);
	else
		strbuf_addf(to, "--%s", row->name);
	if (row->arg)
		strbuf_addf(to, " %s", row->arg);
}

/* Two columns: `left` at 2, `doc` at `indent`, on a line of its own when left is too wide. */
static void add_entry(struct strbuf *to, const char *left, const char *doc, unsigned indent,
		      unsigned width)
{
	unsigned cells = (unsigned)utf8_str_width(left, strlen(left));
	strbuf_addf(to, "  %s", left);
	if (cells + 4 > indent) {
		strbuf_addc(to, '\n');
		strbuf_add_repeat(to, ' ', indent);
	} else {
		strbuf_add_repeat(to, ' ', indent - cells - 2);
	}
	wrap_add(to, doc, indent, width);
}

static void add_usage(struct strbuf *to, const char *prefix, const struct command *c,
		      const char *between, unsigned width)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%sauditview%s%s%s", prefix, c->name ? " " : "",
			 c->name ? c->name : "", between);
	strbuf_adds(to, line);
	strbuf_addc(to, ' ');
	wrap_add(to, c->args, (unsigned)n + 1, width);
}

static void add_options(struct strbuf *to, const struct command *command, unsigned width)
{
	unsigned indent = width < 70 ? 8 : 26;
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		bool is_first = true;
		for (size_t i = 0; i < n_options; i++) {
			const struct option_row *row = &options_table[i];
			if (row->is_hidden || !option_is_taken(row, command) ||
			    section_of(row) != s)
				continue;
			if (is_first)
				strbuf_addf(to, "\n%s\n", sections[s].title);
			is_first = false;
			struct strbuf left = { 0 };
			if (!row->letter)
				strbuf_adds(&left, "    ");
			add_spelling(&left, row);
			add_entry(to, strbuf_str(&left), row->doc, indent, width);
			strbuf_fini(&left);
		}
	}
}

void options_help(struct strbuf *to, const struct command *command, unsigned width)
{
	if (width < 40)
		width = 40;
	if (command && command->name) {
		add_usage(to, "usage: ", command, " [OPTIONS]", width);
		strbuf_addc(to, '\n');
		wrap_add(to, command->about, 0, width);
		add_options(to, command, width);
		return;
	}
	wrap_add(to,
		 "auditview shows what a Python process really does: it traces the audit events "
		 "(PEP 578) of CPython 3.8 and later.",
		 0, width);
	strbuf_addc(to, '\n');
	unsigned indent = 12;
	const struct command *view = command_find(NULL);
	add_usage(to, "usage: ", view, " [OPTIONS]", width);
	strbuf_adds(to, "       auditview COMMAND [OPTIONS] …\n\nCommands\n");
	for (size_t i = 0; i < n_commands; i++)
		if (commands[i].name)
			add_entry(to, commands[i].name, commands[i].doc, indent, width);
	add_options(to, view, width);
	strbuf_addc(to, '\n');
	wrap_add(to,
		 "Further options of a command: auditview COMMAND --help. A program called like "
		 "a command: auditview -- record.",
		 0, width);
}

/* ---- manual: man(7) ---- */

void options_manual(struct strbuf *to)
{
	strbuf_adds(to, ".SH COMMANDS\n");
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		strbuf_adds(to, ".TP\n.B ");
		roff_add(to, c->name ? "auditview " : "auditview");
		roff_add(to, c->name ? c->name : "");
		strbuf_adds(to, "\n.RI \"\" \"");
		roff_add(to, c->args);
		strbuf_adds(to, "\"\n.br\n");
		roff_add(to, c->about);
		strbuf_addc(to, '\n');
	}
	strbuf_adds(to, ".SH OPTIONS\n");
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		strbuf_adds(to, ".SS ");
		roff_add(to, sections[s].title);
		strbuf_addc(to, '\n');
		for (size_t i = 0; i < n_options; i++) {
			const struct option_row *row = &options_table[i];
			if (row->is_hidden || section_of(row) != s)
				continue;
			struct strbuf left = { 0 };
			add_spelling(&left, row);
			roff_add_entry(to, strbuf_str(&left), row->doc);
			strbuf_fini(&left);
			strbuf_adds(to, "Taken by:");
			for (size_t c = 0; c < n_commands && row->groups != OPT_ALWAYS; c++)
				if (option_is_taken(row, &commands[c]))
					strbuf_addf(
					    to, " %s%s%s", commands[c].name ? "" : "auditview",
					    commands[c].name ? commands[c].name : "",
					    commands[c].options & row->groups ? ""
									      : " (with --screen)");
			if (row->groups == OPT_ALWAYS)
				strbuf_adds(to, " all commands");
			strbuf_adds(to, ".\n");
		}
	}
}

/* ---- for tests ---- */

void options_list(struct strbuf *to)
{
	static const struct {
		unsigned need;
		const char *name;
	} needs[] = { { NEED_TARGET, "target" },
		      { NEED_PROGRAM, "program" },
		      { NEED_SCRIPT, "script" },
		      { NEED_NATIVE, "native" },
		      { NEED_HOLD, "hold" } };

	for (size_t c = 0; c < n_commands; c++) {
		for (size_t i = 0; i < n_options; i++) {
			const struct option_row *row = &options_table[i];
			if (row->is_hidden || !option_is_taken(row, &commands[c]))
				continue;
			strbuf_addf(to, "%s\t%s\t%s\t", commands[c].name ? commands[c].name : "-",
				    row->name, commands[c].options & row->groups ? "-" : "screen");
			for (size_t n = 0; n < ARRAY_LEN(needs); n++)
				if (commands[c].options & OPT_TARGET && row->needs & needs[n].need)
					strbuf_addf(to, "%s ", needs[n].name);
			strbuf_addf(to, "\t%s\n", row->arg ? "value" : "");
		}
	}
}
