/*
 * line_table: from instruction offset to source position, for every format that CPython has used
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

/* `minor` is the Python 3 minor version. `lasti` is the byte offset that the probe reports (see
 * enum position_kind: for POSITION_POINTER builds of 3.11 and 3.12 that of the previous
 * instruction, as f_lasti; from 3.13 that of the current one). Never reads outside table[0 … n).
 * Returns false if the table has no entry (the position is then first_line), and true with line 0
 * if the instruction belongs to no line. Columns are known for 3.11+ only. */
bool line_table_decode(unsigned minor, const uint8_t *table, size_t n, uint32_t first_line,
		       uint32_t lasti, struct source_position *ret);
