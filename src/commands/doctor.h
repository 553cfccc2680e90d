/*
 * doctor: what is needed to attach, which of it is fulfilled, and what to do about the rest.
 *
 * The rows are those of the table checks[]. The verdict is that of visit/access.h, so attaching
 * refuses what doctor warns of, with the same words. Nothing in a target is stopped or changed.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct redactor;
struct strbuf;

struct doctor_style {
	unsigned width; /* columns; 0 = no wrapping */
	bool color, json;
	/* of stacks */
	bool locals;               /* with local variables */
	struct redactor *redactor; /* of the variables; NULL: secrets are shown */
	pid_t held_tid;            /* it is held by us, and comes first; 0 none */
};

/* Report on this machine (pid 0) or on one process. *ret_is_ready: tracing can work, or this
 * process can be attached to. */
MUST_CHECK struct err *doctor_report(pid_t pid, const struct doctor_style *style, struct strbuf *to,
				     bool *ret_is_ready);
