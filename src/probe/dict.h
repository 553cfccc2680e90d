/*
 * dict: the entries of a dict, or of the attributes stored inline in an instance, read raw.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/read.h"

/* A view of entries that can be walked: the key of entry i is at keys + i * stride, its value is in
 * the entry or in an array. */
struct dict_view {
	uint64_t n_entries, keys, stride, value_off, values;
};

/* keys: a PyDictKeysObject. values: the PyDictValues of a split table, or 0. False: the keys are
 * malformed. Source: Objects/dictobject.c and pycore_dict.h, combined and split tables. */
static inline bool dict_view_of_keys(const struct probe_layout *l, uint64_t keys, uint64_t values,
				     struct dict_view *v)
{
	v->n_entries = rd64(keys + l->keys_nentries);
	v->values = values ? values + l->values_array : 0;
	v->value_off = 8;
	if (l->dict_kind == DICT_38) {
		uint64_t size = rd64(keys + l->keys_log2_size);
		uint64_t index_bytes = size <= 0xff         ? 1
				       : size <= 0xffff     ? 2
				       : size <= 0xffffffff ? 4
							    : 8;
		v->keys = keys + l->keys_indices + size * index_bytes + 8;
		v->stride = 24;
		return v->n_entries <= size;
	}
	unsigned log2_index_bytes = rd8(keys + l->keys_log2_index_bytes),
		 kind = rd8(keys + l->keys_kind);
	if (log2_index_bytes > 40)
		return false;
	uint64_t entries = keys + l->keys_indices + (1ull << log2_index_bytes);
	v->keys = kind == 0 ? entries + 8 : entries; /* DICT_KEYS_GENERAL has the hash first */
	v->stride = kind == 0 ? 24 : 16;
	return v->n_entries <= 1ull << 40;
}

static inline bool dict_view_of(const struct probe_layout *l, uint64_t dict, struct dict_view *v)
{
	uint64_t keys = rd64(dict + l->dict_keys);
	return keys && dict_view_of_keys(l, keys, rd64(dict + l->dict_values), v);
}

static inline bool dict_entry(const struct dict_view *v, uint64_t i, uint64_t *key, uint64_t *value)
{
	uint64_t at = v->keys + i * v->stride;
	*key = rd64(at);
	*value = v->values ? rd64(v->values + 8 * i) : rd64(at + v->value_off);
	return *key && *value;
}
