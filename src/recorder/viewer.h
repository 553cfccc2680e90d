/*
 * viewer: the recorder's end of the control socket (control.h): requests of the viewer, and reports
 * to it.
 */
#pragma once
#include <stdint.h>

#include "recorder/control.h"

struct recorder;

/* Read one request and obey. If the socket is closed, the viewer has died or has left. */
void viewer_serve(struct recorder *r);
/* Report the state, ten times a second at most. now: as of monotonic_ns(). */
void viewer_report(struct recorder *r, enum recorder_state state, uint64_t now);
void viewer_report_end(struct recorder *r); /* r->end, the last report */
