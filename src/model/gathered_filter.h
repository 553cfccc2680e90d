/*
 * gathered_filter: the filter for all events that name the same file, host or command as one event,
 * whatever their arguments are called.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/fields.h"

struct strbuf;
struct trace;

#define GATHERED_ANY UINT32_MAX

/* Append "file == shop.db" for what an event with this name and these arguments (ids of the trace)
 * has in a field of gathered.h; "file contains" for what is cut. arg: only what the argument of
 * this index holds; GATHERED_ANY: all of them, of a rename either file. False: there is nothing,
 * and nothing is appended. */
bool gathered_filter(struct trace *t, enum field_id field, uint32_t name, uint32_t args,
		     uint32_t arg, struct strbuf *to);
/* The same for the field that tells most of the event: the file, the host or the command. */
bool gathered_filter_same(struct trace *t, uint32_t name, uint32_t args, struct strbuf *to);
