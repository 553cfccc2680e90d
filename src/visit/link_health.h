/*
 * link_health: is the probe of a link still there and linked?
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct link;

enum link_health {
	LINK_OK,
	LINK_UNLINKED, /* the list no longer contains our entry */
	LINK_UNLOADED, /* the module with the runtime was unloaded (dlclose), the process lives */
	LINK_GONE,     /* the program or the process is gone */
	LINK_OVERWRITTEN, /* it is there, and the target has written over it or unmapped a part */
	LINK_STUCK        /* its memory does not answer: remote_mem_is_stuck() */
};
enum link_health link_check(struct link *l);

/* Link again, after the runtime was finalised and while it is not initialised, or if a racing hook
 * has pushed our entry out. */
MUST_CHECK struct err *link_again(struct link *l, bool attached);
