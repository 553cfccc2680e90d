/*
 * say: see say.h.
 */
#include "base/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "base/utf8.h"

/* Of the first write to standard output that failed. stdio keeps that there was an error, but not
 * which: without this, a pipe that was closed early is an error without a cause at the end. */
static int first_errno;

static bool write_guarded(FILE *f, const struct strbuf *text)
{
	struct strbuf safe = { 0 };
	bool ok = !text->failed;
	errno = ok ? 0 : ENOMEM;
	if (ok && !utf8_is_safe(strbuf_str(text), text->n)) {
		utf8_guard(&safe, strbuf_str(text), text->n);
		text = &safe;
		ok = !safe.failed;
	}
	ok = ok && fwrite(strbuf_str(text), 1, text->n, f) == text->n;
	if (!ok && f == stdout && !first_errno)
		first_errno = errno;
	strbuf_fini(&safe);
	return ok;
}

bool say_text(const struct strbuf *text)
{
	return write_guarded(stdout, text);
}

bool say(const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	bool ok = write_guarded(stdout, &text);
	strbuf_fini(&text);
	return ok;
}

bool say_flush(void)
{
	errno = 0;
	bool ok = fflush(stdout) == 0 && !ferror(stdout);
	if (!ok && !first_errno)
		first_errno = errno;
	errno = ok ? 0 : first_errno;
	return ok;
}

void say_error_text(const struct strbuf *text)
{
	/* on a terminal the message would otherwise appear in the middle of a line */
	fflush(stdout);
	write_guarded(stderr, text);
}

void say_error(const char *fmt, ...)
{
	struct strbuf raw = { 0 }, text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&raw, fmt, ap);
	va_end(ap);
	strbuf_adds(&text, "auditview: ");
	/* keep it on one line, whatever a file name contains */
	utf8_add_plain(&text, strbuf_str(&raw), raw.n, "");
	strbuf_addc(&text, '\n');
	say_error_text(&text);
	strbuf_fini(&raw);
	strbuf_fini(&text);
}
