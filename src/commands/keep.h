/*
 * keep: --keep, the flight recorder: the newest pieces of a recording become one capture.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;
struct options;
struct session_end;
struct strbuf;
struct turner;

/* "64M" is a size and "10m" a time: lower case letters are units of time, except k. False if it is
 * neither, or 0; the other of the two results is 0. */
bool keep_parse(const char *text, uint64_t *ret_bytes, uint64_t *ret_ns);
/* ERR_USAGE if o->keep is neither, or if the capture `path` cannot be one in several files. */
MUST_CHECK struct err *keep_check(const struct options *o, const char *path);
/* Begin: *ret_turner makes the pieces beside `path`, which is borrowed; *ret is the first of
 * them. */
MUST_CHECK struct err *keep_start(const struct options *o, const char *path,
				  struct turner **ret_turner, struct new_file **ret);
/* Of a recording to `path` whose first piece was `first`: the piece after `after` (NULL: the oldest
 * that is there). malloc'ed; NULL: there is none. */
char *keep_piece_after(const char *path, const char *first, const char *after);
/* The recording has ended: make the capture `path` of the pieces, and remove each of them once it
 * is in there. What is known of the end is corrected to what the capture holds. Names what there is
 * now. */
MUST_CHECK struct err *keep_finish(const struct turner *t, const char *path,
				   struct session_end *end, struct strbuf *names);
