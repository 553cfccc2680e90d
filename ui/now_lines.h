/*
 * now_lines: the lines that show what processes do now (struct app_now): for each process one, for
 * each of its threads one, and the frames of its stack.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "ui/area.h"

struct app_now;
struct app_now_process;
struct app_now_thread;
struct pane_host;
struct strbuf;

enum now_line_kind {
	NOW_PROCESS,
	NOW_THREAD,
	NOW_FRAME,    /* number `frame` of those shown */
	NOW_LEFT_OUT, /* frames are left out here */
	NOW_NOTE,     /* why there are no frames, or not all */
	NOW_MORE      /* threads that are not in the list */
};
struct now_line {
	enum now_line_kind kind;
	uint32_t process, thread, frame; /* indices of the answer */
};
typedef VEC(struct now_line) now_line_vec;

/* Replace what is in `to`. If memory is short, lines are missing. */
void now_lines_make(const struct app_now *now, now_line_vec *to);
/* Append the text of a line, escaped. */
void now_line_text(struct strbuf *to, const struct pane_host *host, const struct now_line *l);
/* Draw a line of host->now. */
void now_line_draw(const struct pane_host *host, const struct now_line *l, struct area a, int y);
/* How long ago host->now was read: "just now", "4s ago". */
void now_age_text(struct strbuf *to, const struct pane_host *host);
/* What a thread does, and where: "sleeping in work (app.py:12)". False: nothing is known of it. */
bool now_thread_text(struct strbuf *to, const struct pane_host *host, int pid, int tid);
