/*
 * capture_filter: which events are captured: the -e expression.
 *
 *     socket.connect,os.*,/^ssl/,@process,subprocess,!os.listdir
 *
 * A comma list of event names, globs (* any run, ? one character), /regular expressions/ (PCRE2,
 * UTF; they may contain commas, and "\/" is a slash), @themes and category names. "!" in front
 * excludes what earlier terms included; a list that begins with "!" starts from all events. So the
 * last term that matches an event decides. Spaces around terms are ignored. The decision is made
 * once per event name, and the verdict is passed to the target.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct capture_filter;

/* Errors: ERR_SYNTAX with the byte offset in err->at and a hint. "" or NULL includes all events. */
MUST_CHECK struct err *capture_filter_compile(const char *text, struct capture_filter **ret);
void capture_filter_destroy(struct capture_filter *f); /* NULL is fine */
DEFINE_CLEANUP(capture_filter);

/* Is the event wanted? f NULL: yes. name need not be NUL-terminated. */
bool capture_filter_wants(const struct capture_filter *f, const char *name, size_t n_bytes);
