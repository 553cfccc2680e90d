/*
 * app_loop: the loop over the terminal, the capture, the program's terminal and the recorder.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct app_options;

/* Show the screen until the user leaves. Takes over options->source, also on failure. */
MUST_CHECK struct err *app_run(const struct app_options *options);
