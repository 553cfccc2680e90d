/*
 * import_value: reads single values of a line, and reports those that are not as expected.
 */
#pragma once
#include "import/import_private.h"

/* Report that a part of line im->line is not as expected; the event is kept without it. */
void import_value_odd(struct import *im, const char *what);

bool import_value_is_key(const struct strbuf *key, const char *name);
/* The text of a string or number; nothing for null and other values. False: malformed JSON. */
bool import_value_text(struct json *j, struct strbuf *to);
bool import_value_number(struct json *j, struct number *ret);
/* If the value at j is a string whose text is one JSON array or object that begins with `begin`
 * (such as "[{"), as ClickHouse keeps objects: put the text into `to`, which *ret then borrows, and
 * move j behind the string. Else false, and j is where it was. */
bool import_value_json_text(struct json *j, const char *begin, struct strbuf *to, struct json *ret);
bool import_value_string_id(struct import *im, struct json *j, uint32_t *ret);
/* Report that a line was lost or incomplete, and why. The first few are listed, all are counted. */
void import_value_loss(struct import_losses *l, uint64_t line, const char *why);
