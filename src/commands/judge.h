/*
 * judge: the Python processes here, and whether each can be attached to, found out beside the
 * screen.
 *
 * A helper process looks and judges; a process of its own judges one target after the other, and
 * one that takes longer than JUDGE_DEADLINE_MS is given up with the reason. So whatever a target
 * does to those who look at it, nobody waits. Both helpers end with us.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/app.h"

enum { JUDGE_DEADLINE_MS = 2000 };

struct access;
struct judge;
/* `check` is access_check(), or what a test puts in its place; it runs in the helper. */
typedef struct err *judge_fn(pid_t pid, struct access *ret);
MUST_CHECK struct err *judge_create(judge_fn *check, struct judge **ret);
void judge_destroy(struct judge *j);
DEFINE_CLEANUP(judge);

/* Begin to look anew, unless that is under way. Does not wait. Errors: the helper cannot be
 * started. */
MUST_CHECK struct err *judge_look(struct judge *j);
int judge_fd(const struct judge *j); /* readable when there is news; -1: no helper */
/* Take the news in, without waiting. True: the rows have changed. */
bool judge_read(struct judge *j);
/* What is known so far, in order of pid; valid until the next judge_read(). *ret_done: all of the
 * last look. */
const struct ui_process *judge_rows(const struct judge *j, size_t *ret_n, bool *ret_done);
