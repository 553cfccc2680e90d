/*
 * native: see native.h.
 */
#include "recorder/native.h"

#include "recorder/recorder_private.h"

struct native_context *native_context_for(struct recorder *r, struct source *s, pid_t pid)
{
	(void)r;
	(void)pid;
	return s->native;
}

void native_context_free(struct source *s)
{
	s->native = NULL;
}

uint32_t native_stack(struct native_context *n, const struct record_event *e, const uint8_t *bytes, size_t n_bytes,
		      const uint32_t *python, size_t n_python, uint32_t *flags)
{
	(void)n;
	(void)e;
	(void)bytes;
	(void)n_bytes;
	(void)python;
	(void)n_python;
	(void)flags;
	return 0;
}
