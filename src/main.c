/*
 * main: run the command that the command line names. Only this file prints errors and exits.
 *
 * Exit status: the command's own (a launched program's, 128+N for a signal), 1 when the tool
 * failed, 2 for usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/inherited.h"
#include "base/io.h"
#include "base/log.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "command.h"
#include "commands/complete.h"
#include "commands/complete_scripts.h"
#include "commands/manual.h"
#include "model/fields.h"
#include "model/trace.h"
#include "options.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void ignore_signal(int signal)
{
	(void)signal;
}

/*
 * A closed pipe must give EPIPE and a file size limit EFBIG, not a deadly signal, because a target
 * may have to be left first. An empty handler is used instead of SIG_IGN because exec resets
 * handlers, so launched programs get the dispositions that we were given (signal(7), "Signal
 * dispositions"). An ignored SIGCHLD would make the kernel discard exit statuses (wait(2)).
 */
static void set_signals(void)
{
	static const int write_signals[] = { SIGPIPE, SIGXFSZ };
	for (size_t i = 0; i < ARRAY_LEN(write_signals); i++) {
		struct sigaction old,
		    quiet = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
		if (sigaction(write_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(write_signals[i], &quiet, NULL);
	}
	signal(SIGCHLD, SIG_DFL);
}

/* A file opened later must not become standard output by accident. Writing to a stream that was
 * closed stays an error: the descriptor opened in its place is not writable. */
static bool open_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDONLY) != fd)
			return false;
	}
	return true;
}

static unsigned help_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col > 110 ? 110 : size.ws_col;
}

static struct err *write_text(struct strbuf *text)
{
	struct err *err = NULL;
	if (text->failed)
		err = err_no_memory();
	else if (!say_text(text))
		err = err_sys(errno, "cannot write to standard output");
	strbuf_fini(text);
	return err;
}

/* Relative folders are of the working folder, as on every command line. */
static struct err *add_mine(const char *dirs)
{
	for (const char *p = dirs; p && *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		char *dir = strndup(p, n), *real = dir ? realpath(dir, NULL) : NULL;
		if (!dir)
			return err_no_memory();
		if (!real && *dir != '/') { /* a capture may be of another machine */
			struct err *err = err_create(ERR_USAGE,
						     "--mine: there is no folder \"%s\" here", dir);
			free(dir);
			return err;
		}
		trace_add_mine(dir);
		if (real)
			trace_add_mine(real);
		free(real);
		free(dir);
		p += n;
	}
	return NULL;
}

static struct err *run(const struct options *o, int *ret)
{
	struct strbuf text = { 0 };
	if (o->show_version) {
		strbuf_adds(&text, "auditview " AUDITVIEW_VERSION "\n");
		return write_text(&text);
	}
	if (o->list_options) {
		options_list(&text);
		return write_text(&text);
	}
	if (o->show_manual) {
		manual_add(&text);
		return write_text(&text);
	}
	if (o->completion) {
		if (!complete_script_add(&text, o->completion))
			return err_create(ERR_USAGE,
					  "cannot complete for \"%s\": expected bash, zsh or fish",
					  o->completion);
		return write_text(&text);
	}
	if (o->list_fields) {
		fields_list(&text);
		return write_text(&text);
	}
	if (o->show_help || !o->command) {
		options_help(&text, o->command, help_width());
		return write_text(&text);
	}
	struct err *err = add_mine(o->mine);
	return err ? err : o->command->run(o, ret);
}

static void print_error(const struct err *err)
{
	struct strbuf text = { 0 };
	if (err->is_lines) {
		strbuf_addf(&text, "auditview: %s\n", err->message);
		say_error_text(&text);
		strbuf_clear(&text);
	} else {
		say_error("%s", err->message);
	}
	if (err->hint) {
		strbuf_addf(&text, "           %s\n", err->hint);
		say_error_text(&text);
	}
	strbuf_fini(&text);
}

/* A locale that names UTF-8 and is not installed here, as in most containers, has the characters
 * of C.UTF-8, if that is there: the terminal has them too. Other languages are shown in UTF-8
 * alone. */
static void choose_language(void)
{
	bool is_utf8 = !setlocale(LC_ALL, "") && tr_is_utf8(tr_locale());
	if (is_utf8)
		setlocale(LC_CTYPE, "C.UTF-8");
	/* numbers in JSON and CSV have a decimal point in every locale */
	setlocale(LC_NUMERIC, "C");
	if (is_utf8 || strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		tr_choose(tr_locale(), getenv("LANGUAGE"));
}

int main(int argc, char **argv)
{
	inherited_note();
	if (!open_standard_streams())
		return EXIT_FAILED;
	log_init();
	choose_language();
	set_signals();

	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		struct strbuf text = { 0 };
		complete_add(&text, (const char *const *)(argv + 2), (size_t)argc - 2);
		say_text(&text);
		strbuf_fini(&text);
		return say_flush() ? 0 : EXIT_FAILED;
	}
	int status = 0;
	struct options options = { 0 };
	struct err *err = options_parse(argc, argv, &options);
	if (!options.program)
		inherited_put_back();
	if (!err)
		err = run(&options, &status);
	if (!say_flush() && !err)
		err = err_sys(errno ? errno : EIO, "cannot write to standard output");
	if (err && (err->sys == EPIPE || (err->sys == EIO && io_is_hung_up(STDOUT_FILENO)))) {
		/* the reader of our output has closed the pipe, or its terminal */
	} else if (err) {
		print_error(err);
		status = err->code == ERR_USAGE ? EXIT_USAGE : status ? status : EXIT_FAILED;
	}
	err_destroy(err);
	options_fini(&options);
	return status;
}
