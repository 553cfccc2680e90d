/*
 * now: what processes do at this moment, read for the screen (stacks/snapshot.h).
 *
 * A child process reads, so that the screen waits for nothing: neither for a target that does not
 * answer, nor for the proof that a thread was at rest. It is started by the first question and
 * lives as long as its owner, because forking a viewer with a large capture takes time.
 */
#pragma once
#include <stddef.h>

#include "ui/app.h"

struct now;

struct now *now_create(void);      /* NULL: memory is short */
void now_destroy(struct now *now); /* NULL is fine */
/* Ask about the first APP_NOW_MAX of `of`. While a question is not answered, nothing happens. */
void now_ask(struct now *now, const struct app_now_wish *of, size_t n);
int now_fd(const struct now *now); /* readable when there is an answer; -1: nothing is asked */
/* An answer that was not handed out yet; NULL: there is none so far. Borrowed until the next
 * answer, or now_destroy(). */
const struct app_now *now_get(struct now *now);
