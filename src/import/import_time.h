/*
 * import_time: reads the time of a line, in the forms that loggers write it.
 */
#pragma once
#include "import/import_private.h"

/* if `key` names a time, read it. False: malformed JSON. */
bool import_time_is_key(const struct strbuf *key);
bool import_time_read(struct json *j, const struct strbuf *key, struct strbuf *scratch,
		      struct line_time *ret, bool *ret_is_odd);
void import_time_axis_see(struct axis *a, const struct line_time *t);
void import_time_axis_set(struct axis *a);
/* Capture time of a line; last_ns if the line has no time. */
uint64_t import_time_axis_place(const struct axis *a, const struct line_time *t, uint64_t last_ns);
/* Is it earlier than the start of the axis, by more than clocks differ? import_time_axis_place()
 * then returns 0. */
bool import_time_axis_is_early(const struct axis *a, const struct line_time *t);
