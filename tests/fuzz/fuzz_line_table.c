/*
 * fuzz_line_table: python/line_table.c, the three formats.
 *
 * Input: u8 minor, u32 first line, u32 instruction offset, then the table.
 */
#include "fuzz.h"

#include <string.h>

#include "python/line_table.h"

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	uint32_t first_line, lasti;
	if (n_bytes < 9)
		return;
	memcpy(&first_line, bytes + 1, 4);
	memcpy(&lasti, bytes + 5, 4);
	for (unsigned minor = 8; minor <= 15; minor++) {
		struct source_position position;
		line_table_decode(minor, bytes + 9, n_bytes - 9, first_line, lasti, &position);
	}
	line_table_decode(bytes[0], bytes + 9, n_bytes - 9, first_line, lasti,
			  &(struct source_position){ 0 });
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	(void)number;
	(void)to;
	(void)cap;
	return 0;
}
