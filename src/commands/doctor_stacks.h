/*
 * doctor_stacks: what each thread of a process is doing now, as text or JSON.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct doctor_style;
struct redactor;
struct snapshot;
struct snapshot_frame;
struct snapshot_thread;
struct strbuf;

struct doctor_stacks_header {
	pid_t pid;
	char command[256];
	char python[24];
	uint64_t age_ns, cpu_ns; /* 0: unknown */
};

/* Read the stacks of a process with local variables. If it cannot be attached to, the
 * error says why, with the cure as hint. */
MUST_CHECK struct err *doctor_stacks_take(pid_t pid, struct snapshot **ret);
/* The same without local variables, and what the first line of the report says. */
MUST_CHECK struct err *doctor_stacks_take_now(pid_t pid, struct doctor_stacks_header *ret_header,
					      struct snapshot **ret);
/* Append what a thread does: "sleeping", "running", "reading /path"; escaped. */
void doctor_stacks_add_does(struct strbuf *to, const struct snapshot_thread *t);
/* Why a thread has no frames; "": it has. */
const char *doctor_stacks_note(const struct snapshot_thread *t);
/* Append a line "name = literal" for each local variable, escaped, each behind `indent`. redactor:
 * NULL shows secrets. */
void doctor_stacks_add_locals(const struct snapshot_frame *f, struct redactor *redactor,
			      const char *indent, struct strbuf *to);
/* Append the stacks of a process (stacks/snapshot.h). The same errors. */
MUST_CHECK struct err *doctor_stacks_report(pid_t pid, const struct doctor_style *style,
					    struct strbuf *to);
