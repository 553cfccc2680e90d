/*
 * remote_program: see remote_program.h.
 */
#include "visit/remote_program.h"

#include "base/err.h"

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1,
			uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	CHECK(p->n_ops < REMOTE_MAX_OPS);
	p->ops[p->n_ops++] = (struct remote_op){ op, { a0, a1, a2, a3, a4, a5 } };
}
