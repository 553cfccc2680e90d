/*
 * leave: take the probe out of everything that has it.
 */
#pragma once

struct recorder;
struct session_end;

/* Take the probes out and drain to the last record. What became of each target is added to *e.
 * meanwhile: called before each probe is taken out, so that signals and the viewer are heard. */
void leave_targets(struct recorder *r, struct session_end *e,
		   void (*meanwhile)(struct recorder *r));
