/*
 * object: the type of a Python object, and what its flags say, read raw.
 */
#pragma once
#include <stdint.h>

#include "probe/abi.h"
#include "probe/read.h"

/* Include/object.h, Py_TPFLAGS_*; the same in 3.8 to 3.15 but for those that came later. */
enum {
	TPFLAGS_INLINE_VALUES = 1u << 2, /* 3.13+ */
	TPFLAGS_MANAGED_DICT = 1u << 4,  /* 3.11+ */
	TPFLAGS_IMMUTABLETYPE = 1u << 8, /* 3.10+ */
	TPFLAGS_HEAPTYPE = 1u << 9,
	TPFLAGS_LONG = 1u << 24,
	TPFLAGS_LIST = 1u << 25,
	TPFLAGS_TUPLE = 1u << 26,
	TPFLAGS_BYTES = 1u << 27,
	TPFLAGS_UNICODE = 1u << 28,
	TPFLAGS_DICT = 1u << 29,
	TPFLAGS_TYPE = 1u << 31,
};

static inline uint64_t type_of(const struct probe_layout *l, uint64_t object)
{
	return rd64(object + l->ob_type);
}

static inline uint32_t type_flags(const struct probe_layout *l, uint64_t type)
{
	return rd32(type + l->tp_flags);
}

/* The flags of an object's type; of no object, none. */
static inline uint32_t flags_of(const struct probe_layout *l, uint64_t object)
{
	return object ? type_flags(l, type_of(l, object)) : 0;
}
