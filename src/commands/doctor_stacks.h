/*
 * doctor_stacks: what each thread of a process is doing now, as text or JSON.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct doctor_style;
struct snapshot;
struct snapshot_frame;
struct strbuf;

/* Read the stacks of a process with local variables. If it cannot be attached to, the
 * error says why, with the cure as hint. */
MUST_CHECK struct err *doctor_stacks_take(pid_t pid, struct snapshot **ret);
/* Append a line "name = literal" for each local variable, escaped, each behind `indent`. */
void doctor_stacks_add_locals(const struct snapshot_frame *f, const char *indent,
			      struct strbuf *to);
/* Append the stacks of a process (stacks/snapshot.h). The same errors. */
MUST_CHECK struct err *doctor_stacks_report(pid_t pid, const struct doctor_style *style,
					    struct strbuf *to);
