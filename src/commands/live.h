/*
 * live: the bridge between the screen, which knows no process, and sessions with a recorder.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "ui/app.h"

struct options;

/* A running session as something to look at: the recorder of `o` is started and has attached or
 * launched. */
MUST_CHECK struct err *live_source_start(const struct options *o, struct ui_source *ret);
/* What must be said after the screen is gone: goodbye lines, one per session; and the exit status
 * of the last one. */
void live_farewell(bool quiet, int *ret_status);

/* The start page: which processes run, may we attach; attach, open, run. */
extern const struct ui_start_ops live_start_ops;
struct live_start;
MUST_CHECK struct err *live_start_create(const struct options *o, struct live_start **ret);
void live_start_destroy(struct live_start *s);
DEFINE_CLEANUP(live_start);
