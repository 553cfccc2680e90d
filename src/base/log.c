/*
 * log: see log.h.
 */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/folder.h"
#include "base/strbuf.h"
#include "base/utf8.h"

bool log_is_on;
static FILE *log_file;
static char
    wanted[256]; /* the words of AUDITVIEW_DEBUG, in commas: ",visit,follow,"; "" for all files */

/* Links are not followed and nothing blocks, because we may be root. */
static FILE *log_open(const char *path)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "a");
	if (fd >= 0 && !f)
		close(fd);
	return f;
}

void log_init(void)
{
	const char *list = getenv("AUDITVIEW_DEBUG");
	char *words = list && *list ? strdup(list) : NULL, *rest = words, *word;
	bool is_all = false;
	size_t n = 0;
	log_file = words ? stderr : NULL;
	wanted[0] = '\0';
	while (words && (word = strsep(&rest, ","))) {
		if (strcmp(word, "1") == 0)
			is_all = true;
		else if (strchr(word, '/'))
			log_file = log_open(word);
		else if (*word && n + strlen(word) + 2 < sizeof(wanted))
			n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%s%s,", n ? "" : ",",
					      word);
	}
	if (is_all)
		wanted[0] = '\0';
	free(words);
	log_is_on = log_file != NULL;
	/* so that a word that is no folder and no file is seen */
	if (wanted[0])
		log_debug("notes of %.*s", (int)n - 2, wanted + 1);
}

void log_leave_terminal(void)
{
	char *folder = NULL;
	struct strbuf path = { 0 };
	if (!log_is_on || !isatty(fileno(log_file)))
		return;
	struct err *err = folder_find(FOLDER_STATE, true, &folder);
	if (err) {
		log_debug("no notes from now on: %s", err->message);
		err_destroy(err);
		log_is_on = false;
		return;
	}
	strbuf_addf(&path, "%s/debug.log", folder);
	log_debug("notes are appended to %s from now on", strbuf_str(&path));
	log_file = path.failed ? NULL : log_open(strbuf_str(&path));
	log_is_on = log_file != NULL;
	strbuf_fini(&path);
	free(folder);
}

/* Is `name` of n bytes one of the words? */
static bool is_word(const char *name, size_t n)
{
	for (const char *p = strchr(wanted, ','); p && p[1]; p = strchr(p + 1, ','))
		if (strncmp(p + 1, name, n) == 0 && p[1 + n] == ',')
			return true;
	return false;
}

void log_write(const char *file, const char *fmt, ...)
{
	const char *name = strrchr(file, '/'), *folder = name;
	name = name ? name + 1 : file;
	while (folder && folder > file && folder[-1] != '/')
		folder--;
	size_t n_name = strcspn(name, "."), n_folder = folder ? (size_t)(name - 1 - folder) : 0;
	if (wanted[0] && strcmp(file, __FILE__) != 0 && !is_word(name, n_name) &&
	    !(folder && is_word(folder, n_folder)))
		return;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct strbuf raw = { 0 }, text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&raw, fmt, ap);
	va_end(ap);
	/* the text may contain names from a target */
	utf8_add_plain(&text, strbuf_str(&raw), raw.n, "");
	fprintf(log_file, "[%ld.%06ld %d %.*s] %s\n", (long)now.tv_sec, now.tv_nsec / 1000,
		(int)getpid(), (int)n_name, name, strbuf_str(&text));
	fflush(log_file);
	strbuf_fini(&raw);
	strbuf_fini(&text);
}
