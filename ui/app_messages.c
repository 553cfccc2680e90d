/*
 * app_messages: what the app reports: in the last line, in the list of messages, in a box.
 */
#include "ui/app_messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/tr.h"
#include "ui/app_state.h"

void app_vflash(struct app *app, const char *fmt, va_list ap)
{
	vsnprintf(app->flash, sizeof(app->flash), tr(fmt), ap);
	app->flash_until_ns = app->host.now_ns + 4000000000u;
	app->dirty = true;
}

void app_flash(struct app *app, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	app_vflash(app, fmt, ap);
	va_end(ap);
}

void app_flash_err(struct app *app, struct err *err)
{
	app_flash(app, "%s%s%s", err->message, err->hint ? "; " : "", err->hint ? err->hint : "");
	app_message(app, "! failed", SELECTION_NONE, true, "%s%s%s", err->message,
		    err->hint ? "\n" : "", err->hint ? err->hint : "");
	err_destroy(err);
}

void app_message(struct app *app, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		 ...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, tr(fmt), ap);
	va_end(ap);
	if (n < 0)
		return;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	struct message m = { (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec,
			     strdup(tr(kind)), text, seq, is_trouble };
	if (!m.kind || !vec_push(&app->messages, m)) {
		free(m.kind);
		free(text);
		return;
	}
	app->dirty = true;
}

void app_dialog(struct app *app, const char *text)
{
	free(app->dialog);
	app->dialog = strdup(text);
	app->dirty = true;
}

void app_copy(struct app *app, const char *text, size_t n)
{
	free(app->copied);
	app->copied = malloc(n + 1);
	if (!app->copied)
		return;
	memcpy(app->copied, text, n);
	app->copied[n] = 0;
	app->copied_bytes = n;
	struct strbuf b = { 0 };
	strbuf_add_count(&b, n);
	/* the terminal does not say whether it took the text */
	app_flash(app,
		  n == 1 ? "%s byte sent to the terminal for its clipboard"
			 : "%s bytes sent to the terminal for its clipboard",
		  strbuf_str(&b));
	strbuf_fini(&b);
}
