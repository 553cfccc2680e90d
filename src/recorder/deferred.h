/*
 * deferred: stops that wait(2) has reported and that are served later, because the tracer waits for
 * another thread. The threads are stopped meanwhile. In order of their reports.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct deferred_stop {
	pid_t tid;
	int status; /* as of wait(2) */
};

struct deferred_stops { /* a vector (base/vec.h) */
	struct deferred_stop *v;
	size_t n, cap;
};

bool deferred_add(struct deferred_stops *list, pid_t tid, int status); /* false: no memory */
bool deferred_has(const struct deferred_stops *list, pid_t tid);
/* Remove all stops of the thread. */
void deferred_forget(struct deferred_stops *list, pid_t tid);
/* Remove one: the oldest of this thread, the oldest or the newest of all. False: there is none. */
bool deferred_take(struct deferred_stops *list, pid_t tid, int *ret_status);
bool deferred_take_first(struct deferred_stops *list, struct deferred_stop *ret);
bool deferred_take_last(struct deferred_stops *list, struct deferred_stop *ret);
void deferred_fini(struct deferred_stops *list);
