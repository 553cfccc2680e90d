/*
 * project: see project.h.
 */
#include "python/project.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/confine.h"
#include "base/code_path.h"
#include "base/strbuf.h"

enum { LEVELS_MAX = 40, PATH_BYTES_MAX = 3000 };

static bool is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && !memcmp(s, word, n);
}

/* The script of a command line; NULL: there is none (-c, -m, standard input). CPython 3.13
 * Python/initconfig.c, config_parse_cmdline(): -W, -X and --check-hash-based-pycs have a word of
 * their own. */
static const char *script_of(const char *words, size_t n_bytes)
{
	size_t at = strnlen(words, n_bytes) + 1;
	while (at < n_bytes) {
		const char *word = words + at;
		size_t n = strnlen(word, n_bytes - at);
		at += n + 1;
		if (*word != '-')
			return n && n < PATH_BYTES_MAX ? word : NULL;
		if (n == 1 || is_word(word, n, "-"))
			return NULL;
		if (word[1] == '-') {
			if (is_word(word, n, "--check-hash-based-pycs"))
				at += strnlen(words + at, at < n_bytes ? n_bytes - at : 0) + 1;
			continue;
		}
		/* letters in one word: -Bm pytest, -Xdev */
		size_t k = 1 + strcspn(word + 1, "cmWX");
		if (k < n && (word[k] == 'c' || word[k] == 'm'))
			return NULL;
		if (k + 1 == n && at < n_bytes)
			at += strnlen(words + at, n_bytes - at) + 1;
	}
	return NULL;
}

bool project_start(const char *words, size_t n_bytes, const char *cwd, struct strbuf *to)
{
	const char *script = n_bytes && !words[n_bytes - 1] ? script_of(words, n_bytes) : NULL;
	if (*cwd != '/')
		return false;
	if (!script || code_path_is_launcher(script, strlen(script)) ||
	    code_path_site(script, strlen(script))) {
		strbuf_adds(to, cwd);
		return true;
	}
	while (!strncmp(script, "./", 2))
		script += 2;
	const char *slash = strrchr(script, '/');
	if (*script != '/') {
		strbuf_adds(to, cwd);
		if (slash)
			strbuf_addc(to, '/');
	}
	strbuf_add(to, script, slash ? (size_t)(slash - script) : 0);
	return true;
}

bool project_find(int root_fd, const char *start, struct strbuf *to)
{
	static const char *const marks[] = { "pyproject.toml", "setup.py", "setup.cfg", "manage.py",
					     "tox.ini",        ".git",     ".hg" };
	char folder[PATH_BYTES_MAX], path[PATH_BYTES_MAX + 32];
	size_t n = strlen(start);
	if (n >= sizeof(folder) || *start != '/' || strstr(start, "/../"))
		return false;
	memcpy(folder, start, n + 1);
	for (unsigned i = 0; i < LEVELS_MAX; i++) {
		while (n > 1 && (folder[n - 1] == '/' ||
				 (n > 2 && folder[n - 1] == '.' && folder[n - 2] == '/')))
			n--;
		folder[n] = 0;
		if (n < 2)
			return false;
		for (size_t k = 0; k < ARRAY_LEN(marks); k++) {
			snprintf(path, sizeof(path), "%s/%s", folder, marks[k]);
			int fd = confine_open(root_fd, path, O_PATH);
			if (fd < 0)
				continue;
			close(fd);
			strbuf_add(to, folder, n);
			return true;
		}
		while (n > 0 && folder[n - 1] != '/')
			n--;
	}
	return false;
}
