/*
 * live: connects the screen, which knows no processes, with sessions that have a recorder.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "ui/app.h"

struct options;

/* Start a session for the screen: the recorder of `given` has attached or launched when this
 * returns. */
MUST_CHECK struct err *live_source_start(const struct options *given, struct app_source *ret);
/* Print what must be said after the screen is gone: the goodbye lines of each session. *ret_status:
 * the exit status of the last one. */
void live_farewell(bool quiet, int *ret_status);

/* Operations of the start page: list processes, judge them; attach, open, run. */
extern const struct app_start_ops live_start_ops;
struct live_start;
MUST_CHECK struct err *live_start_create(const struct options *o, struct live_start **ret);
void live_start_destroy(struct live_start *s);
DEFINE_CLEANUP(live_start);
