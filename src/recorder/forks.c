/*
 * forks: see forks.h.
 */
#include "recorder/forks.h"

#include <stdlib.h>

void forks_add(struct forks *f, const struct fork_note *note)
{
	if (!f->v)
		f->v = calloc(FORKS_MAX, sizeof(*f->v));
	if (f->v)
		f->v[f->n++ % FORKS_MAX] = *note;
}

const struct fork_note *forks_at(const struct forks *f, size_t i)
{
	return i < f->n && f->n - i <= FORKS_MAX ? &f->v[i % FORKS_MAX] : NULL;
}

void forks_fini(struct forks *f)
{
	free(f->v);
	*f = (struct forks){ 0 };
}
