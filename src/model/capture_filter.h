/*
 * capture_filter: which events are captured at all: the -e expression.
 *
 *     socket.connect,os.*,/^ssl/,@process,subprocess,!os.listdir
 *
 * A comma list of event names, globs (* any run, ? one character), /regular expressions/ (PCRE2,
 * UTF, a comma inside is fine, "\/" is a slash), @themes and category names. "!" in front takes out
 * what terms before it gave; a list that begins with "!" starts from everything. So the last term
 * that fits an event decides. Spaces around terms are ignored. Decided once per event name; a
 * verdict is what goes into the target.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct capture_filter;

/* Errors: ERR_SYNTAX with the byte offset in err->at and a hint. "" or NULL takes everything. */
MUST_CHECK struct err *capture_filter_compile(const char *text, struct capture_filter **ret);
void capture_filter_destroy(struct capture_filter *f); /* NULL is fine */
DEFINE_CLEANUP(capture_filter);

/* Is the event wanted? f NULL: yes. name need not be terminated. */
bool capture_filter_wants(const struct capture_filter *f, const char *name, size_t n_bytes);
