/*
 * held_locals: the local variables of the frames of a held thread, kept in the capture.
 *
 * A child process reads them (stacks/snapshot.h), because memory of a target may not answer, and
 * because the recorder has the other threads to serve. The thread is released when they are read,
 * at the earliest, unless the user wants it to continue at once.
 */
#pragma once
#include <stdbool.h>

struct held;
struct recorder;

enum held_locals_state {
	HELD_LOCALS_DONE, /* there is nothing to do, or no more */
	HELD_LOCALS_WANTED,
	HELD_LOCALS_READING /* one thread at a time */
};

/* Are the variables of held threads kept? */
bool held_locals_are_kept(const struct recorder *r);
/* Begin to read them, or look whether they are read, and write them to the capture. After a second
 * without an answer there are none, which is noted once. */
void held_locals_poll(struct recorder *r, struct held *h);
/* The thread continues: do not read on. */
void held_locals_end(struct recorder *r, struct held *h);
