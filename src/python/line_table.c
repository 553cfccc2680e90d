/*
 * line_table: see line_table.h.
 *
 *   3.8, 3.9   co_lnotab: pairs {bytes, signed lines}. v3.9.0 Objects/lnotab_notes.txt,
 *              codeobject.c PyCode_Addr2Line
 *   3.10       co_linetable: pairs {bytes, signed lines}, -128 lines = none. v3.10.0
 *              Objects/lnotab_notes.txt (PEP 626)
 *   3.11+      co_linetable: entries {0x80 | kind << 3 | units - 1, …}. v3.11.0
 *              Objects/locations.md (PEP 657)
 */
#include "python/line_table.h"

#include <string.h>

struct cursor {
	const uint8_t *p, *end;
};

/* 6 bits a byte, low bits first; bit 6 means that more follow. False at the end of the table or
 * beyond 32 bits. */
static bool read_varint(struct cursor *c, uint32_t *ret)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 36; shift += 6) {
		if (c->p >= c->end)
			return false;
		uint8_t byte = *c->p++;
		value |= (uint64_t)(byte & 63) << shift;
		if (!(byte & 64)) {
			*ret = (uint32_t)value;
			return value <= UINT32_MAX;
		}
	}
	return false;
}

static bool read_signed_varint(struct cursor *c, int64_t *ret)
{
	uint32_t value;
	if (!read_varint(c, &value))
		return false;
	*ret = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
	return true;
}

/* The line number for the interface: 0 if the table's number is out of range. */
static uint32_t line_of(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* From the 0-based column of a table to a 1-based one; 0 if it would overflow. */
static uint32_t column_of(uint32_t column)
{
	return column < INT32_MAX ? column + 1 : 0;
}

static bool decode_lnotab(const uint8_t *table, size_t n, uint32_t first_line, uint32_t lasti,
			  struct source_position *ret)
{
	uint64_t at = 0;
	int64_t line = first_line;
	for (size_t i = 0; i + 2 <= n; i += 2) {
		at += table[i];
		if (at > lasti)
			break;
		line += (int8_t)table[i + 1];
	}
	ret->line = ret->end_line = line_of(line);
	return true;
}

static bool decode_pep626(const uint8_t *table, size_t n, uint32_t first_line, uint32_t lasti,
			  struct source_position *ret)
{
	uint64_t end = 0;
	int64_t line = first_line;
	for (size_t i = 0; i + 2 <= n; i += 2) {
		int8_t delta = (int8_t)table[i + 1];
		end += table[i];
		if (delta != -128)
			line += delta;
		if (end > lasti) {
			ret->line = ret->end_line = delta == -128 ? 0 : line_of(line);
			return true;
		}
	}
	return false;
}

/* Read one entry, after its first byte. Advances *line and fills *ret; its lines are still
 * relative. */
static bool read_entry(struct cursor *c, unsigned kind, int64_t *line, struct source_position *ret)
{
	int64_t delta = 0;
	uint32_t more_lines = 0, column = 0, end_column = 0;
	switch (kind) {
	case 15: /* no position at all */ memset(ret, 0, sizeof(*ret)); return true;
	case 14:
		if (!read_signed_varint(c, &delta) || !read_varint(c, &more_lines) ||
		    !read_varint(c, &column) || !read_varint(c, &end_column))
			return false;
		break; /* columns are stored plus one, 0 = none, as in *ret */
	case 13:
		if (!read_signed_varint(c, &delta))
			return false;
		break;
	case 12:
	case 11:
	case 10:
		if (c->end - c->p < 2)
			return false;
		delta = kind - 10;
		column = column_of(c->p[0]);
		end_column = column_of(c->p[1]);
		c->p += 2;
		break;
	default:
		if (c->p >= c->end)
			return false;
		column = column_of(kind << 3 | *c->p >> 4);
		end_column = column + (*c->p & 15);
		c->p++;
		break;
	}
	*line += delta;
	ret->line = line_of(*line);
	ret->end_line = line_of(*line + more_lines);
	ret->column = column <= INT32_MAX ? column : 0;
	ret->end_column = end_column <= INT32_MAX ? end_column : 0;
	return true;
}

static bool decode_pep657(const uint8_t *table, size_t n, uint32_t first_line, uint32_t lasti,
			  struct source_position *ret)
{
	struct cursor c = { table, table + n };
	uint64_t end = 0;
	int64_t line = first_line;
	while (c.p < c.end) {
		uint8_t head = *c.p++;
		struct source_position position = { 0 };
		if (!(head & 128) || !read_entry(&c, (head >> 3) & 15, &line, &position))
			return false;
		end += ((head & 7) + 1u) * 2;
		if (end > lasti) {
			*ret = position;
			return true;
		}
	}
	return false;
}

bool line_table_decode(unsigned minor, const uint8_t *table, size_t n, uint32_t first_line,
		       uint32_t lasti, struct source_position *ret)
{
	*ret = (struct source_position){ .line = first_line, .end_line = first_line };
	if (!n || lasti > INT32_MAX) /* -1: the frame has not started to execute */
		return false;
	if (minor < 10)
		return decode_lnotab(table, n, first_line, lasti, ret);
	if (minor == 10)
		return decode_pep626(table, n, first_line, lasti, ret);
	return decode_pep657(table, n, first_line, lasti, ret);
}
