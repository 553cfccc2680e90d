/*
 * value: how one Python value is encoded as bytes, in the ring and in the capture file.
 *
 * A value is a tag byte and its contents. `varint` is unsigned LEB128 (at most 10 bytes); text is
 * WTF-8 (UTF-8 with lone surrogates encoded like other code points). The probe includes this
 * header, so it is freestanding.
 *
 *   NONE FALSE TRUE UNREADABLE ELLIPSIS   -
 *   INT         varint, zigzag of an int64
 *   BIGINT      u8 negative, varint n, n bytes of magnitude, little endian
 *   FLOAT       8 bytes, IEEE double, little endian
 *   COMPLEX     16 bytes: real, imaginary
 *   STR         varint n, n bytes of text
 *   STR_CUT     varint full length in code points, varint n, n bytes of text (the head that was
 *               kept)
 *   BYTES, BYTEARRAY             varint n, n bytes
 *   BYTES_CUT, BYTEARRAY_CUT     varint full length, varint n, n bytes
 *   TUPLE LIST SET FROZENSET     varint full count, varint kept count (≤ full), kept values
 *   DICT                         varint full count, varint kept count, kept × (key value, value)
 *   OBJECT      object whose address is the event's next object slot (capture file only):
 *                 type: varint n, n bytes of text;  varint n_attrs, n_attrs × (varint n, n bytes of
 *                 name; value)
 *   OBJECT_AT   u64 address, then as OBJECT
 *   REF         varint id of another entry of the VALUE dictionary, smaller than the entry's own id
 *               (capture file only)
 *
 * Attributes describe an object, under these names and in this order:
 *   code: name (qualified), file, line      function: name, module      type: name, module
 *   socket: fd, family, type, proto         module: name                path: path
 *   builtin: name, module
 * Nesting is at most VALUE_DEPTH_MAX; a container at a deeper level has kept count 0.
 */
#pragma once
#include <stdint.h>

enum value_tag {
	VALUE_UNREADABLE = 0,
	VALUE_NONE,
	VALUE_FALSE,
	VALUE_TRUE,
	VALUE_ELLIPSIS,
	VALUE_INT,
	VALUE_BIGINT,
	VALUE_FLOAT,
	VALUE_COMPLEX,
	VALUE_STR,
	VALUE_STR_CUT,
	VALUE_BYTES,
	VALUE_BYTES_CUT,
	VALUE_BYTEARRAY,
	VALUE_BYTEARRAY_CUT,
	VALUE_TUPLE,
	VALUE_LIST,
	VALUE_SET,
	VALUE_FROZENSET,
	VALUE_DICT,
	VALUE_OBJECT,
	VALUE_OBJECT_AT,
	VALUE_REF,
	VALUE_TAG_COUNT
};

#define VALUE_DEPTH_MAX 8
