/*
 * descriptors: file descriptors that are reserved for leaving.
 *
 * A recorder needs some descriptors for each target, and each target may fork more processes. When
 * no descriptor is free, a visit that has begun must still be undone, and undoing needs descriptors
 * too. So the soft limit is raised to the hard limit (a launched program gets the original limit
 * back: inherited.h), and a few descriptors are held open until they are needed to leave.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

struct err;

/* What is open at most while a child is examined at its birth. */
enum { DESCRIPTORS_FOR_A_LOOK = 4 };

/* Raise the limit as far as the system allows, and hold DESCRIPTORS_RESERVED descriptors open. */
void descriptors_reserve(void);
/* Are some free beside the held ones? ERR_SYS: the limit is too low to attach to anything. */
MUST_CHECK struct err *descriptors_check(void);
/* Close up to n of the held descriptors, so that files can be opened for a moment. Returns how
 * many: pass that to descriptors_take_back() when the files are closed again. Neither changes
 * errno. */
unsigned descriptors_lend(unsigned n);
void descriptors_take_back(unsigned n);
/* Could some not be opened when descriptors were last reserved or taken back? Then files of targets
 * may be unreadable. */
bool descriptors_are_short(void);
/* Close the held descriptors. The next descriptors_reserve() opens them again if that many are
 * free. */
void descriptors_release(void);
