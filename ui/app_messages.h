/*
 * app_messages: what the app reports: in the last line, in the list of messages, in a box.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct app;

void app_flash(struct app *app, const char *fmt, ...) PRINTF_LIKE(2, 3);
void app_vflash(struct app *app, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void app_flash_err(struct app *app, struct err *err); /* takes err */
void app_message(struct app *app, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		 ...) PRINTF_LIKE(5, 6);
void app_dialog(struct app *app, const char *text); /* the first line is the title */
void app_copy(struct app *app, const char *text, size_t n_bytes);
