/*
 * err: how failures are reported.
 *
 * A function that can fail returns `struct err *`; NULL is success, and every such function is
 * MUST_CHECK. The holder of an error owns it: return it, wrap it, or call err_destroy(). Messages
 * are for the person at the keyboard: lower case, what was attempted, with which value; the hint
 * says what to try. Out of memory is one static object, so reporting it cannot fail.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum err_code {
	ERR_NO_MEMORY,
	ERR_SYS,    /* a system call failed; err->sys is its errno */
	ERR_USAGE,  /* the command line, or a request, is not of the expected form */
	ERR_SYNTAX, /* a text does not parse; err->at is the byte offset */
	/* a file or the target's memory holds an impossible value; err->at is the offset or
	 * address */
	ERR_CORRUPT,
	ERR_NOT_FOUND,
	ERR_DENIED, /* not allowed */
	ERR_BUSY,   /* another process holds it */
	ERR_TIMEOUT,
	ERR_TARGET_GONE, /* the target died or left; this is an ordinary result */
	ERR_NOT_PYTHON,
	/* understood, but not possible here: an unknown layout, version or machine */
	ERR_UNSUPPORTED,
	ERR_CANCELLED,
	ERR_CODE_COUNT
};

struct err {
	enum err_code code;
	int sys;       /* errno, or 0 */
	uint64_t at;   /* byte offset or address, where the code says so */
	bool is_lines; /* the message has several lines; no name in it can contain a line break */
	const char *message;
	const char *hint; /* what to try; NULL if nothing is known */
};

MUST_CHECK struct err *err_create(enum err_code code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The message gets ": " and strerror(sys) appended. EPERM and EACCES become ERR_DENIED, ENOENT
 * becomes ERR_NOT_FOUND, ESRCH becomes ERR_TARGET_GONE, ENOMEM becomes ERR_NO_MEMORY (with a
 * message), anything else ERR_SYS. */
MUST_CHECK struct err *err_sys(int sys, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prefix the message: it becomes "<new>: <old>". Takes err and returns it (or the static
 * out-of-memory error). */
MUST_CHECK struct err *err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Add a hint (replacing an older one) or a position. Takes err and returns it. */
MUST_CHECK struct err *err_with_hint(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_CHECK struct err *err_with_at(struct err *err, uint64_t at);
MUST_CHECK struct err *err_no_memory(void);
void err_destroy(struct err *err); /* NULL is fine */
/* Destroy an error of this code, and return NULL; return any other, and NULL, as it is. */
MUST_CHECK struct err *err_ignore(struct err *err, enum err_code code);

/* For programming errors only: prints the place, runs the crash handlers (they restore the terminal
 * and run the undo stack), and aborts. */
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (__builtin_expect(!(x), 0))                                                     \
			check_failed(#x, __FILE__, __LINE__);                                      \
	} while (0)
NORETURN void check_failed(const char *what, const char *file, int line);

/* Handlers run, newest first, before a failed CHECK aborts (at most 8). Async-signal-safe code
 * only. */
void crash_handler_push(void (*fn)(void *), void *arg);
void crash_handler_pop(void);
void crash_handlers_run(void);
