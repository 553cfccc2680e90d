/*
 * Rows of command lines with the options that they must give, and checks that help, manual and
 * completion have every row of the option table. The table of commands is the real one; the
 * commands themselves do nothing here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "command.h"
#include "options.h"

#define NO_COMMAND(name)                                                                           \
	struct err *name(const struct options *o, int *ret)                                        \
	{                                                                                          \
		(void)o, (void)ret;                                                                \
		return NULL;                                                                       \
	}
NO_COMMAND(cmd_view)
NO_COMMAND(cmd_record)
NO_COMMAND(cmd_print)
NO_COMMAND(cmd_export)
NO_COMMAND(cmd_import)
NO_COMMAND(cmd_merge)
NO_COMMAND(cmd_cut)
NO_COMMAND(cmd_stat)
NO_COMMAND(cmd_diff)
NO_COMMAND(cmd_events)
NO_COMMAND(cmd_explain)
NO_COMMAND(cmd_try)
NO_COMMAND(cmd_lesson)
NO_COMMAND(cmd_doctor)
NO_COMMAND(cmd_profile)
NO_COMMAND(cmd_check)

#define MAX_WORDS 24

/* Split at spaces; "_" inside a word stands for a space. */
static int split(char *line, char **argv)
{
	int n = 0;
	argv[n++] = (char[]){ "auditview" };
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
		for (char *c = word; *c; c++)
			if (*c == '_')
				*c = ' ';
		assert_true(n < MAX_WORDS - 1);
		argv[n++] = word;
	}
	argv[n] = NULL;
	return n;
}

/* Describe the parsed options as text: only what differs from the defaults. */
static void describe(struct strbuf *to, const struct options *o)
{
	strbuf_adds(to, o->command && o->command->name ? o->command->name : "view");
	for (size_t i = 0; i < o->n_args; i++)
		strbuf_addf(to, " [%s]", o->args[i]);
	for (size_t i = 0; i < o->n_pids; i++)
		strbuf_addf(to, " pid=%d", o->pids[i]);
	for (char **p = o->program; p && *p; p++)
		strbuf_addf(to, " run=%s", *p);
	const struct {
		const char *name, *text;
	} texts[] = { { "events", o->events },
		      { "filter", o->filter },
		      { "out", o->output },
		      { "until", o->until },
		      { "user", o->user },
		      { "python", o->python },
		      { "format", o->format },
		      { "by", o->by },
		      { "category", o->category },
		      { "theme", o->theme },
		      { "code", o->code },
		      { "sort", o->sort },
		      { "completion", o->completion } };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].text)
			strbuf_addf(to, " %s=%s", texts[i].name, texts[i].text);
	const struct {
		const char *name;
		uint64_t value, normal;
	} numbers[] = { { "stack", o->stack, STACK_PYTHON },
			{ "stack_set", o->stack_set, 0 },
			{ "string", o->string_bytes, 4096 },
			{ "bulk", o->bulk_bytes, 256 },
			{ "slice", o->stack_bytes, 65536 },
			{ "follow", (uint64_t)o->follow, (uint64_t)UNSET },
			{ "duration", o->duration_ns, 0 },
			{ "limit", o->limit, 0 },
			{ "drop", o->may_drop, 0 },
			{ "ring", o->ring_bytes, 0 },
			{ "redact", (uint64_t)o->redact, (uint64_t)UNSET },
			{ "color", o->color, COLOR_AUTO },
			{ "on_exit", o->on_exit, ON_EXIT_WAIT },
			{ "quiet", o->quiet, 0 },
			{ "json", o->json, 0 },
			{ "no_tty", o->no_tty, 0 },
			{ "no_config", o->no_config, 0 },
			{ "list_fields", o->list_fields, 0 },
			{ "coverage", o->coverage, 0 },
			{ "all_pythons", o->all_pythons, 0 },
			{ "help", o->show_help, 0 },
			{ "version", o->show_version, 0 },
			{ "wide", o->wide, 0 },
			{ "stacks", o->stacks, 0 },
			{ "exit_code", o->exit_code, 0 },
			{ "rows", o->number, 0 } };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].value != numbers[i].normal)
			strbuf_addf(to, " %s=%llu", numbers[i].name,
				    (unsigned long long)numbers[i].value);
}

/* clang-format off */
/* "/dev/null" is the file that exists everywhere. */
static const struct { const char *line, *want; } good[] = {
	{ "", "view" },
	{ "/dev/null", "view [/dev/null]" },
	{ "-", "view [-]" },
	{ "-p 41", "view pid=41" },
	{ "-p41", "view pid=41" },
	{ "--pid=41", "view pid=41" },
	{ "--pid 41", "view pid=41" },
	{ "-p 41,42 -p 43", "view pid=41 pid=42 pid=43" },
	{ "-p 41,41 -p 41", "view pid=41" },
	{ "-p 2147483647", "view pid=2147483647" },
	{ "-- record", "view run=record" },
	{ "-- prog -x --help -- y", "view run=prog run=-x run=--help run=-- run=y" },
	{ "record -o a.avc -- prog", "record run=prog out=a.avc" },
	{ "record -p 7 -oa.avc", "record pid=7 out=a.avc" },
	{ "-o a.avc record -p 7", "record pid=7 out=a.avc" },
	{ "record -qfo a.avc -p7", "record pid=7 out=a.avc follow=1 quiet=1" },
	{ "record --follow -p7", "record pid=7 follow=1" },
	{ "record --no-follow -p7", "record pid=7 follow=0" },
	{ "record --no-follow --follow -p7", "record pid=7 follow=1" },
	{ "record --no-redact -p7", "record pid=7 redact=0" },
	{ "record -e open -e !import,@network -p7", "record pid=7 events=open,!import,@network" },
	{ "record -e a -e b -e c -p7", "record pid=7 events=a,b,c" },
	{ "record --stack=both -p7", "record pid=7 stack=3 stack_set=1" },
	{ "record --stack python -p7", "record pid=7 stack_set=1" },
	{ "record --stack off -p7", "record pid=7 stack=0 stack_set=1" },
	{ "record --stack both --stack-bytes 8k -p7", "record pid=7 stack=3 stack_set=1 slice=8192" },
	{ "record -s 32k --bulk-bytes 1kib -p7", "record pid=7 string=32768 bulk=1024" },
	{ "record -s 0 -p7", "record pid=7 string=0" },
	{ "record --ring-size 1024K -p7", "record pid=7 ring=1048576" },
	{ "record --ring-size 1.5M -p7", "record pid=7 ring=1572864" },
	{ "record --ring-size 1GiB -p7", "record pid=7 ring=1073741824" },
	{ "record --duration 2 -p7", "record pid=7 duration=2000000000" },
	{ "record --duration 2.5s -p7", "record pid=7 duration=2500000000" },
	{ "record --duration 500ms -p7", "record pid=7 duration=500000000" },
	{ "record --duration 250us -p7", "record pid=7 duration=250000" },
	{ "record --duration 5m -p7", "record pid=7 duration=300000000000" },
	{ "record --duration 1h -p7", "record pid=7 duration=3600000000000" },
	{ "record --limit 10k -p7", "record pid=7 limit=10000" },
	{ "record --until event_==_\"open\" -p7", "record pid=7 until=event == \"open\"" },
	{ "record --may-drop -p7", "record pid=7 drop=1" },
	{ "record -u nobody --python 3.12 --on-exit kill -- x.py", "record run=x.py user=nobody python=3.12 on_exit=3" },
	{ "print -F json /dev/null", "print [/dev/null] format=json" },
	{ "print /dev/null -Y open", "print [/dev/null] filter=open" },
	{ "print --filter open --format csv -- p", "print run=p filter=open format=csv" },
	{ "print no-such-file.avc", "print [no-such-file.avc]" },
	{ "export a.avc --format perfetto -o x.json", "export [a.avc] out=x.json format=perfetto" },
	{ "import - -o a.avc", "import [-] out=a.avc" },
	{ "stat a.avc --by caller --sort count -n 10", "stat [a.avc] by=caller sort=count rows=10" },
	{ "stat --coverage a.avc", "stat [a.avc] coverage=1" },
	{ "diff a b", "diff [a] [b]" },
	{ "diff -- -a -b", "diff [-a] [-b]" },
	{ "events socket.* --python 3.12 --json", "events [socket.*] python=3.12 json=1" },
	{ "events --category net --theme network", "events category=net theme=network" },
	{ "events --wide", "events wide=1" },
	{ "explain open", "explain [open]" },
	{ "explain -- -weird", "explain [-weird]" },
	{ "try -c import_os", "try code=import os" },
	{ "try --all-pythons open", "try [open] all_pythons=1" },
	{ "lesson 3", "lesson [3]" },
	{ "doctor", "doctor" },
	{ "profile a b -o c", "profile [a] [b] out=c" },
	{ "check a b", "check [a] [b]" },
	{ "check a -- b", "check [a] run=b" },
	{ "doctor 41 --stacks", "doctor [41] stacks=1" },
	{ "diff a b --exit-code", "diff [a] [b] exit_code=1" },
	{ "doctor 41 --json", "doctor [41] json=1" },
	{ "--color never doctor", "doctor color=2" },
	{ "--color=always doctor", "doctor color=1" },
	{ "--list-fields", "view list_fields=1" },
	{ "--no-tty --no-config -- p", "view run=p no_tty=1 no_config=1" },
	{ "--help", "view help=1" },
	{ "-h record", "record help=1" },
	{ "record --help", "record help=1" },
	{ "record --theme x --help", "record theme=x help=1" },
	{ "help", "view help=1" },
	/* -h -e lp: it does what the user meant */
	{ "-help", "view events=lp help=1" },
	{ "help stat", "stat help=1" },
	{ "-V", "view version=1" },
	{ "doctor --version", "doctor version=1" },
	{ "--completion bash", "view completion=bash" },
	/* an unambiguous beginning */
	{ "record --dur 3 -p7", "record pid=7 duration=3000000000" },
	{ "record --stack off --stack both -p7", "record pid=7 stack=3 stack_set=1" },
};

static const struct { const char *line; enum err_code code; const char *message, *hint; } bad[] = {
	{ "recrod -p 1", ERR_USAGE, "\"recrod\" is neither a command nor a file", "record" },
	{ "dif a b", ERR_USAGE, "\"dif\"", "diff" },
	{ "explian x", ERR_USAGE, "\"explian\"", "explain" },
	{ "event", ERR_USAGE, "\"event\"", "events" },
	{ "doc", ERR_USAGE, "\"doc\"", "doctor" },
	{ "no/such/file.avc", ERR_USAGE, "neither a command nor a file", "nearest command" },
	{ "4121", ERR_USAGE, "\"4121\"", "-p 4121" },
	{ "help recrd", ERR_USAGE, "\"recrd\"", "record" },
	{ "record --folow", ERR_USAGE, "unknown option --folow", "--follow" },
	{ "record --no-folow", ERR_USAGE, "unknown option --no-folow", "--no-follow" },
	{ "record --durtaion 3", ERR_USAGE, "--durtaion", "--duration" },
	{ "--outptu=x", ERR_USAGE, "unknown option --outptu", "--output" },
	{ "-Z", ERR_USAGE, "unknown option -Z", "--help" },
	{ "--bogus", ERR_USAGE, "unknown option --bogus", "all options" },
	{ "stat a --by theem", ERR_USAGE, "cannot use \"theem\" for --by: expected one of event, category", "nearest is theme" },
	{ "stat a --by pidd", ERR_USAGE, "cannot use \"pidd\" for --by: expected one of event, category", "nearest is pid" },
	{ "stat a --by seq", ERR_USAGE, "cannot use \"seq\" for --by: expected one of event, category", NULL },
	{ "-P 1", ERR_USAGE, "unknown option -P", "-p, --pid" },
	{ "-stack", ERR_USAGE, "expected a size", NULL },
	{ "--st both", ERR_USAGE, "--st can mean --stack, --stack-bytes, --string-bytes", NULL },
	{ "--", ERR_USAGE, "no program given after --", NULL },
	{ "-p", ERR_USAGE, "--pid wants a value", NULL },
	{ "record -o", ERR_USAGE, "--output wants a value", NULL },
	{ "-p 0", ERR_USAGE, "cannot use \"0\" for --pid", NULL },
	{ "-p -4", ERR_USAGE, "\"-4\"", NULL },
	{ "-p 4,", ERR_USAGE, "\"4,\"", NULL },
	{ "-p 4,,5", ERR_USAGE, "\"4,,5\"", NULL },
	{ "-p x", ERR_USAGE, "expected process ids", NULL },
	{ "-p 99999999999999999999", ERR_USAGE, "expected process ids", NULL },
	{ "-p 1 -- prog", ERR_USAGE, "a process and a program at once", "usage:" },
	{ "/dev/null -p 1", ERR_USAGE, "a capture and a process at once", "usage:" },
	{ "/dev/null -- prog", ERR_USAGE, "a capture and a program at once", "usage:" },
	{ "import /dev/null /dev/zero", ERR_USAGE, "one word too many: \"/dev/zero\"", "usage:" },
	{ "diff a", ERR_USAGE, "diff: too few words", "usage: auditview diff A B" },
	{ "diff a b c", ERR_USAGE, "one word too many: \"c\"", "usage:" },
	{ "record x -p1", ERR_USAGE, "one word too many: \"x\"", "usage:" },
	{ "stat a --theme x", ERR_USAGE, "stat takes no option --theme", "events" },
	{ "explain open -p 3", ERR_USAGE, "explain takes no option --pid", "record" },
	{ "--follow=yes -p 1", ERR_USAGE, "--follow takes no value", NULL },
	{ "--stack pyton -p 1", ERR_USAGE, "expected one of off, python, native, both", "python" },
	{ "--color blue", ERR_USAGE, "one of auto, always, never", NULL },
	{ "--on-exit trem -- x", ERR_USAGE, "one of wait, detach, term, kill", "term" },
	{ "--duration 0 -p 1", ERR_USAGE, "expected a time", NULL },
	{ "--duration 5parsecs -p 1", ERR_USAGE, "expected a time", NULL },
	{ "--duration -5s -p 1", ERR_USAGE, "expected a time", NULL },
	{ "--duration . -p 1", ERR_USAGE, "expected a time", NULL },
	{ "--limit 0 -p 1", ERR_USAGE, "expected a number", NULL },
	{ "--limit 1e3 -p 1", ERR_USAGE, "expected a number", NULL },
	{ "--limit 99999999999999999999 -p 1", ERR_USAGE, "expected a number", NULL },
	{ "-s 2M -p 1", ERR_USAGE, "from 0 to 1M", NULL },
	{ "-s 0x10 -p 1", ERR_USAGE, "expected a size", NULL },
	{ "-s 10.5 -p 1", ERR_USAGE, "expected a size", NULL },
	{ "--ring-size 1k -p 1", ERR_USAGE, "from 1M to 1G", NULL },
	{ "--ring-size 20000000000G -p 1", ERR_USAGE, "expected a size", NULL },
	/* hidden options have no short forms */
	{ "--man", ERR_USAGE, "unknown option --man", NULL },
};
/* clang-format on */

static void test_good_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char *argv[MAX_WORDS], line[256];
		snprintf(line, sizeof(line), "%s", good[i].line);
		struct options o = { 0 };
		struct strbuf got = { 0 };
		struct err *err = options_parse(split(line, argv), argv, &o);
		if (err)
			fail_msg("auditview %s: %s", good[i].line, err->message);
		describe(&got, &o);
		if (strcmp(strbuf_str(&got), good[i].want) != 0)
			fail_msg("auditview %s:\n  %s, expected\n  %s", good[i].line,
				 strbuf_str(&got), good[i].want);
		strbuf_fini(&got);
		options_fini(&o);
	}
}

static void test_bad_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *argv[MAX_WORDS], line[256];
		snprintf(line, sizeof(line), "%s", bad[i].line);
		struct options o = { .number = 4711 };
		struct err *err = options_parse(split(line, argv), argv, &o);
		if (!err)
			fail_msg("auditview %s was taken", bad[i].line);
		if (err->code != bad[i].code || !strstr(err->message, bad[i].message) ||
		    (bad[i].hint && (!err->hint || !strstr(err->hint, bad[i].hint))))
			fail_msg("auditview %s:\n  %s\n  %s", bad[i].line, err->message,
				 err->hint ? err->hint : "no hint");
		assert_int_equal(o.number, 4711); /* unchanged on failure */
		err_destroy(err);
	}
}

/* Two rows with the same name or letter, or a row without text, would mislead users. */
static void test_table_is_sound(void **state)
{
	unsigned all = 0;
	for (size_t c = 0; c < n_commands; c++) {
		all |= commands[c].options;
		assert_true(commands[c].options & OPT_ALWAYS);
		assert_non_null(commands[c].run);
		assert_true(commands[c].args && *commands[c].args);
		assert_true(commands[c].doc && *commands[c].doc && commands[c].about &&
			    *commands[c].about);
		assert_ptr_equal(command_find(commands[c].name), &commands[c]);
	}
	assert_int_equal(n_commands, 16);
	assert_null(command_find("no-such"));
	for (size_t i = 0; i < n_options; i++) {
		const struct option_row *row = &options_table[i];
		assert_true(row->groups & all); /* at least one command takes it */
		assert_true(row->doc && row->doc[strlen(row->doc) - 1] == '.');
		assert_int_equal(row->kind == OPTION_FLAG || row->kind == OPTION_SWITCH,
				 row->arg == NULL);
		assert_true(row->kind != OPTION_CHOICE || row->words);
		assert_true(row->kind != OPTION_WORD || option_word(row, 0));
		for (size_t w = 0; option_word(row, w); w++)
			if (!strstr(row->arg, option_word(row, w)) &&
			    !strstr(row->doc, option_word(row, w)))
				fail_msg("--%s does not say that it takes %s", row->name,
					 option_word(row, w));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(row->name, options_table[j].name);
			assert_true(!row->letter || row->letter != options_table[j].letter);
			assert_true(row->off != options_table[j].off);
		}
	}
}

/* Every option and command is in its help and in the manual; hidden ones are in neither. */
/* --stack is not an entry of a help that has --stacks alone. */
static bool has_entry(const char *help, const char *entry)
{
	for (const char *at = help; (at = strstr(at, entry)); at++)
		if (strchr(" \n", at[strlen(entry)]))
			return true;
	return false;
}

static void test_nothing_is_forgotten(void **state)
{
	struct strbuf manual = { 0 };
	options_manual(&manual);
	for (size_t c = 0; c < n_commands; c++) {
		struct strbuf help = { 0 };
		options_help(&help, &commands[c], 80);
		for (size_t i = 0; i < n_options; i++) {
			const struct option_row *row = &options_table[i];
			char spelled[64], in_roff[96];
			const char *no = row->kind == OPTION_SWITCH ? "[no-]" : "";
			char entry[80] = "\n      ";
			if (row->letter)
				snprintf(entry, sizeof(entry), "\n  -%c, ", row->letter);
			snprintf(spelled, sizeof(spelled), "--%s%s", no, row->name);
			strcat(entry, spelled);
			bool want = !row->is_hidden && option_is_taken(row, &commands[c]);
			if (has_entry(strbuf_str(&help), entry) != want)
				fail_msg("help of %s and --%s",
					 commands[c].name ? commands[c].name : "view", row->name);
			size_t n = 0;
			for (const char *p = spelled; *p && n < sizeof(in_roff) - 2; p++) {
				if (*p == '-')
					in_roff[n++] = '\\';
				in_roff[n++] = *p;
			}
			in_roff[n] = 0;
			assert_int_equal(strstr(strbuf_str(&manual), in_roff) != NULL,
					 !row->is_hidden);
		}
		if (commands[c].name)
			assert_non_null(strstr(strbuf_str(&manual), commands[c].name));
		strbuf_fini(&help);
	}
	strbuf_fini(&manual);
}

/* No line of help is wider than requested, except where one word alone is. */
static void test_help_wraps(void **state)
{
	static const unsigned widths[] = { 40, 60, 80, 110 };
	for (size_t w = 0; w < ARRAY_LEN(widths); w++) {
		for (size_t c = 0; c <= n_commands; c++) {
			struct strbuf help = { 0 };
			options_help(&help, c < n_commands ? &commands[c] : NULL, widths[w]);
			for (char *line = strtok(help.s, "\n"); line; line = strtok(NULL, "\n")) {
				size_t cells = 0;
				for (char *p = line; *p; p++)
					cells += ((unsigned char)*p & 0xc0) != 0x80;
				if (cells > widths[w] && strchr(line + strspn(line, " "), ' ') &&
				    widths[w] >= 80)
					fail_msg("%zu cells of %u: %s", cells, widths[w], line);
			}
			strbuf_fini(&help);
		}
	}
}

static void test_color(void **state)
{
	struct options o = { .color = COLOR_ALWAYS };
	assert_true(options_want_color(&o, STDERR_FILENO));
	o.color = COLOR_NEVER;
	assert_false(options_want_color(&o, STDERR_FILENO));
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	o.color = COLOR_AUTO;
	assert_false(options_want_color(&o, fds[1]));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),     cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_table_is_sound), cmocka_unit_test(test_nothing_is_forgotten),
		cmocka_unit_test(test_help_wraps),     cmocka_unit_test(test_color),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
