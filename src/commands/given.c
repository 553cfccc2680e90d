/*
 * given: see given.h.
 */
#include "commands/given.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "command.h"
#include "commands/keep.h"
#include "commands/open_capture.h"
#include "commands/pythons.h"
#include "model/capture_filter.h"

static bool is_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Append the path under which execvp(3) finds it; false if it finds none. */
static bool find_in_path(const char *word, struct strbuf *to)
{
	const char *path = getenv("PATH");
	for (path = path ? path : "/bin:/usr/bin";; path += strcspn(path, ":") + 1) {
		size_t n = strcspn(path, ":");
		strbuf_clear(to);
		strbuf_addf(to, "%.*s%s%s", (int)n, path, n ? "/" : "", word);
		if (is_program(strbuf_str(to)))
			return true;
		if (!path[n])
			return false;
	}
}

static bool is_in_path(const char *word)
{
	struct strbuf name = { 0 };
	bool found = find_in_path(word, &name);
	strbuf_fini(&name);
	return found;
}

bool given_is_script(const char *word)
{
	struct strbuf name = { 0 };
	char head[2] = { 0 };
	if (strchr(word, '/'))
		strbuf_adds(&name, word);
	else if (!find_in_path(word, &name))
		strbuf_clear(&name);
	int fd = open(strbuf_str(&name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : -1;
	if (fd >= 0)
		close(fd);
	strbuf_fini(&name);
	return n == (ssize_t)sizeof(head) && memcmp(head, "#!", sizeof(head)) == 0;
}

struct err *given_python(const char *word, char **ret)
{
	struct python_list found = { 0 };
	char *program = NULL;
	if (!word)
		word = "python3";
	if (!*word || strchr(word, ','))
		return err_create(
		    ERR_USAGE,
		    "--python needs one program here, or a version such as 3.12; not \"%s\"", word);
	if (strncmp(word, "3.", 2) == 0 && strspn(word, "0123456789.") == strlen(word)) {
		struct err *err = pythons_find(word, &found);
		if (err && err->code == ERR_NOT_FOUND)
			err->code = ERR_USAGE; /* the option is wrong, not the machine */
		if (err)
			return err;
		program = strdup(found.v[0].path);
		python_list_fini(&found);
	} else if (strchr(word, '/') ? !is_program(word) : !is_in_path(word)) {
		return err_create(ERR_USAGE, "there is no program \"%s\" to run as Python", word);
	} else {
		program = strdup(word);
	}
	if (!program)
		return err_no_memory();
	*ret = program;
	return NULL;
}

/* Refuse options that have a meaning only if the events go to the other place. */
static struct err *check_place(const struct options *o, bool on_screen)
{
	bool is_file = o->n_args > 0, is_live = o->n_pids || o->program;
	const struct {
		const char *option;
		bool is_given, is_wrong;
	} rows[] = {
		{ "--format", o->format != NULL, on_screen },
		{ "--wide", o->wide, on_screen },
		{ "--output", o->output != NULL, on_screen && is_file },
		{ "--limit", o->limit != 0, on_screen && is_file },
		{ "--until", o->until != NULL, on_screen && is_file },
		{ "--follow", o->follow != UNSET, on_screen && is_file },
		{ "--no-tty", o->no_tty, !on_screen && is_live },
		{ "--keep", o->keep != NULL, !on_screen },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].is_given && rows[i].is_wrong)
			return err_with_hint(
			    err_create(ERR_USAGE, "%s has no meaning %s", rows[i].option,
				       on_screen ? "on the screen"
						 : "without the screen: standard output or input "
						   "is not a terminal"),
			    on_screen ? "auditview print, which writes lines, takes it"
			    : o->keep ? "auditview record takes it, too"
				      : "see auditview --help");
	return NULL;
}

struct err *given_check_mine(const struct options *o, const char *what, bool shows_callers)
{
	if (!o->mine || o->filter || o->until || shows_callers)
		return NULL;
	return err_with_hint(
	    err_create(ERR_USAGE, "--mine says what a caller is, and %s shows none", what),
	    "together with -Y, whose filter may test the caller, it has a use");
}

struct err *given_check(const struct options *o, bool on_screen)
{
	struct err *err = o->command && !o->command->name ? check_place(o, on_screen) : NULL;
	if (!err && o->filter)
		err = capture_filter_check("-Y", o->filter);
	if (!err && o->until)
		err = capture_filter_check("--until", o->until);
	if (!err && o->mine && (o->n_pids || o->program) && o->stack != STACK_PYTHON &&
	    o->stack != STACK_BOTH)
		err = err_create(ERR_USAGE, "--mine needs the stacks of Python, which --stack "
					    "leaves out");
	if (!err && on_screen && o->keep)
		err = keep_check(o, o->output ? o->output : "");
	if (!err && o->events) {
		struct capture_filter *f = NULL;
		err = capture_filter_compile(o->events, &f);
		if (err && err->code == ERR_SYNTAX)
			err->code = ERR_USAGE; /* the text is from the command line */
		capture_filter_destroy(f);
	}
	return err;
}
