/*
 * app_messages: what the app reports: in the last line, in the list of messages, in a box.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ui/ui.h"

void ui_vflash(struct ui *ui, const char *fmt, va_list ap)
{
	vsnprintf(ui->flash, sizeof(ui->flash), fmt, ap);
	ui->flash_until_ns = ui->host.now_ns + 4000000000u;
	ui->dirty = true;
}

void ui_flash(struct ui *ui, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	ui_vflash(ui, fmt, ap);
	va_end(ap);
}

void ui_flash_err(struct ui *ui, struct err *err)
{
	ui_flash(ui, "%s%s%s", err->message, err->hint ? "; " : "", err->hint ? err->hint : "");
	ui_message(ui, "! failed", SELECTION_NONE, true, "%s%s%s", err->message,
		   err->hint ? "\n" : "", err->hint ? err->hint : "");
	err_destroy(err);
}

void ui_message(struct ui *ui, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	struct message m = { (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec, strdup(kind),
			     text, seq, is_trouble };
	if (!m.kind || !vec_push(&ui->messages, m)) {
		free(m.kind);
		free(text);
		return;
	}
	ui->dirty = true;
}

void ui_dialog(struct ui *ui, const char *text)
{
	free(ui->dialog);
	ui->dialog = strdup(text);
	ui->dirty = true;
}

void ui_copy(struct ui *ui, const char *text, size_t n)
{
	free(ui->copied);
	ui->copied = malloc(n + 1);
	if (!ui->copied)
		return;
	memcpy(ui->copied, text, n);
	ui->copied[n] = 0;
	ui->copied_bytes = n;
	struct strbuf b = { 0 };
	strbuf_add_count(&b, n);
	/* the terminal does not say whether it took the text */
	ui_flash(ui, "%s byte%s sent to the terminal for its clipboard", strbuf_str(&b),
		 n == 1 ? "" : "s");
	strbuf_fini(&b);
}
