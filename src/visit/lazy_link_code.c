/*
 * lazy_link_code: see lazy_link_code.h.
 */
#include "visit/lazy_link_code.h"

#include <string.h>

#include "visit/stub.h"

size_t lazy_link_code_bytes(void)
{
	return lazy_link_blob_bytes - sizeof(struct lazy_link_data);
}

size_t lazy_link_hook_bytes(void)
{
	return (lazy_link_blob_bytes + 15) & ~(size_t)15;
}

size_t lazy_link_place_bytes(void)
{
	return lazy_link_hook_bytes() + stub_bytes();
}

size_t lazy_link_bytes_at(const uint8_t *bytes)
{
	return memcmp(bytes, lazy_link_blob, lazy_link_code_bytes()) == 0 ? lazy_link_place_bytes()
									  : 0;
}
