/*
 * stat_show: a table of counts as text or JSON.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct stat_table;
struct strbuf;

/* Append the first n_max rows, the total and the losses. by: the head of the column of keys. The
 * text is escaped for a terminal. */
void stat_show_text(struct strbuf *to, const struct stat_table *b, const char *by,
		    bool with_callers, uint64_t n_max);
/* The same as one JSON object, with the keys as they are. */
void stat_show_json(struct strbuf *to, const struct stat_table *b, const char *by,
		    bool with_callers, uint64_t n_max);
