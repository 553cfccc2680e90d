/*
 * vec: growable arrays of any type.
 *
 *     VEC(uint32_t) ids = { 0 };
 *     if (!vec_push(&ids, 7))
 *             return err_no_memory();
 *     for (size_t i = 0; i < ids.n; i++) use(ids.v[i]);
 *     vec_fini(&ids);
 *
 * The elements are v[0 … n). Growth moves them: keep indices, not pointers.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n;   /* elements in use */                                                  \
		size_t cap; /* elements there is room for */                                       \
	}

/* Room for `more` further elements; false when memory is short (the vector is then unchanged). */
#define vec_reserve(vec, more)                                                                     \
	vec_reserve_((void **)&(vec)->v, (vec)->n, &(vec)->cap, (more), sizeof(*(vec)->v))
#define vec_push(vec, x) (vec_reserve(vec, 1) ? ((vec)->v[(vec)->n++] = (x), true) : false)
#define vec_fini(vec)    (free((vec)->v), (vec)->v = NULL, (vec)->n = 0, (vec)->cap = 0)

bool vec_reserve_(void **v, size_t n, size_t *cap, size_t more, size_t elem_bytes);
