/*
 * value_scan: step over encoded values (base/value.h) without decoding them, and find the
 * containers inside.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_SCAN_DEPTH 16

/* End of the value that starts at p; NULL if it is malformed, runs over `end` or nests deeper than
 * VALUE_SCAN_DEPTH. */
const uint8_t *value_scan_end(const uint8_t *p, const uint8_t *end);

/* The same, and calls fn(ctx, id) for each REF in the value. If fn returns false, the scan ends
 * with NULL. Of a malformed value, the part before the fault is seen. */
const uint8_t *value_scan_refs(const uint8_t *p, const uint8_t *end,
			       bool (*fn)(void *ctx, uint64_t id), void *ctx);
/* A TUPLE, LIST, SET, FROZENSET or DICT. */
bool value_is_container(uint8_t tag);

/* The values directly inside the container at p: where the first starts and how many there are (for
 * a DICT, 2 per pair). */
bool value_scan_container(const uint8_t *p, const uint8_t *end, const uint8_t **ret_first,
			  uint64_t *ret_n);
