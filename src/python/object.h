/*
 * object: read Python objects of a running process, without locks, while they may change.
 *
 * Nothing is locked and nothing is stopped. Every size is bounded before it is used, so the
 * functions return whatever the memory holds. A torn read gives a wrong answer, so they are used
 * for names only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"
#include "python/layout.h"

struct object_view {
	const struct mem_reader *mem;
	const struct probe_layout *layout;
	const struct layout_row *row;
};

/* v3.8.0 … v3.15.0 Include/object.h, Py_TPFLAGS_* */
#define TYPE_FLAG_INLINE_VALUES (1ull << 2) /* 3.13+ */
#define TYPE_FLAG_MANAGED_DICT  (1ull << 4) /* 3.11+ */
#define TYPE_FLAG_INT           (1ull << 24)
#define TYPE_FLAG_LIST          (1ull << 25)
#define TYPE_FLAG_TUPLE         (1ull << 26)
#define TYPE_FLAG_STR           (1ull << 28)
#define TYPE_FLAG_DICT          (1ull << 29)

bool object_has_flag(const struct object_view *v, uint64_t object, uint64_t flag);
/* A non-negative int below 2^63. */
bool object_int(const struct object_view *v, uint64_t object, uint64_t *ret);
/* The items of a list or tuple: address of the array and count. */
bool object_items(const struct object_view *v, uint64_t object, uint64_t *ret_array,
		  uint64_t *ret_n);

/* Calls visit(arg, key, value) for each entry, in order, until it returns false. Returns false if
 * the dict could not be read to its end, true if visit stopped it. */
typedef bool object_visit(void *arg, uint64_t key, uint64_t value);
bool object_dict_each(const struct object_view *v, uint64_t dict, object_visit *visit, void *arg);
/* The value of a str key; 0 if there is none. */
uint64_t object_dict_get(const struct object_view *v, uint64_t dict, const char *key);
/* An attribute from the instance's own dict or inline values, not from its class; 0 if it has none
 * of that name. */
uint64_t object_attribute(const struct object_view *v, uint64_t object, const char *name);
/* Reads a str as UTF-8, without a NUL; surrogates are encoded like other code points (WTF-8).
 * Returns the number of bytes, at most `cap`, or -1 if it is not a str. */
long object_text(const struct object_view *v, uint64_t object, char *to, size_t cap);
