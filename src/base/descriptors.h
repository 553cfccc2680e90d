/*
 * descriptors: file descriptors that are reserved for leaving.
 *
 * A recorder needs some descriptors for each target, and each target may fork more processes. When
 * no descriptor is free, a visit that has begun must still be undone, and undoing needs descriptors
 * too. So the soft limit is raised to the hard limit (a launched program gets the original limit
 * back: inherited.h), and a few descriptors are held open until they are needed to leave.
 */
#pragma once

/* Raise the limit as far as the system allows, and hold DESCRIPTORS_RESERVED descriptors open. */
void descriptors_reserve(void);
/* Close the held descriptors. The next descriptors_reserve() opens them again if that many are
 * free. */
void descriptors_release(void);
