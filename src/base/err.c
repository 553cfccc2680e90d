/*
 * err: see err.h. An error is one malloc'ed block for the struct and one for each text; the
 * out-of-memory error is static and recognised by address.
 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err out_of_memory = { .code = ERR_NO_MEMORY,
				    .sys = ENOMEM,
				    .message = "out of memory" };

struct err *err_no_memory(void)
{
	return &out_of_memory;
}

static PRINTF_LIKE(2, 0) struct err *err_createv(enum err_code code, const char *fmt, va_list ap)
{
	struct err *err = calloc(1, sizeof(*err));
	char *message = NULL;
	if (!err || vasprintf(&message, fmt, ap) < 0) {
		free(err);
		return &out_of_memory;
	}
	err->code = code;
	err->message = message;
	return err;
}

struct err *err_create(enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct err *err = err_createv(code, fmt, ap);
	va_end(ap);
	return err;
}

static enum err_code code_of_errno(int sys)
{
	switch (sys) {
	case EPERM:
	case EACCES: return ERR_DENIED;
	case ENOENT: return ERR_NOT_FOUND;
	case ESRCH: return ERR_TARGET_GONE;
	case ENOMEM: return ERR_NO_MEMORY;
	case ETIMEDOUT: return ERR_TIMEOUT;
	default: return ERR_SYS;
	}
}

struct err *err_sys(int sys, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct err *err = err_createv(code_of_errno(sys), fmt, ap);
	va_end(ap);
	if (err == &out_of_memory)
		return err;
	char *message = NULL;
	if (asprintf(&message, "%s: %s", err->message, strerror(sys)) < 0) {
		err_destroy(err);
		return &out_of_memory;
	}
	free((char *)(uintptr_t)err->message);
	err->message = message;
	err->sys = sys;
	return err;
}

struct err *err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err || err == &out_of_memory)
		return err;
	va_list ap;
	char *prefix = NULL, *message = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&prefix, fmt, ap);
	va_end(ap);
	if (n < 0 || asprintf(&message, "%s: %s", prefix, err->message) < 0) {
		if (n >= 0)
			free(prefix);
		err_destroy(err);
		return &out_of_memory;
	}
	free(prefix);
	free((char *)(uintptr_t)err->message);
	err->message = message;
	return err;
}

struct err *err_with_hint(struct err *err, const char *fmt, ...)
{
	if (!err || err == &out_of_memory)
		return err;
	va_list ap;
	char *hint = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&hint, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err; /* the error matters more than its hint */
	free((char *)(uintptr_t)err->hint);
	err->hint = hint;
	return err;
}

struct err *err_with_at(struct err *err, uint64_t at)
{
	if (err && err != &out_of_memory)
		err->at = at;
	return err;
}

void err_destroy(struct err *err)
{
	if (!err || err == &out_of_memory)
		return;
	free((char *)(uintptr_t)err->message);
	free((char *)(uintptr_t)err->hint);
	free(err);
}

struct err *err_ignore(struct err *err, enum err_code code)
{
	if (!err || err->code != code)
		return err;
	err_destroy(err);
	return NULL;
}

static struct {
	void (*fn)(void *);
	void *arg;
} crash_handlers[8];
static int n_crash_handlers;

void crash_handler_push(void (*fn)(void *), void *arg)
{
	if (n_crash_handlers < (int)ARRAY_LEN(crash_handlers)) {
		crash_handlers[n_crash_handlers].fn = fn;
		crash_handlers[n_crash_handlers].arg = arg;
	}
	n_crash_handlers++;
}

void crash_handler_pop(void)
{
	if (n_crash_handlers > 0)
		n_crash_handlers--;
}

void crash_handlers_run(void)
{
	while (n_crash_handlers > 0) {
		n_crash_handlers--;
		if (n_crash_handlers < (int)ARRAY_LEN(crash_handlers))
			crash_handlers[n_crash_handlers].fn(crash_handlers[n_crash_handlers].arg);
	}
}

void check_failed(const char *what, const char *file, int line)
{
	crash_handlers_run();
	fprintf(stderr, "auditview: %s:%d: this should never happen: %s\n", file, line, what);
	abort();
}
