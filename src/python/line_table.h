/*
 * line_table: from instruction offset to source position, for every format CPython has used
 * since 3.8.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_position {
	uint32_t line, end_line; /* 0 = none */
	/* 1-based, bytes of UTF-8; end_column is one past the last; 0 = unknown */
	uint32_t column, end_column;
};

/* `minor` is the Python 3 minor version; lasti the byte offset the probe reports (see enum
 * position_kind: for POSITION_POINTER builds of 3.11 and 3.12 it is the previous instruction's, as
 * f_lasti; from 3.13 the current's). Never reads outside table[0 … n). Returns false when the table
 * says nothing (position is then first_line); true with line 0 when it says that the instruction
 * belongs to no line. Columns are known for 3.11+ only. */
bool line_table_decode(unsigned minor, const uint8_t *table, size_t n, uint32_t first_line,
		       uint32_t lasti, struct source_position *ret);
