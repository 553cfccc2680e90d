/*
 * attributes: see attributes.h.
 *
 * Which of the two locks of a free-threaded build guards the values of an instance depends on
 * whether it has a dict (v3.13.0 Objects/dictobject.c, _PyObject_StoreInstanceAttribute).
 * python/object.c, object_attribute(), describes the layouts of the other versions.
 */
#include "probe/attributes.h"

#include "probe/abi.h"
#include "probe/object.h"
#include "probe/read.h"
#include "probe/serialise.h"

enum {
	ENTRIES_MAX = 1024,
};

LANE_CODE bool attributes_key_is(const struct probe_context *ctx, uint64_t str, const char *text,
				 uint32_t n)
{
	const struct probe_layout *l = &ctx->layout;
	if (!str || !(flags_of(l, str) & TPFLAGS_UNICODE) ||
	    (rd32(str + l->str_state) & ctx->ascii_mask) != ctx->ascii_state ||
	    rd64(str + l->str_length) != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (rd8(str + l->str_ascii_data + i) != (uint8_t)text[i])
			return false;
	return true;
}

LANE_CODE bool attributes_of(struct out *o, uint64_t object, struct dict_view *v,
			     bool *ret_locks_dict)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t type = rd64(object + l->ob_type), dict = 0, values = 0, n_max = ENTRIES_MAX;
	uint64_t size = rd64(type + l->tp_basicsize);
	uint32_t flags = type_flags(l, type);
	if (l->minor < 11 || !(flags & TPFLAGS_MANAGED_DICT)) {
		uint64_t offset = rd64(type + l->tp_dictoffset);
		if (!offset || offset >= size || size - offset < 8) /* or the offset is negative */
			return false;
		dict = rd64(object + offset);
	} else {
		dict = rd64(object - (l->free_threaded ? 8 : 24));
		if (l->minor == 11) {
			values = rd64(object - 32);
		} else if (l->minor == 12) {
			values = dict & 1 ? dict + 1 : 0;
			dict = dict & 1 ? 0 : dict;
		} else if (!dict && flags & TPFLAGS_INLINE_VALUES && rd8(object + size + 3)) {
			values = object + size; /* {u8 capacity, size, embedded, valid} */
			n_max = rd8(values);
		}
	}
	if (values) {
		uint64_t keys = rd64(type + l->heaptype_cached_keys);
		if (!keys || !dict_view_of_keys(l, keys, values, v))
			return false;
	} else {
		if (!(flags_of(l, dict) & TPFLAGS_DICT) || !serialise_lock(o, dict))
			return false;
		*ret_locks_dict = true;
		if (!dict_view_of(l, dict, v))
			return false;
	}
	if (v->n_entries > n_max)
		v->n_entries = n_max;
	return true;
}
