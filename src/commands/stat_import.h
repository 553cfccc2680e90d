/*
 * stat_import: what importing each module cost, as `auditview stat --by import` shows it.
 *
 *         self ms    total ms   events  imports  from       module
 *           4.310      11.902      211        1  stdlib     json
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct options;
struct selection;
struct strbuf;
struct trace;

/* Append the table, or with o->json one object: of the events before `to` that are in rows_in (NULL
 * = all). ERR_USAGE if o->sort is no order of imports. */
MUST_CHECK struct err *stat_import(const struct options *o, struct trace *t,
				   const struct selection *rows_in, uint64_t to,
				   struct strbuf *out);
/* ERR_USAGE if it is no order of imports. NULL is one. */
MUST_CHECK struct err *stat_import_check_sort(const char *sort);
