/*
 * object: see object.h. The keys of a dict:
 *
 *   3.8-3.10   {refcnt, size, lookup, usable, nentries, indices[size × width], {hash, key,
 *              value}[nentries]}
 *   3.11+      {refcnt, log2_size u8, log2_index_bytes u8, kind u8, …, nentries,
 *              indices[1 << log2_index_bytes], kind 0: {hash, key, value}[nentries], kinds 1 and 2:
 *              {key, value}[nentries]}
 *
 * A split table has its values in a separate array, in the order of the keys. Source: v3.8.0
 * Objects/dict-common.h, v3.11.0 and v3.15.0 Include/internal/pycore_dict.h.
 */
#include "python/object.h"

#include <string.h>

#define ENTRIES_MAX (1u << 20)
#define POINTER_LOW 4096u /* no object has a smaller address */

static bool read_pointer(const struct object_view *v, uint64_t at, uint64_t *ret)
{
	return at >= POINTER_LOW && mem_read_u64(v->mem, RADDR(at), ret) && *ret >= POINTER_LOW;
}

static bool type_of(const struct object_view *v, uint64_t object, uint64_t *ret_type,
		    uint64_t *ret_flags)
{
	uint64_t type, flags;
	if (!read_pointer(v, object + v->layout->ob_type, &type) ||
	    !mem_read_u64(v->mem, RADDR(type + v->layout->tp_flags), &flags))
		return false;
	*ret_type = type;
	*ret_flags = flags;
	return true;
}

bool object_has_flag(const struct object_view *v, uint64_t object, uint64_t flag)
{
	uint64_t type, flags;
	return type_of(v, object, &type, &flags) && (flags & flag) != 0;
}

bool object_int(const struct object_view *v, uint64_t object, uint64_t *ret)
{
	const struct probe_layout *l = v->layout;
	uint64_t size;
	uint32_t digits[3] = { 0 };
	if (!object_has_flag(v, object, TYPE_FLAG_INT) ||
	    !mem_read_u64(v->mem, RADDR(object + l->int_tag), &size))
		return false;
	/* 3.12+: ndigits << 3 | sign, where sign 2 is negative and 1 zero; before: signed count of
	 * digits. */
	if (l->int_has_tag) {
		if ((size & 3) == 2)
			return false;
		size = (size & 3) == 1 ? 0 : size >> 3;
	}
	if (size > 3 || !mem_read(v->mem, RADDR(object + l->int_digits), digits, (size_t)size * 4))
		return false;
	if (digits[2] > 7)
		return false;
	*ret = (uint64_t)digits[2] << 60 | (uint64_t)digits[1] << 30 | digits[0];
	return true;
}

bool object_items(const struct object_view *v, uint64_t object, uint64_t *ret_array,
		  uint64_t *ret_n)
{
	const struct probe_layout *l = v->layout;
	uint64_t type, flags, n, array = object + l->tuple_items;
	if (!type_of(v, object, &type, &flags) || !(flags & (TYPE_FLAG_LIST | TYPE_FLAG_TUPLE)) ||
	    !mem_read_u64(v->mem, RADDR(object + l->ob_size), &n) || n > ENTRIES_MAX)
		return false;
	if ((flags & TYPE_FLAG_LIST) && n && !read_pointer(v, object + l->list_items, &array))
		return false;
	*ret_array = array;
	*ret_n = n;
	return true;
}

struct keys {
	uint64_t entries, n_entries;
	unsigned entry_words; /* 2: {key, value}, 3: {hash, key, value} */
};

static bool keys_read(const struct object_view *v, uint64_t keys, struct keys *ret)
{
	const struct probe_layout *l = v->layout;
	uint64_t n_entries, index_bytes;
	if (keys < POINTER_LOW ||
	    !mem_read_u64(v->mem, RADDR(keys + l->keys_nentries), &n_entries) ||
	    n_entries > ENTRIES_MAX)
		return false;
	if (l->dict_kind == DICT_38) {
		uint64_t size;
		if (!mem_read_u64(v->mem, RADDR(keys + l->keys_log2_size), &size) ||
		    size > 2ull * ENTRIES_MAX)
			return false;
		index_bytes = size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
		ret->entry_words = 3;
	} else {
		uint8_t log2_bytes, kind;
		if (!mem_read(v->mem, RADDR(keys + l->keys_log2_index_bytes), &log2_bytes, 1) ||
		    !mem_read(v->mem, RADDR(keys + l->keys_kind), &kind, 1) || log2_bytes > 26)
			return false;
		index_bytes = 1ull << log2_bytes;
		ret->entry_words = kind == 0 ? 3 : 2;
	}
	ret->entries = keys + l->keys_indices + index_bytes;
	ret->n_entries = n_entries;
	return true;
}

/* values: array of a split table, or 0. */
static bool keys_each(const struct object_view *v, uint64_t keys_at, uint64_t values,
		      object_visit *visit, void *arg)
{
	struct keys keys;
	if (!keys_read(v, keys_at, &keys))
		return false;
	for (uint64_t i = 0; i < keys.n_entries;) {
		uint64_t words[3 * 64], split[64];
		uint64_t n = keys.n_entries - i < 64 ? keys.n_entries - i : 64;
		if (!mem_read(v->mem, RADDR(keys.entries + i * keys.entry_words * 8), words,
			      n * keys.entry_words * 8) ||
		    (values && !mem_read(v->mem, RADDR(values + i * 8), split, n * 8)))
			return false;
		for (uint64_t k = 0; k < n; k++) {
			uint64_t key = words[k * keys.entry_words + keys.entry_words - 2];
			uint64_t value = values
					     ? split[k]
					     : words[k * keys.entry_words + keys.entry_words - 1];
			if (key && value && !visit(arg, key, value))
				return true;
		}
		i += n;
	}
	return true;
}

bool object_dict_each(const struct object_view *v, uint64_t dict, object_visit *visit, void *arg)
{
	uint64_t keys, values;
	if (!object_has_flag(v, dict, TYPE_FLAG_DICT) ||
	    !read_pointer(v, dict + v->layout->dict_keys, &keys) ||
	    !mem_read_u64(v->mem, RADDR(dict + v->layout->dict_values), &values))
		return false;
	return keys_each(v, keys, values ? values + v->layout->values_array : 0, visit, arg);
}

/* UTF-8 of one code point; surrogates are encoded like other code points (WTF-8). */
static size_t encode(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 63));
		to[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	to[0] = (char)(0xf0 | (c >> 18 & 7));
	to[1] = (char)(0x80 | (c >> 12 & 63));
	to[2] = (char)(0x80 | (c >> 6 & 63));
	to[3] = (char)(0x80 | (c & 63));
	return 4;
}

long object_text(const struct object_view *v, uint64_t object, char *to, size_t cap)
{
	const struct mem_reader *mem = v->mem;
	const struct probe_layout *l = v->layout;
	uint64_t length, data;
	uint32_t state;
	if (!object_has_flag(v, object, TYPE_FLAG_STR) ||
	    !mem_read(mem, RADDR(object + l->str_state), &state, 4) ||
	    !mem_read_u64(mem, RADDR(object + l->str_length), &length) || length > INT64_MAX)
		return -1;
	unsigned kind = state >> l->str_kind_shift & ((1u << l->str_kind_bits) - 1);
	bool is_ascii = state >> l->str_ascii_shift & 1,
	     is_compact = state >> l->str_compact_shift & 1;
	if (kind != 1 && kind != 2 && kind != 4) /* 0: a legacy string that is not ready (≤ 3.11) */
		return -1;
	if (is_compact)
		data = object + (is_ascii ? l->str_ascii_data : l->str_compact_data);
	else if (!mem_read_u64(mem, RADDR(object + l->str_noncompact_data), &data))
		return -1;
	size_t n = 0;
	for (uint64_t i = 0; i < length && n < cap;) {
		uint8_t chunk[512];
		uint64_t n_chars = sizeof(chunk) / kind;
		if (n_chars > length - i)
			n_chars = length - i;
		if (n_chars > cap - n)
			n_chars = cap - n;
		if (!mem_read(mem, RADDR(data + i * kind), chunk, (size_t)n_chars * kind))
			return -1;
		for (uint64_t k = 0; k < n_chars; k++) {
			uint32_t c = 0;
			char bytes[4];
			memcpy(&c, chunk + k * kind, kind);
			size_t n_bytes = encode(c, bytes);
			if (n_bytes > cap - n)
				return (long)n;
			memcpy(to + n, bytes, n_bytes);
			n += n_bytes;
		}
		i += n_chars;
	}
	return (long)n;
}

static bool is_text(const struct object_view *v, uint64_t object, const char *text)
{
	char buffer[64];
	size_t n = strlen(text);
	return n < sizeof(buffer) && object_text(v, object, buffer, n + 1) == (long)n &&
	       memcmp(buffer, text, n) == 0;
}

struct search {
	const struct object_view *v;
	const char *key;
	uint64_t value;
};

static bool search_visit(void *arg, uint64_t key, uint64_t value)
{
	struct search *s = arg;
	if (!is_text(s->v, key, s->key))
		return true;
	s->value = value;
	return false;
}

uint64_t object_dict_get(const struct object_view *v, uint64_t dict, const char *key)
{
	struct search s = { .v = v, .key = key };
	(void)object_dict_each(v, dict, search_visit, &s);
	return s.value;
}

uint64_t object_attribute(const struct object_view *v, uint64_t object, const char *name)
{
	const struct probe_layout *l = v->layout;
	struct search s = { .v = v, .key = name };
	uint64_t type, flags, keys, dict = 0, values = 0;
	if (!type_of(v, object, &type, &flags))
		return 0;
	if (flags & TYPE_FLAG_MANAGED_DICT) {
		/* v3.13.0 pycore_object.h, MANAGED_DICT_OFFSET: -1 word in free-threaded builds, -3
		 * in others. */
		uint64_t at = object - (l->free_threaded ? 8 : 24);
		if (l->minor == 11) { /* a pointer to the values at -4 words */
			(void)mem_read_u64(v->mem, RADDR(object - 32), &values);
			(void)mem_read_u64(v->mem, RADDR(at), &dict);
		} else if (l->minor ==
			   12) { /* _PyDictOrValues_GetValues: values - 1, so the low bit is set */
			(void)mem_read_u64(v->mem, RADDR(at), &dict);
			if (dict & 1) {
				values = dict + 1;
				dict = 0;
			}
		} else {
			(void)mem_read_u64(v->mem, RADDR(at), &dict);
			uint64_t size;
			/* struct _dictvalues: capacity, size, embedded, valid; u8 each */
			uint8_t is_valid;
			if (!dict && (flags & TYPE_FLAG_INLINE_VALUES) &&
			    mem_read_u64(v->mem, RADDR(type + l->tp_basicsize), &size) &&
			    size < 1u << 20 &&
			    mem_read(v->mem, RADDR(object + size + 3), &is_valid, 1) && is_valid)
				values = object + size;
		}
	} else {
		uint64_t offset;
		if (!mem_read_u64(v->mem, RADDR(type + l->tp_dictoffset), &offset) || !offset ||
		    offset > 1u << 20)
			return 0;
		(void)mem_read_u64(v->mem, RADDR(object + offset), &dict);
	}
	if (values && read_pointer(v, type + l->heaptype_cached_keys, &keys))
		(void)keys_each(v, keys, values + l->values_array, search_visit, &s);
	else if (dict >= POINTER_LOW)
		(void)object_dict_each(v, dict, search_visit, &s);
	return s.value;
}
