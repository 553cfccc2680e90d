/*
 * descriptors: file descriptors that are kept back for leaving.
 *
 * A recorder needs some for each target, and each target may fork more. When they run out, what has
 * been begun must still be undone: that takes descriptors too. So the soft limit is raised to the
 * hard one (a launched program gets back what it would have had: inherited.h), and a few are held
 * open until somebody has to leave.
 */
#pragma once

/* As many as the system allows, and DESCRIPTORS_RESERVED of them held. */
void descriptors_reserve(void);
/* From now on they can be used. Reserved again by the next descriptors_reserve(), if there are as
 * many by then. */
void descriptors_release(void);
