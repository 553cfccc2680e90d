/*
 * serialise: see serialise.h. Offsets come from struct probe_layout, which covers the differences
 * between versions.
 *
 * The kind of an object is found from the fast-subclass bits of tp_flags (Include/object.h,
 * Py_TPFLAGS_*_SUBCLASS, the same in 3.8-3.15) and from the exact types whose addresses the
 * recorder found.
 */
#include "probe/serialise.h"

#include <stddef.h>

#include "base/value.h"
#include "probe/abi.h"
#include "probe/dict.h"
#include "probe/object.h"
#include "probe/read.h"

static inline uint32_t room(const struct out *o)
{
	return (uint32_t)(o->end - o->p);
}

static inline void put64(struct out *o, uint64_t v)
{
	__builtin_memcpy(o->p, &v, 8);
	o->p += 8;
}

/* Reserve a count that is filled in later: always two bytes, so at most 16383. */
static inline uint8_t *put_count_later(struct out *o)
{
	uint8_t *at = o->p;
	o->p += 2;
	return at;
}

static inline void patch_count(uint8_t *at, uint32_t n)
{
	at[0] = (uint8_t)(n | 0x80);
	at[1] = (uint8_t)(n >> 7);
}

/* May write up to seven bytes more than n: every caller has at least eight bytes of room behind. */
static inline void copy(uint8_t *to, uint64_t from, uint64_t n)
{
	for (; n >= 8; from += 8, to += 8, n -= 8)
		*(volatile uint64_t *)to = rd64(from);
	if (n && is_word_mapped(from))
		*(volatile uint64_t *)to = rd64(from);
	else
		for (; n; n--)
			*to++ = rd8(from++);
}

LANE_CODE static uint32_t cstr_len(uint64_t s, uint32_t max)
{
	uint32_t n = 0;
	while (n < max && rd8(s + n))
		n++;
	return n;
}

/* ---- text ---- */

struct text {
	uint64_t data;
	uint64_t length; /* code points */
	uint32_t kind;   /* bytes per code point; 0 = unreadable */
	bool ascii;
};

/* Include/cpython/unicodeobject.h: PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject. */
LANE_CODE static struct text text_of(const struct probe_layout *l, uint64_t str)
{
	uint32_t state = rd32(str + l->str_state);
	struct text t = { .length = rd64(str + l->str_length) };
	t.kind = state >> l->str_kind_shift & ((1u << l->str_kind_bits) - 1);
	t.ascii = state >> l->str_ascii_shift & 1;
	bool compact = state >> l->str_compact_shift & 1;
	if (t.kind != 1 && t.kind != 2 && t.kind != 4)
		t.kind = 0;
	else if (compact)
		t.data = str + (t.ascii ? l->str_ascii_data : l->str_compact_data);
	else if (l->str_noncompact_data != OFF_NONE)
		t.data = rd64(str + l->str_noncompact_data);
	if (!t.data)
		t.kind = 0;
	return t;
}

static inline uint32_t utf8_put(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | (c >> 18 & 7));
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static inline uint32_t code_point(const struct text *t, uint64_t i)
{
	return t->kind == 1   ? rd8(t->data + i)
	       : t->kind == 2 ? rd16(t->data + 2 * i)
			      : rd32(t->data + 4 * i);
}

/* UTF-8 bytes of the longest head of t that fits in limit; *ret_points is its number of code
 * points. */
LANE_CODE static uint64_t text_measure(const struct text *t, uint64_t limit, uint64_t *ret_points)
{
	if (t->ascii) {
		*ret_points = t->length < limit ? t->length : limit;
		return *ret_points;
	}
	uint64_t n = 0, i = 0;
	for (; i < t->length; i++) {
		uint32_t c = code_point(t, i);
		uint64_t more = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		if (n + more > limit)
			break;
		n += more;
	}
	*ret_points = i;
	return n;
}

LANE_CODE static void text_copy(struct out *o, const struct text *t, uint64_t n_points,
				uint64_t n_bytes)
{
	if (t->ascii) {
		copy(o->p, t->data, n_bytes);
		o->p += n_bytes;
		return;
	}
	for (uint64_t i = 0; i < n_points; i++)
		o->p += utf8_put(o->p, code_point(t, i));
}

/* Write any str; the slow path of serialise_str(). */
LANE_CODE static __attribute__((noinline)) void out_text(struct out *o, uint64_t str,
							 uint32_t limit_bytes)
{
	struct text t = text_of(&o->ctx->layout, str);
	uint64_t limit = limit_bytes, points;
	if (!t.kind || room(o) < OUT_MIN_BYTES) {
		put8(o, VALUE_UNREADABLE);
		return;
	}
	if (limit > room(o) - 24)
		limit = room(o) - 24; /* the tag and two varints */
	uint64_t n = text_measure(&t, limit, &points);
	if (points < t.length) {
		put8(o, VALUE_STR_CUT);
		put_varint(o, t.length);
		o->cut = true;
	} else {
		put8(o, VALUE_STR);
	}
	put_varint(o, n);
	text_copy(o, &t, points, n);
}

/* The common case: a short ASCII str, stored in its object. */
static inline bool out_short_ascii(struct out *o, uint64_t str, uint32_t limit_bytes)
{
	const struct probe_context *ctx = o->ctx;
	if ((rd32(str + ctx->layout.str_state) & ctx->ascii_mask) != ctx->ascii_state)
		return false;
	uint64_t n = rd64(str + ctx->layout.str_length);
	if (n > limit_bytes || n >= 0x80 || room(o) < 0x80 + OUT_MIN_BYTES)
		return false;
	put8(o, VALUE_STR);
	put8(o, (uint8_t)n);
	copy(o->p, str + ctx->layout.str_ascii_data, n);
	o->p += n;
	return true;
}

LANE_CODE void serialise_str(struct out *o, uint64_t str, uint32_t limit_bytes)
{
	if (!out_short_ascii(o, str, limit_bytes))
		out_text(o, str, limit_bytes);
}

/* What is written depends on the kind, the length, and at most limit_bytes code points. */
LANE_CODE uint64_t serialise_str_sum(const struct probe_context *ctx, uint64_t str,
				     uint32_t limit_bytes, uint64_t sum)
{
	const struct probe_layout *l = &ctx->layout;
	struct text t = { .ascii = true };
	if ((rd32(str + l->str_state) & ctx->ascii_mask) == ctx->ascii_state) {
		t.data = str + l->str_ascii_data;
		t.length = rd64(str + l->str_length);
		t.kind = 1;
	} else {
		t = text_of(l, str);
	}
	uint64_t n = t.kind * (t.length < limit_bytes ? t.length : limit_bytes), at = t.data;
	sum = serialise_sum(sum, t.length << 4 | t.kind << 1 | t.ascii);
	for (; n >= 8; n -= 8, at += 8)
		sum = serialise_sum(sum, rd64(at));
	return n ? serialise_sum(sum, rd_few(at, (uint32_t)n)) : sum;
}

LANE_CODE static __attribute__((noinline)) void out_bytes(struct out *o, uint8_t tag, uint64_t data,
							  uint64_t length)
{
	uint64_t n = length < o->string_bytes ? length : o->string_bytes;
	if (n > room(o) - 24)
		n = room(o) - 24;
	if (n < length) {
		/* each *_CUT tag is the number after its complete form */
		put8(o, (uint8_t)(tag + 1));
		put_varint(o, length);
		o->cut = true;
	} else {
		put8(o, tag);
	}
	put_varint(o, n);
	copy(o->p, data, n);
	o->p += n;
}

/* ---- numbers ---- */

LANE_CODE static __attribute__((noinline)) void out_int(struct out *o, uint64_t object)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t n_digits;
	bool negative;
	if (l->int_has_tag) { /* 3.12+: Include/cpython/longintrepr.h, lv_tag */
		uint64_t tag = rd64(object + l->int_tag);
		n_digits = tag >> 3;
		negative = (tag & 3) == 2;
		if ((tag & 3) == 1)
			n_digits = 0;
	} else {
		int64_t size = (int64_t)rd64(object + l->int_tag);
		negative = size < 0;
		n_digits = (uint64_t)(negative ? -size : size);
	}
	uint64_t digits = object + l->int_digits, low = 0;
	for (uint64_t i = 0; i < n_digits && i < 2; i++)
		low |= (uint64_t)(rd32(digits + 4 * i) & 0x3fffffff) << (30 * i);
	uint64_t third = n_digits == 3 ? rd32(digits + 8) : 0;
	bool is_lowest = negative && third == 8 && low == 0; /* -2**63 */
	if (n_digits <= 2 || (n_digits == 3 && (third < 8 || is_lowest))) {
		uint64_t magnitude = low | third << 60;
		int64_t v = (int64_t)(negative ? 0 - magnitude : magnitude);
		put8(o, VALUE_INT);
		put_varint(o, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
		return;
	}
	uint64_t n_bytes = n_digits * 30 / 8 + 1;
	uint64_t limit = o->string_bytes > 512 ? o->string_bytes : 512;
	if (n_bytes > limit || n_bytes > room(o) - 24) {
		put8(o, VALUE_OBJECT_AT);
		put64(o, object);
		copy(o->p, (uint64_t) "\3int\1\4bits", 10); /* type "int", one attribute: "bits" */
		o->p += 10;
		put8(o, VALUE_INT);
		put_varint(o, n_digits * 30 << 1);
		o->cut = true;
		return;
	}
	put8(o, VALUE_BIGINT);
	put8(o, negative);
	put_varint(o, n_bytes);
	uint64_t acc = 0, i = 0, written = 0;
	for (unsigned n_bits = 0; written < n_bytes; written++) {
		if (n_bits < 8 && i < n_digits) {
			acc |= (uint64_t)(rd32(digits + 4 * i++) & 0x3fffffff) << n_bits;
			n_bits += 30;
		}
		put8(o, (uint8_t)acc);
		acc >>= 8;
		n_bits = n_bits >= 8 ? n_bits - 8 : 0;
	}
}

/* ---- free-threaded builds: the object's own lock, without waiting ---- */

/* PyMutex: Include/cpython/lock.h, 3.13: bit 0 locked, bit 1 has parked waiters. An object that is
 * met again inside itself is already locked by us. Locks are released in reverse order. */
LANE_CODE bool serialise_lock(struct out *o, uint64_t object)
{
	const struct probe_layout *l = &o->ctx->layout;
	if (!l->free_threaded)
		return true;
	struct out_locks *locks = o->locks;
	if (!l->fn_mutex_unlock || !locks || locks->n == LOCKS_MAX)
		return false;
	uint8_t unlocked = 0;
	bool ours = false;
	for (uint32_t i = 0; i < locks->n; i++)
		ours |= locks->objects[i] == object;
	if (!ours && !__atomic_compare_exchange_n((uint8_t *)(object + l->ob_mutex), &unlocked, 1,
						  false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	locks->objects[locks->n++] = ours ? 0 : object;
	return true;
}

LANE_CODE void serialise_unlock(struct out *o)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t object;
	if (!l->free_threaded || !(object = o->locks->objects[--o->locks->n]))
		return;
	uint8_t locked = 1;
	uint8_t *mutex = (uint8_t *)(object + l->ob_mutex);
	if (!__atomic_compare_exchange_n(mutex, &locked, 0, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		((void (*)(void *))l->fn_mutex_unlock)(
		    mutex); /* another thread has queued meanwhile: wake it */
}

/* ---- containers ---- */

/* The least room for each further element; a container takes no more elements below it. */
#define ELEMENT_ROOM (OUT_MIN_BYTES * 2)

/* Write the items [i, n), as many as may be kept, and then how many were written. */
LANE_CODE static void out_items_from(struct out *o, uint64_t items, uint64_t i, uint64_t n,
				     unsigned depth, uint8_t *kept)
{
	uint64_t max = depth < VALUE_DEPTH_MAX ? o->ctx->max_items : 0;
	for (; i < n && i < max && room(o) > ELEMENT_ROOM; i++) {
		uint64_t item = rd64(items + 8 * i);
		if (item)
			serialise_value(o, item, depth + 1);
		else
			put8(o, VALUE_UNREADABLE);
	}
	patch_count(kept, (uint32_t)i);
	if (i < n)
		o->cut = true;
}

LANE_CODE static void out_items(struct out *o, uint8_t tag, uint64_t items, uint64_t n,
				unsigned depth)
{
	put8(o, tag);
	put_varint(o, n);
	uint8_t *kept = put_count_later(o);
	out_items_from(o, items, 0, n, depth, kept);
}

/* Objects/setobject.c: the table holds {key, hash}; a deleted entry has hash -1. */
LANE_CODE static __attribute__((noinline)) void out_set(struct out *o, uint8_t tag, uint64_t set,
							unsigned depth)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t n = rd64(set + l->set_used), mask = rd64(set + l->set_mask),
		 table = rd64(set + l->set_table);
	put8(o, tag);
	put_varint(o, n);
	uint8_t *kept = put_count_later(o);
	uint32_t k = 0, max = depth < VALUE_DEPTH_MAX ? o->ctx->max_items : 0;
	for (uint64_t i = 0; table && i <= mask && k < n && k < max && room(o) > ELEMENT_ROOM;
	     i++) {
		uint64_t key = rd64(table + 16 * i);
		if (!key || rd64(table + 16 * i + 8) == UINT64_MAX)
			continue;
		serialise_value(o, key, depth + 1);
		k++;
	}
	patch_count(kept, k);
	if (k < n)
		o->cut = true;
}

LANE_CODE static __attribute__((noinline)) void out_dict(struct out *o, uint64_t dict,
							 unsigned depth)
{
	const struct probe_layout *l = &o->ctx->layout;
	struct dict_view v = { 0 };
	bool readable = dict_view_of(l, dict, &v);
	uint64_t n = rd64(dict + l->dict_used);
	put8(o, VALUE_DICT);
	put_varint(o, n);
	uint8_t *kept = put_count_later(o);
	uint32_t k = 0, max = readable && depth < VALUE_DEPTH_MAX ? o->ctx->max_items : 0;
	for (uint64_t i = 0; i < v.n_entries && k < n && k < max && room(o) > 2 * ELEMENT_ROOM;
	     i++) {
		uint64_t key, value;
		if (!dict_entry(&v, i, &key, &value))
			continue;
		serialise_value(o, key, depth + 1);
		serialise_value(o, value, depth + 1);
		k++;
	}
	patch_count(kept, k);
	if (k < n)
		o->cut = true;
}

/* ---- objects: type, address, and known attributes ---- */

LANE_CODE static bool is_str(const struct probe_layout *l, uint64_t object)
{
	return flags_of(l, object) & TPFLAGS_UNICODE;
}

/* The str that a class body stores first: __module__ (Python/compile.c, compiler_class). */
LANE_CODE static uint64_t heap_type_module(const struct probe_layout *l, uint64_t type)
{
	uint64_t dict = rd64(type + l->type_dict);
	struct dict_view v;
	if (!dict || !dict_view_of(l, dict, &v))
		return 0;
	for (uint64_t i = 0; i < v.n_entries && i < 4; i++) {
		uint64_t key, value;
		if (!dict_entry(&v, i, &key, &value) || !is_str(l, key))
			continue;
		struct text t = text_of(l, key);
		if (t.ascii && t.length == 10 &&
		    rd64(t.data) == 0x656c75646f6d5f5full /* "__module" */ &&
		    rd16(t.data + 8) == 0x5f5f && is_str(l, value))
			return value;
	}
	return 0;
}

/* Write a type's name as a varint n and n bytes: "socket.socket", "int", "_io.TextIOWrapper".
 * Static types have the module in tp_name; heap types made from Python do not. */
LANE_CODE static void out_type_name(struct out *o, uint64_t type)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t tp_name = rd64(type + l->tp_name);
	struct text module = { 0 }, name = { 0 };
	if (type_flags(l, type) & TPFLAGS_HEAPTYPE) {
		uint64_t m = heap_type_module(l, type), q = rd64(type + l->heaptype_qualname);
		if (m && is_str(l, q)) {
			module = text_of(l, m);
			name = text_of(l, q);
		}
	}
	uint64_t module_points = 0, name_points;
	if (name.kind && module.kind) {
		bool builtin = module.ascii && module.length == 8 &&
			       rd64(module.data) == 0x736e69746c697562ull;
		uint64_t mn = builtin ? 0 : text_measure(&module, 96, &module_points);
		uint64_t nn = text_measure(&name, 96, &name_points);
		if (room(o) > mn + nn + 8) {
			put_varint(o, mn + nn + (mn ? 1 : 0));
			if (mn) {
				text_copy(o, &module, module_points, mn);
				put8(o, '.');
			}
			text_copy(o, &name, name_points, nn);
			return;
		}
	}
	uint32_t n = tp_name ? cstr_len(tp_name, 127) : 0;
	if (n + 8 > room(o))
		n = 0;
	put_varint(o, n);
	copy(o->p, tp_name, n);
	o->p += n;
}

LANE_CODE static void out_attr_name(struct out *o, const char *name)
{
	uint32_t n = cstr_len((uint64_t)name, 32);
	put_varint(o, n);
	copy(o->p, (uint64_t)name, n);
	o->p += n;
}

LANE_CODE static void out_attr_str(struct out *o, const char *name, uint64_t str)
{
	out_attr_name(o, name);
	if (is_str(&o->ctx->layout, str))
		serialise_str(o, str, o->string_bytes);
	else
		put8(o, !str || str == o->ctx->layout.none
			    ? VALUE_NONE
			    : VALUE_UNREADABLE); /* NULL is shown as None */
}

LANE_CODE static void out_attr_int(struct out *o, const char *name, int64_t v)
{
	out_attr_name(o, name);
	put8(o, VALUE_INT);
	put_varint(o, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

/* Write the C string of a builtin's PyMethodDef (Include/methodobject.h). */
LANE_CODE static void out_attr_cstr(struct out *o, const char *name, uint64_t s)
{
	out_attr_name(o, name);
	uint32_t n = s ? cstr_len(s, 255) : 0;
	if (!s || room(o) < n + 16) {
		put8(o, VALUE_UNREADABLE);
		return;
	}
	put8(o, VALUE_STR);
	put_varint(o, n);
	copy(o->p, s, n);
	o->p += n;
}

/* Write the text of a pathlib path as far as it can be read without running its __str__: the cached
 * string, else the parts that it was made of (Lib/pathlib.py: _str; _raw_paths since 3.12; _drv,
 * _root, _parts before). */
LANE_CODE static void out_attr_path(struct out *o, uint64_t path)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t str = rd64(path + l->path_str);
	if (is_str(l, str)) {
		out_attr_str(o, "path", str);
		return;
	}
	out_attr_name(o, "path");
	uint16_t list_off = l->path_raw_paths != OFF_NONE ? l->path_raw_paths : l->path_parts;
	uint64_t list = list_off != OFF_NONE ? rd64(path + list_off) : 0;
	if (!(flags_of(l, list) & TPFLAGS_LIST) || !serialise_lock(o, list)) {
		put8(o, VALUE_UNREADABLE);
		return;
	}
	uint64_t n = rd64(list + l->ob_size), items = rd64(list + l->list_items);
	uint64_t first = 0, n_bytes = 0, points;
	bool ok = n <= 64;
	for (uint64_t i = 0; ok && i < n; i++) { /* an absolute part replaces the parts before it */
		uint64_t item = rd64(items + 8 * i);
		ok = is_str(l, item);
		struct text t = ok ? text_of(l, item) : (struct text){ 0 };
		ok = t.kind != 0;
		if (ok && t.length && code_point(&t, 0) == '/') {
			first = i;
			n_bytes = 0;
		}
		n_bytes += ok ? text_measure(&t, 4096, &points) + (i > first && n_bytes && t.length)
			      : 0;
	}
	if (!ok || n_bytes + 32 > room(o) || n_bytes > 4096) {
		put8(o, VALUE_UNREADABLE);
		serialise_unlock(o);
		return;
	}
	uint8_t *start = o->p;
	put8(o, VALUE_STR);
	put8(o, 0x80); /* length in two bytes, patched later */
	put8(o, 0);
	uint8_t *text = o->p;
	if (n == 0 || n_bytes == 0)
		put8(o, '.');
	for (uint64_t i = first; n_bytes && i < n; i++) {
		struct text t = text_of(l, rd64(items + 8 * i));
		uint64_t bytes = text_measure(&t, 4096, &points);
		if (bytes && o->p > text && o->p[-1] != '/')
			put8(o, '/');
		text_copy(o, &t, points, bytes);
	}
	patch_count(start + 1, (uint32_t)(o->p - text));
	serialise_unlock(o);
}

/* Is the type's module "pathlib", or "pathlib._local" (3.13)? */
LANE_CODE static bool is_in_pathlib(const struct probe_layout *l, uint64_t type)
{
	uint64_t module = type_flags(l, type) & TPFLAGS_HEAPTYPE ? heap_type_module(l, type) : 0;
	struct text t = module ? text_of(l, module) : (struct text){ 0 };
	/* An ASCII string ends in a NUL, so 8 bytes can be read. */
	uint64_t head = t.ascii && t.length >= 7 ? rd64(t.data) : 0;
	return (head << 8 == 0x62696c6874617000ull /* "pathlib" */ &&
		(t.length == 7 || head >> 56 == '.')) &&
	       rd64(type + l->tp_basicsize) >= l->path_str + 8u;
}

enum known { KNOWN_NOT, KNOWN_SOCKET, KNOWN_PATH };

/* Sockets and paths are recognised by the names of their type and its bases. */
LANE_CODE static enum known known_by_name(const struct probe_layout *l, uint64_t type)
{
	for (unsigned i = 0; type && i < 8; i++, type = rd64(type + l->tp_base)) {
		uint64_t name = rd64(type + l->tp_name);
		if (!name)
			return KNOWN_NOT;
		uint8_t first = rd8(name);
		if (first == '_' && (is_cstr(name, "_socket.socket")))
			return l->socket_fd != OFF_NONE ? KNOWN_SOCKET : KNOWN_NOT;
		if (first == 'P' &&
		    (is_cstr(name, "PurePath") || is_cstr(name, "pathlib.PurePath") ||
		     is_cstr(name, "PurePosixPath") || is_cstr(name, "PosixPath")))
			/* Any program may have a class of that name; only pathlib's has the
			 * slots. */
			return l->path_str != OFF_NONE && is_in_pathlib(l, type) ? KNOWN_PATH
										 : KNOWN_NOT;
	}
	return KNOWN_NOT;
}

#define ATTRS_ROOM 1024u

LANE_CODE static __attribute__((noinline)) void out_object(struct out *o, uint64_t object,
							   uint64_t type)
{
	const struct probe_layout *l = &o->ctx->layout;
	put8(o, VALUE_OBJECT_AT);
	put64(o, object);
	if (room(o) < 320) {
		put8(o, 0);
		put8(o, 0);
		o->cut = true;
		return;
	}
	out_type_name(o, type);
	if (room(o) < ATTRS_ROOM || !serialise_lock(o, object)) {
		put8(o, 0);
		return;
	}
	enum known known;
	if (type == l->type_code) {
		put8(o, 3);
		out_attr_str(o, "name",
			     rd64(object + (l->code_qualname != OFF_NONE ? l->code_qualname
									 : l->code_name)));
		out_attr_str(o, "file", rd64(object + l->code_filename));
		out_attr_int(o, "line", (int32_t)rd32(object + l->code_firstlineno));
	} else if (type == l->type_function) {
		put8(o, 2);
		out_attr_str(o, "name", rd64(object + l->function_qualname));
		out_attr_str(o, "module", rd64(object + l->function_module));
	} else if (type == l->type_method) {
		uint64_t function = rd64(object + l->method_function);
		bool plain = function && type_of(l, function) == l->type_function;
		put8(o, plain ? 2 : 0);
		if (plain) {
			out_attr_str(o, "name", rd64(function + l->function_qualname));
			out_attr_str(o, "module", rd64(function + l->function_module));
		}
	} else if (type == l->type_cfunction) {
		uint64_t def = rd64(object + l->cfunction_ml),
			 module = rd64(object + l->cfunction_module);
		bool named = is_str(l, module);
		put8(o, named ? 2 : 1);
		out_attr_cstr(o, "name", def ? rd64(def) : 0);
		if (named)
			out_attr_str(o, "module", module);
	} else if (type == l->type_module) {
		put8(o, 1);
		out_attr_str(o, "name", rd64(object + l->module_name));
	} else if (type_flags(l, type) & TPFLAGS_TYPE) {
		bool heap = type_flags(l, object) & TPFLAGS_HEAPTYPE;
		uint64_t module = heap ? heap_type_module(l, object) : 0;
		put8(o, module ? 2 : 1);
		if (heap)
			out_attr_str(o, "name", rd64(object + l->heaptype_qualname));
		else
			out_attr_cstr(o, "name", rd64(object + l->tp_name));
		if (module)
			out_attr_str(o, "module", module);
	} else if ((known = known_by_name(l, type)) == KNOWN_SOCKET) {
		put8(o, 4);
		out_attr_int(o, "fd", (int32_t)rd32(object + l->socket_fd));
		out_attr_int(o, "family", (int32_t)rd32(object + l->socket_family));
		out_attr_int(o, "type", (int32_t)rd32(object + l->socket_type));
		out_attr_int(o, "proto", (int32_t)rd32(object + l->socket_proto));
	} else if (known == KNOWN_PATH) {
		put8(o, 1);
		out_attr_path(o, object);
	} else {
		put8(o, 0);
	}
	serialise_unlock(o);
}

/* ---- one value of any kind ---- */

LANE_CODE void serialise_value(struct out *o, uint64_t object, unsigned depth)
{
	const struct probe_layout *l = &o->ctx->layout;
	if (room(o) < OUT_MIN_BYTES) {
		put8(o, VALUE_UNREADABLE);
		o->cut = true;
		return;
	}
	if (object == l->none) {
		put8(o, VALUE_NONE);
		return;
	}
	uint64_t type = type_of(l, object);
	uint32_t flags = type_flags(l, type);
	if (flags & TPFLAGS_UNICODE) {
		serialise_str(o, object, o->string_bytes);
	} else if (flags & TPFLAGS_LONG) {
		if (object == l->true_ || object == l->false_)
			put8(o, object == l->true_ ? VALUE_TRUE : VALUE_FALSE);
		else
			out_int(o, object);
	} else if (flags & TPFLAGS_TUPLE) {
		out_items(o, VALUE_TUPLE, object + l->tuple_items, rd64(object + l->ob_size),
			  depth);
	} else if (flags & TPFLAGS_BYTES) {
		out_bytes(o, VALUE_BYTES, object + l->bytes_data, rd64(object + l->ob_size));
	} else if (type == l->type_float && type) {
		put8(o, VALUE_FLOAT);
		put64(o, rd64(object + l->float_value));
	} else if (type == l->type_complex && type) {
		put8(o, VALUE_COMPLEX);
		put64(o, rd64(object + l->complex_value));
		put64(o, rd64(object + l->complex_value + 8));
	} else if (object == l->ellipsis) {
		put8(o, VALUE_ELLIPSIS);
	} else if (flags & (TPFLAGS_LIST | TPFLAGS_DICT) || type == l->type_set ||
		   type == l->type_frozenset || (type == l->type_bytearray && type)) {
		bool locked = serialise_lock(o, object);
		/* not locked by us: write only the count */
		unsigned at = locked ? depth : VALUE_DEPTH_MAX;
		if (flags & TPFLAGS_LIST)
			out_items(o, VALUE_LIST, rd64(object + l->list_items),
				  rd64(object + l->ob_size), at);
		else if (flags & TPFLAGS_DICT)
			out_dict(o, object, at);
		else if (type == l->type_bytearray)
			out_bytes(o, VALUE_BYTEARRAY, rd64(object + l->bytearray_start),
				  locked ? rd64(object + l->ob_size) : 0);
		else
			out_set(o, type == l->type_set ? VALUE_SET : VALUE_FROZENSET, object, at);
		if (locked)
			serialise_unlock(o);
	} else {
		out_object(o, object, type);
	}
}

/* An int of at most one digit as INT; NULL: it has more. */
static inline uint8_t *put_small_int(const struct probe_layout *l, uint8_t *p, uint64_t object)
{
	uint64_t tag = rd64(object + l->int_tag), n_digits, negative;
	if (l->int_has_tag) {
		n_digits = (tag & 3) == 1 ? 0 : tag >> 3;
		negative = (tag & 3) == 2;
	} else {
		negative = tag >> 63;
		n_digits = negative ? 0 - tag : tag;
	}
	if (n_digits > 1)
		return NULL;
	uint64_t v = n_digits ? (uint64_t)(rd32(object + l->int_digits) & 0x3fffffff) << 1 : 0;
	v -= negative && v;
	*p++ = VALUE_INT;
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/*
 * The common arguments: short ASCII texts, small ints, None, True, False. Stops at the first item
 * that is something else, and returns its index. The place of the next byte is a local variable
 * here: in struct out, it is stored and loaded again for each byte, because bytes may be written to
 * any variable that has an address.
 */
static inline uint64_t out_common_items(struct out *o, uint64_t items, uint64_t n)
{
	const struct probe_context *ctx = o->ctx;
	const struct probe_layout *l = &ctx->layout;
	const uint32_t ascii_mask = ctx->ascii_mask, ascii_state = ctx->ascii_state,
		       string_bytes = o->string_bytes;
	const uint64_t none = l->none, true_ = l->true_, false_ = l->false_;
	uint8_t *p = o->p;
	uint64_t i = 0;
	for (; i < n && (uint64_t)(o->end - p) >= 0x80 + ELEMENT_ROOM; i++) {
		uint64_t item = rd64(items + 8 * i);
		if (item == none) {
			*p++ = VALUE_NONE;
			continue;
		}
		uint32_t flags = flags_of(l, item);
		if (flags & TPFLAGS_UNICODE) {
			uint64_t length = rd64(item + l->str_length);
			if ((rd32(item + l->str_state) & ascii_mask) != ascii_state ||
			    length > string_bytes || length >= 0x80)
				break;
			*p++ = VALUE_STR;
			*p++ = (uint8_t)length;
			copy(p, item + l->str_ascii_data, length);
			p += length;
		} else if (item == true_ || item == false_) {
			*p++ = item == true_ ? VALUE_TRUE : VALUE_FALSE;
		} else {
			uint8_t *end = flags & TPFLAGS_LONG ? put_small_int(l, p, item) : NULL;
			if (!end)
				break;
			p = end;
		}
	}
	o->p = p;
	return i;
}

LANE_CODE void serialise_args(struct out *o, uint64_t tuple)
{
	const struct probe_layout *l = &o->ctx->layout;
	/* sys_audit always makes a tuple; 0: they are not wanted */
	uint64_t is_tuple = tuple && type_flags(l, type_of(l, tuple)) & TPFLAGS_TUPLE;
	uint64_t items = tuple + l->tuple_items, n = is_tuple ? rd64(tuple + l->ob_size) : 0;
	put8(o, VALUE_TUPLE);
	put_varint(o, n);
	if (!is_tuple) {
		put8(o, 0);
		return;
	}
	uint8_t *kept = put_count_later(o);
	uint64_t n_done = out_common_items(o, items, n < o->ctx->max_items ? n : o->ctx->max_items);
	out_items_from(o, items, n_done, n, 0, kept);
}
