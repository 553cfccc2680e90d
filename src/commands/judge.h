/*
 * judge: list the Python processes and find out, outside the screen's process, whether each can be
 * attached to.
 *
 * A helper process lists them, and a child of it judges one target after the other. If a verdict
 * takes longer than JUDGE_DEADLINE_MS, that target is given up, with the reason. So a target cannot
 * make the screen wait. Both processes end with us.
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
/* `check` is access_check(), or a replacement in tests; it runs in the helper. */
typedef struct err *judge_fn(pid_t pid, struct access *ret);
MUST_CHECK struct err *judge_create(judge_fn *check, struct judge **ret);
void judge_destroy(struct judge *j);
DEFINE_CLEANUP(judge);

/* Start listing again, unless that is under way. Does not wait. Errors: the helper cannot be
 * started. */
MUST_CHECK struct err *judge_look(struct judge *j);
int judge_fd(const struct judge *j); /* readable if there is news; -1: no helper */
/* Read the news without waiting. True: the rows have changed. */
bool judge_read(struct judge *j);
/* What is known so far, in order of pid; valid until the next judge_read(). *ret_done: the last
 * listing is complete. */
const struct app_process *judge_rows(const struct judge *j, size_t *ret_n, bool *ret_done);
