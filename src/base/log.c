/*
 * log: see log.h. AUDITVIEW_DEBUG=1 writes to stderr; any other value is the name of a file to
 * append to.
 */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/utf8.h"

bool log_is_on;
static FILE *log_file;

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
	const char *where = getenv("AUDITVIEW_DEBUG");
	if (!where || !*where)
		return;
	log_file = strcmp(where, "1") == 0 ? stderr : log_open(where);
	log_is_on = log_file != NULL;
}

void log_write(const char *fmt, ...)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct strbuf raw = { 0 }, text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&raw, fmt, ap);
	va_end(ap);
	/* the text may contain names from a target */
	utf8_add_plain(&text, strbuf_str(&raw), raw.n, "");
	fprintf(log_file, "[%ld.%06ld %d] %s\n", (long)now.tv_sec, now.tv_nsec / 1000,
		(int)getpid(), strbuf_str(&text));
	fflush(log_file);
	strbuf_fini(&raw);
	strbuf_fini(&text);
}
