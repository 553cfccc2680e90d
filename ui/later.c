/*
 * later: until the model completes filters, the prompt has no choices to offer. Goes away with filter_complete.c.
 */
#include "model/filter.h"

__attribute__((weak)) struct err *filter_complete(struct trace *t, const char *text, size_t n_bytes, size_t cursor,
						  struct filter_completion *ret)
{
	*ret = (struct filter_completion){ 0 };
	return NULL;
}

__attribute__((weak)) void filter_completion_fini(struct filter_completion *c)
{
}
