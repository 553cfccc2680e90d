/*
 * signals: signals that the recorder gets, and those that it passes on to the program that it
 * launched.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct recorder;

MUST_CHECK struct err *signals_init(struct recorder *r);
void signals_fini(struct recorder *r);
/* Ctrl-Z stops the recorder, and must stop the launched program through it: take SIGTSTP, too. */
void signals_take_stops(struct recorder *r);
void signals_serve(struct recorder *r); /* those that have arrived */
