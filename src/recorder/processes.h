/*
 * processes: the list of all processes that the recorder knows: which of them have ended, and which
 * may be forgotten.
 */
#pragma once
#include <stdbool.h>

struct recorder;

/* Find the processes that have ended without a report of the follower: those that are neither
 * followed nor launched. What they wrote is drained before their end is noted. */
void processes_notice_ends(struct recorder *r);
/* A process that was forked with the ring of a known one has no slot until its first event, so the
 * ring does not show it. Ask the kernel which processes map a ring, and add them. Returns true if
 * there is one. */
bool processes_find_silent(struct recorder *r);
/* Free what is known of processes that have ended and are in the capture, so that a program which
 * starts processes without end does not fill our memory. */
void processes_forget(struct recorder *r);
/* At the end of the recorder: free all of them, and the list. */
void processes_fini(struct recorder *r);
