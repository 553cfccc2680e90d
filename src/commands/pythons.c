#include "commands/pythons.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "model/catalog.h"

/* reading Python from a slow disk takes time; a program that needs longer is not a Python */
#define ASK_TIMEOUT_MS 10000

static const char ask_code[] = "import sys\n"
			       "sys.stdout.write('%s %d.%d.%d %s' % ((getattr(sys, "
			       "'implementation', None) and sys.implementation.name,)"
			       " + tuple(sys.version_info[:3]) + (sys.executable,)))";

void python_list_fini(struct python_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].path);
	vec_fini(list);
}

/* Read what the child writes until it closes the pipe, at most cap - 1 bytes; false on a
 * timeout. */
static bool read_answer(int fd, char *to, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < cap - 1) {
		if (poll(&p, 1, ASK_TIMEOUT_MS) <= 0)
			return false;
		ssize_t got = read(fd, to + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	to[n] = '\0';
	return true;
}

/* Run the program and store its answer; an empty answer if it does not reply in time. */
static struct err *run_asking(const char *program, char *answer, size_t cap)
{
	pid_t pid;
	int fds[2];
	struct err *err = child_fork(program, fds, &pid);

	answer[0] = '\0';
	if (err)
		return err;
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stderr))
			_exit(127);
		execlp(program, program, "-I", "-S", "-c", ask_code, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (!read_answer(fds[0], answer, cap))
		kill(pid, SIGKILL);
	close(fds[0]);
	child_wait(pid);
	return NULL;
}

struct err *pythons_ask(const char *program, struct python_program *ret)
{
	char answer[4096], again[4096], name[32];
	int major, minor, micro, path_at = 0;
	struct err *err = run_asking(program, answer, sizeof(answer));

	if (err)
		return err;
	if (sscanf(answer, "%31s %d.%d.%d %n", name, &major, &minor, &micro, &path_at) != 4 ||
	    major != 3)
		return err_create(ERR_NOT_PYTHON,
				  "cannot use \"%s\": it does not run as a Python 3", program);
	if (strcmp(name, "cpython") != 0)
		return err_create(
		    ERR_UNSUPPORTED,
		    "cannot use \"%s\": it is %s, and only CPython raises these events", program,
		    name);
	if (minor < CATALOG_MINOR_OLDEST)
		return err_create(
		    ERR_UNSUPPORTED,
		    "cannot use \"%s\": CPython 3.%d has no audit events, 3.%d is the first",
		    program, minor, CATALOG_MINOR_OLDEST);
	/* The program may be a script that selects a Python. Use that Python itself, if it runs
	 * without the script. */
	const char *path = program, *own = answer + path_at;

	if (path_at && *own == '/' && strcmp(own, program) != 0) {
		err = run_asking(own, again, sizeof(again));
		if (err)
			return err;
		if (strcmp(again, answer) == 0)
			path = own;
	}
	ret->path = strdup(path);
	if (!ret->path)
		return err_no_memory();
	ret->minor = minor;
	snprintf(ret->version, sizeof(ret->version), "%d.%d.%d", major, minor, micro);
	return NULL;
}

/* Add it unless the list has the same or a newer micro version of its minor version. */
static struct err *offer(struct python_list *list, const char *path)
{
	struct python_program program;
	struct err *err = pythons_ask(path, &program);

	if (err) {
		bool is_fatal = err->code == ERR_NO_MEMORY;

		if (is_fatal)
			return err;
		err_destroy(err);
		return NULL;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].minor != program.minor)
			continue;
		if (strverscmp(list->v[i].version, program.version) >= 0) {
			free(program.path);
		} else {
			free(list->v[i].path);
			list->v[i] = program;
		}
		return NULL;
	}
	if (vec_push(list, program))
		return NULL;
	free(program.path);
	return err_no_memory();
}

static struct err *offer_glob(struct python_list *list, const char *pattern)
{
	struct err *err = NULL;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; !err && i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i], *dot = strrchr(path, '.');
		const char *name = strrchr(path, '/');

		/* python3.12-config is not a Python; pyenv's shims run Pythons that are found
		 * anyway. */
		bool is_program = name &&
				  (strcmp(name, "/python3") == 0 ||
				   (dot && strspn(dot + 1, "0123456789") == strlen(dot + 1)));
		if (is_program && !strstr(path, "/shims/") && access(path, X_OK) == 0)
			err = offer(list, path);
	}
	globfree(&found);
	return err;
}

static int by_minor(const void *a, const void *b)
{
	return ((const struct python_program *)a)->minor -
	       ((const struct python_program *)b)->minor;
}

struct err *pythons_find_all(struct python_list *ret)
{
	struct python_list list = { 0 };
	struct strbuf pattern = { 0 };
	const char *path = getenv("PATH"), *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	struct err *err = NULL;

	while (path && *path && !err) {
		size_t n = strcspn(path, ":");

		if (n) {
			strbuf_clear(&pattern);
			strbuf_add(&pattern, path, n);
			strbuf_adds(&pattern, "/python3.[0-9]*");
			err = offer_glob(&list, strbuf_str(&pattern));
		}
		path += n + (path[n] == ':');
	}
	strbuf_clear(&pattern);
	if (root || home)
		strbuf_addf(&pattern, "%s%s/versions/*/bin/python3", root ? root : home,
			    root ? "" : "/.pyenv");
	if (!err && pattern.n)
		err = offer_glob(&list, strbuf_str(&pattern));
	strbuf_fini(&pattern);
	if (!err && list.n == 0)
		err = err_create(ERR_NOT_FOUND, "no CPython 3.%d or later was found",
				 CATALOG_MINOR_OLDEST);
	if (err) {
		python_list_fini(&list);
		return err;
	}
	qsort(list.v, list.n, sizeof(list.v[0]), by_minor);
	*ret = list;
	return NULL;
}

/* Is it a version, "3.12" or "3.12.1", and not a program? */
static bool is_version(const char *word)
{
	return strncmp(word, "3.", 2) == 0 && strspn(word, "0123456789.") == strlen(word);
}

static struct err *find_version(const char *word, struct python_list *ret)
{
	struct python_list all = { 0 };
	struct strbuf there = { 0 };
	struct err *err = pythons_find_all(&all);
	size_t n = strlen(word);

	for (size_t i = 0; !err && i < all.n; i++) {
		const char *version = all.v[i].version;

		strbuf_addf(&there, "%s%s", i ? ", " : "", version);
		if (strncmp(version, word, n) != 0 || (version[n] != '\0' && version[n] != '.'))
			continue;
		if (!vec_push(ret, all.v[i]))
			err = err_no_memory();
		else
			all.v[i].path = NULL;
		python_list_fini(&all);
		strbuf_fini(&there);
		return err;
	}
	python_list_fini(&all);
	if (!err)
		err = err_with_hint(err_create(ERR_NOT_FOUND, "no Python %s was found", word),
				    "there is %s", strbuf_str(&there));
	strbuf_fini(&there);
	return err;
}

struct err *pythons_find(const char *words, struct python_list *ret)
{
	struct python_list list = { 0 };
	struct err *err = NULL;
	char *copy = strdup(words ? words : "python3"), *save = NULL;

	if (!copy)
		return err_no_memory();
	for (char *word = strtok_r(copy, ",", &save); word && !err;
	     word = strtok_r(NULL, ",", &save)) {
		struct python_program program;

		if (is_version(word)) {
			err = find_version(word, &list);
			continue;
		}
		err = pythons_ask(word, &program);
		if (!err && !vec_push(&list, program)) {
			free(program.path);
			err = err_no_memory();
		}
	}
	free(copy);
	if (!err && list.n == 0)
		err = err_create(ERR_USAGE, "--python needs a program or a version such as 3.12");
	if (err) {
		python_list_fini(&list);
		return err;
	}
	*ret = list;
	return NULL;
}
