/*
 * locals: see locals.h. Where variables are:
 *
 *   3.8-3.10   frame: f_localsplus[co_nlocals + cells + free]; names: co_varnames, co_cellvars,
 *              co_freevars (v3.8.0 Include/code.h, v3.10.0 Include/cpython/code.h)
 *   3.11+      frame: localsplus[co_nlocalsplus]; names: co_localsplusnames, with a byte of
 *              co_localspluskinds each (v3.11.0 … v3.15.0 Include/cpython/code.h)
 *
 * The value of a cell or free variable is in a cell object. Code that is not optimised (a module, a
 * class body, exec) has its variables in the dict f_locals. Offsets that struct probe_layout does
 * not have are next to others that it has, in all these versions.
 */
#include "python/locals.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/value_add.h"
#include "python/object.h"
#include "python/python.h"

enum {
	NAMES_MAX = 200,   /* variables of a frame */
	ITEMS_MAX = 20,    /* kept of a container */
	DEPTH_MAX = 4,     /* containers in containers */
	TEXT_MAX = 256,    /* bytes kept of a str or bytes */
	VALUES_MAX = 4000, /* of a frame */
	DIGITS_MAX = 300,  /* of an int, 30 bits each */
	SET_SLOTS_MAX = 1 << 12,
	CO_OPTIMIZED = 1, /* v3.8.0 … v3.15.0 Include/cpython/code.h, co_flags */
	FAST_CELL = 0x40, /* v3.11.0 … v3.15.0 Include/internal/pycore_code.h */
	FAST_FREE = 0x80,
};
#define TYPE_FLAG_BYTES (1ull << 27) /* Include/object.h */

struct encoder {
	struct object_view view;
	const struct probe_layout *l;
	struct strbuf *to;
	unsigned n_left; /* values that may be written */
	size_t stop;     /* to->n at which nothing more is kept */
};

static bool read_u64(const struct encoder *e, uint64_t at, uint64_t *ret)
{
	return at >= 4096 && mem_read_u64(e->view.mem, RADDR(at), ret);
}

static void add_tag(struct encoder *e, enum value_tag tag)
{
	strbuf_addc(e->to, (char)tag);
}

static void add_unreadable(struct encoder *e)
{
	add_tag(e, VALUE_UNREADABLE);
}

static bool type_name(const struct encoder *e, uint64_t type, char *to, size_t cap)
{
	uint64_t name;
	if (!read_u64(e, type + e->l->tp_name, &name) || name < 4096)
		return false;
	for (size_t n = 0; n + 1 < cap; n++) {
		if (!mem_read(e->view.mem, RADDR(name + n), to + n, 1))
			return false;
		if (!to[n])
			return true;
		if ((unsigned char)to[n] >= 0x80) /* keep it valid UTF-8 */
			to[n] = '?';
	}
	to[cap - 1] = 0;
	return true;
}

static void add_object(struct encoder *e, uint64_t object, uint64_t type)
{
	char name[100];
	if (!type_name(e, type, name, sizeof(name))) {
		add_unreadable(e);
		return;
	}
	add_tag(e, VALUE_OBJECT_AT);
	strbuf_add(e->to, (const char *)&object, 8);
	strbuf_add_varint(e->to, strlen(name));
	strbuf_adds(e->to, name);
	strbuf_add_varint(e->to, 0);
}

static void add_int(struct encoder *e, uint64_t object)
{
	const struct probe_layout *l = e->l;
	uint64_t size;
	uint32_t digits[DIGITS_MAX];
	bool is_negative;
	if (!read_u64(e, object + l->int_tag, &size)) {
		add_unreadable(e);
		return;
	}
	/* object.c, object_int() */
	if (l->int_has_tag) {
		is_negative = (size & 3) == 2;
		size = (size & 3) == 1 ? 0 : size >> 3;
	} else {
		is_negative = (int64_t)size < 0;
		size = is_negative ? 0 - size : size;
	}
	if (size > DIGITS_MAX ||
	    !mem_read(e->view.mem, RADDR(object + l->int_digits), digits, (size_t)size * 4)) {
		add_unreadable(e);
		return;
	}
	if (size <= 2) { /* below 2^60 */
		uint64_t v = (size > 1 ? (uint64_t)digits[1] << 30 : 0) | (size ? digits[0] : 0);
		add_tag(e, VALUE_INT);
		strbuf_add_varint(e->to, is_negative ? 2 * v - (v != 0) : 2 * v);
		return;
	}
	uint8_t bytes[DIGITS_MAX * 4] = { 0 };
	size_t n = 0, n_bits = 0;
	uint64_t bits = 0;
	for (uint64_t i = 0; i < size; i++) {
		bits |= (uint64_t)(digits[i] & 0x3fffffff) << n_bits;
		for (n_bits += 30; n_bits >= 8; n_bits -= 8, bits >>= 8)
			bytes[n++] = (uint8_t)bits;
	}
	bytes[n++] = (uint8_t)bits;
	while (n > 1 && !bytes[n - 1])
		n--;
	uint64_t small = 0;
	memcpy(&small, bytes, 8);
	if (n <= 8 && small <= INT64_MAX) {
		add_tag(e, VALUE_INT);
		strbuf_add_varint(e->to, is_negative ? 2 * small - 1 : 2 * small);
		return;
	}
	add_tag(e, VALUE_BIGINT);
	strbuf_addc(e->to, (char)is_negative);
	strbuf_add_varint(e->to, n);
	strbuf_add(e->to, (const char *)bytes, n);
}

static void add_str(struct encoder *e, uint64_t object)
{
	char text[TEXT_MAX];
	uint64_t length;
	long n = object_text(&e->view, object, text, sizeof(text));
	if (n < 0 || !read_u64(e, object + e->l->str_length, &length)) {
		add_unreadable(e);
		return;
	}
	uint64_t n_chars = 0;
	for (long i = 0; i < n; i++)
		n_chars += (text[i] & 0xc0) != 0x80;
	add_tag(e, n_chars < length ? VALUE_STR_CUT : VALUE_STR);
	if (n_chars < length)
		strbuf_add_varint(e->to, length);
	strbuf_add_varint(e->to, (uint64_t)n);
	strbuf_add(e->to, text, (size_t)n);
}

static void add_bytes(struct encoder *e, uint64_t object)
{
	char bytes[TEXT_MAX];
	uint64_t full;
	if (!read_u64(e, object + e->l->ob_size, &full) || full > INT64_MAX) {
		add_unreadable(e);
		return;
	}
	size_t n = full < sizeof(bytes) ? (size_t)full : sizeof(bytes);
	if (!mem_read(e->view.mem, RADDR(object + e->l->bytes_data), bytes, n)) {
		add_unreadable(e);
		return;
	}
	add_tag(e, n < full ? VALUE_BYTES_CUT : VALUE_BYTES);
	if (n < full)
		strbuf_add_varint(e->to, full);
	strbuf_add_varint(e->to, n);
	strbuf_add(e->to, bytes, n);
}

static void add_value(struct encoder *e, uint64_t object, unsigned depth);

/* A container: its items go to a text of their own, because their number comes first. */
struct items {
	struct encoder e;
	struct strbuf text;
	uint64_t n_kept;
	unsigned depth;
};

static void items_begin(struct items *i, const struct encoder *e, unsigned depth)
{
	*i = (struct items){ .e = *e, .depth = depth + 1 };
	i->e.to = &i->text;
	i->e.stop = e->stop > e->to->n ? e->stop - e->to->n : 0;
}

/* May one more be kept? */
static bool has_room(const struct items *i)
{
	return i->n_kept < ITEMS_MAX && i->depth <= DEPTH_MAX && i->e.n_left &&
	       i->text.n < i->e.stop;
}

static void items_end(struct items *i, struct encoder *e, enum value_tag tag, uint64_t n_full)
{
	e->n_left = i->e.n_left;
	value_add_container(e->to, tag, n_full < i->n_kept ? i->n_kept : n_full, i->n_kept,
			    &i->text);
	strbuf_fini(&i->text);
}

static void add_items(struct encoder *e, uint64_t object, enum value_tag tag, unsigned depth)
{
	struct items items;
	uint64_t array, n, item;
	if (!object_items(&e->view, object, &array, &n)) {
		add_unreadable(e);
		return;
	}
	items_begin(&items, e, depth);
	for (uint64_t i = 0; i < n && has_room(&items); i++, items.n_kept++) {
		if (read_u64(e, array + 8 * i, &item))
			add_value(&items.e, item, items.depth);
		else
			add_unreadable(&items.e);
	}
	items_end(&items, e, tag, n);
}

static void add_set(struct encoder *e, uint64_t object, enum value_tag tag, unsigned depth)
{
	struct items items;
	uint64_t used, mask, table, entry[2]; /* {key, hash} */
	if (!read_u64(e, object + e->l->set_used, &used) || used > 1ull << 40 ||
	    !read_u64(e, object + e->l->set_mask, &mask) ||
	    !read_u64(e, object + e->l->set_table, &table) || table < 4096) {
		add_unreadable(e);
		return;
	}
	items_begin(&items, e, depth);
	for (uint64_t i = 0; i <= mask && i < SET_SLOTS_MAX && has_room(&items); i++) {
		if (!mem_read(e->view.mem, RADDR(table + 16 * i), entry, sizeof(entry)))
			break;
		/* -1: something was removed there (v3.8.0 Objects/setobject.c) */
		if (!entry[0] || entry[1] == UINT64_MAX)
			continue;
		add_value(&items.e, entry[0], items.depth);
		items.n_kept++;
	}
	items_end(&items, e, tag, used);
}

static bool dict_item(void *ctx, uint64_t key, uint64_t value)
{
	struct items *i = ctx;
	if (!has_room(i))
		return false;
	add_value(&i->e, key, i->depth);
	add_value(&i->e, value, i->depth);
	i->n_kept++;
	return true;
}

static void add_dict(struct encoder *e, uint64_t object, unsigned depth)
{
	struct items items;
	uint64_t used;
	if (!read_u64(e, object + e->l->dict_used, &used) || used > 1ull << 40) {
		add_unreadable(e);
		return;
	}
	items_begin(&items, e, depth);
	(void)object_dict_each(&e->view, object, dict_item, &items);
	items_end(&items, e, VALUE_DICT, used);
}

static void add_float(struct encoder *e, uint64_t object)
{
	uint64_t bits;
	if (!read_u64(e, object + e->l->float_value, &bits)) {
		add_unreadable(e);
		return;
	}
	add_tag(e, VALUE_FLOAT);
	strbuf_add(e->to, (const char *)&bits, 8);
}

static void add_value(struct encoder *e, uint64_t object, unsigned depth)
{
	const struct probe_layout *l = e->l;
	uint64_t type, flags;
	if (e->n_left)
		e->n_left--;
	if (object & 7 || !read_u64(e, object + l->ob_type, &type) ||
	    !read_u64(e, type + l->tp_flags, &flags))
		add_unreadable(e);
	else if (object == l->none)
		add_tag(e, VALUE_NONE);
	else if (object == l->true_ || object == l->false_)
		add_tag(e, object == l->true_ ? VALUE_TRUE : VALUE_FALSE);
	else if (object == l->ellipsis)
		add_tag(e, VALUE_ELLIPSIS);
	else if (flags & TYPE_FLAG_INT)
		add_int(e, object);
	else if (flags & TYPE_FLAG_STR)
		add_str(e, object);
	else if (flags & TYPE_FLAG_BYTES)
		add_bytes(e, object);
	else if (flags & TYPE_FLAG_TUPLE)
		add_items(e, object, VALUE_TUPLE, depth);
	else if (flags & TYPE_FLAG_LIST)
		add_items(e, object, VALUE_LIST, depth);
	else if (flags & TYPE_FLAG_DICT)
		add_dict(e, object, depth);
	else if (type == l->type_float)
		add_float(e, object);
	else if (type == l->type_set || type == l->type_frozenset)
		add_set(e, object, type == l->type_set ? VALUE_SET : VALUE_FROZENSET, depth);
	else
		add_object(e, object, type);
}

/* ---- a frame ---- */

struct frame {
	struct items items;
	uint64_t n_full; /* variables that have a value */
};

static bool is_cell(const struct encoder *e, uint64_t object)
{
	uint64_t type;
	char name[8];
	return !(object & 7) && read_u64(e, object + e->l->ob_type, &type) &&
	       type_name(e, type, name, sizeof(name)) && !strcmp(name, "cell");
}

/* name: address of a str */
static void variable_add(struct frame *f, uint64_t name, uint64_t value)
{
	struct items *i = &f->items;
	f->n_full++;
	if (i->n_kept == NAMES_MAX || !i->e.n_left || i->text.n >= i->e.stop)
		return;
	add_str(&i->e, name);
	add_value(&i->e, value, i->depth);
	i->n_kept++;
}

/* ".0" is the iterator of a comprehension */
static bool is_shown(const struct encoder *e, uint64_t name, bool is_dict)
{
	char text[4];
	long n = object_text(&e->view, name, text, sizeof(text));
	return n > 0 && text[0] != '.' && !(is_dict && n > 1 && text[0] == '_' && text[1] == '_');
}

/* Variables of the slots [first, first + names), whose names are in a tuple. kinds: address of a
 * byte for each; 0: all are cells if `cells`. */
static bool slots_add(struct frame *f, const struct stack_frame *at, uint64_t first, uint64_t names,
		      uint64_t kinds, bool cells)
{
	const struct encoder *e = &f->items.e;
	uint64_t array, n, name, slot;
	if (!object_items(&e->view, names, &array, &n))
		return false;
	for (uint64_t i = 0; i < n && i < 4096; i++) {
		uint8_t kind = cells ? FAST_CELL : 0;
		if (!read_u64(e, array + 8 * i, &name) ||
		    !read_u64(e, at->frame + e->l->frame_locals + 8 * (first + i), &slot) ||
		    (kinds && !mem_read(e->view.mem, RADDR(kinds + i), &kind, 1)))
			return false;
		/* 3.14+: the low bits are tags (pycore_stackref.h); both set: it is no object */
		if (e->l->code_tag_mask == 3 && (slot & 3) == 3)
			continue;
		slot &= ~(uint64_t)e->l->code_tag_mask;
		if (slot && kind & (FAST_CELL | FAST_FREE) && is_cell(e, slot) &&
		    !read_u64(e, slot + e->l->ob_type + 8, &slot)) /* ob_ref */
			return false;
		if (slot && is_shown(e, name, false))
			variable_add(f, name, slot);
	}
	return true;
}

static bool dict_variable(void *ctx, uint64_t key, uint64_t value)
{
	struct frame *f = ctx;
	if (is_shown(&f->items.e, key, true))
		variable_add(f, key, value);
	return f->items.n_kept < NAMES_MAX;
}

static bool variables_add(struct frame *f, const struct stack_frame *at)
{
	const struct encoder *e = &f->items.e;
	const struct probe_layout *l = e->l;
	const struct mem_reader *mem = e->view.mem;
	bool is_new = l->minor >= 11;
	uint32_t flags, n_locals;
	uint64_t names[3], kinds, dict;
	uint32_t flags_off = l->minor < 11    ? l->code_argcount + 20u
			     : l->minor == 11 ? l->code_argcount - 8u
					      : l->code_argcount - 4u;
	uint32_t dict_off = l->minor < 11    ? l->frame_code + 24u
			    : l->minor == 11 ? l->frame_code - 8u
					     : l->frame_previous + 32u;
	if (!mem_read(mem, RADDR(at->code + flags_off), &flags, 4))
		return false;
	if (!(flags & CO_OPTIMIZED))
		return read_u64(e, at->frame + dict_off, &dict) &&
		       object_dict_each(&e->view, dict, dict_variable, f);
	if (is_new)
		return read_u64(e, at->code + l->code_filename - 16, &names[0]) &&
		       read_u64(e, at->code + l->code_filename - 8, &kinds) &&
		       slots_add(f, at, 0, names[0], kinds + l->bytes_data, false);
	/* co_varnames, co_freevars, co_cellvars */
	if (!mem_read(mem, RADDR(at->code + l->code_filename - 32), names, sizeof(names)) ||
	    !mem_read(mem, RADDR(at->code + l->code_argcount + 12), &n_locals, 4) ||
	    n_locals > 4096)
		return false;
	uint64_t array, n_cells;
	return slots_add(f, at, 0, names[0], 0, false) &&
	       object_items(&e->view, names[2], &array, &n_cells) && n_cells <= 4096 &&
	       slots_add(f, at, n_locals, names[2], 0, true) &&
	       slots_add(f, at, n_locals + n_cells, names[1], 0, true);
}

bool locals_encode(const struct mem_reader *mem, const struct python_runtime *rt,
		   const struct stack_frame *at, struct strbuf *to)
{
	const struct probe_layout *l = &rt->layout;
	struct encoder e = { .view = { mem, l, layout_find(l->minor, l->free_threaded) },
			     .l = l,
			     .to = to,
			     .n_left = VALUES_MAX,
			     .stop = to->n + LOCALS_BYTES_MAX };
	struct frame f = { .n_full = 0 };
	items_begin(&f.items, &e, 0);
	bool ok = at->frame && l->frame_locals != OFF_NONE && variables_add(&f, at);
	if (ok)
		items_end(&f.items, &e, VALUE_DICT, f.n_full);
	else
		strbuf_fini(&f.items.text);
	return ok;
}
