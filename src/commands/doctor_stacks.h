/*
 * doctor_stacks: what each thread of a process is doing now, as text or JSON.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct doctor_style;
struct strbuf;

/* Append the stacks of a process (stacks/snapshot.h). If it cannot be attached to, the error says
 * why, with the cure as hint. */
MUST_CHECK struct err *doctor_stacks_report(pid_t pid, const struct doctor_style *style,
					    struct strbuf *to);
