/*
 * outflow: bytes into a pipe or socket, without waiting for its reader.
 *
 * A reader can be slow or stopped. The recorder must not wait for it in write(2), because threads
 * that it traces would wait, too. So what cannot be written at once is queued. The caller looks at
 * outflow_n_waiting() and takes no more events while the queue is long.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

struct outflow {
	int fd; /* own, if is_own */
	bool is_own, is_socket;
	bool is_direct; /* neither pipe nor socket: written at once, by waiting */
	struct strbuf queue;
	size_t at; /* how much of the queue is written */
};

/* Called when nothing is left to do but to wait until `fd` can be written. Returns after some time;
 * false: give up. */
struct outflow_wait {
	bool (*fn)(void *ctx, int fd);
	void *ctx;
};

/* fd is borrowed. If the pipe cannot be opened again for ourselves alone, it is written by
 * waiting: other processes share the mode of this descriptor. */
void outflow_init(struct outflow *o, int fd);
void outflow_fini(struct outflow *o);
/* Queue the bytes, and write what can be written now. Returns errno, 0 if nothing failed. SIGPIPE
 * and SIGXFSZ are the caller's business. */
int outflow_add(struct outflow *o, const void *bytes, size_t n);
size_t outflow_n_waiting(const struct outflow *o);
