/*
 * value_scan: see value_scan.h.
 */
#include "capture/value_scan.h"

#include "base/value.h"
#include "capture/block.h"

bool value_is_container(uint8_t tag)
{
	return tag >= VALUE_TUPLE && tag <= VALUE_DICT;
}

static bool skip_bytes(const uint8_t **p, const uint8_t *end, uint64_t n)
{
	if (n > (uint64_t)(end - *p))
		return false;
	*p += n;
	return true;
}

static bool skip_counted(const uint8_t **p, const uint8_t *end)
{
	uint64_t n;
	return varint_get(p, end, &n) && skip_bytes(p, end, n);
}

bool value_scan_container(const uint8_t *p, const uint8_t *end, const uint8_t **ret_first,
			  uint64_t *ret_n)
{
	uint64_t full, kept;
	if (p == end || !value_is_container(*p))
		return false;
	bool is_dict = *p++ == VALUE_DICT;
	/* every value takes at least one byte, so a count larger than the rest is malformed */
	if (!varint_get(&p, end, &full) || !varint_get(&p, end, &kept) || kept > full ||
	    kept > (uint64_t)(end - p))
		return false;
	*ret_first = p;
	*ret_n = is_dict ? 2 * kept : kept;
	return true;
}

/* What is done with each REF: nothing if fn is NULL. */
struct visit {
	bool (*fn)(void *ctx, uint64_t id);
	void *ctx;
};

static const uint8_t *scan(const uint8_t *p, const uint8_t *end, unsigned depth,
			   const struct visit *visit)
{
	uint64_t n, ignored;
	if (p == end || depth > VALUE_SCAN_DEPTH)
		return NULL;
	uint8_t tag = *p++;
	switch (tag) {
	case VALUE_UNREADABLE:
	case VALUE_NONE:
	case VALUE_FALSE:
	case VALUE_TRUE:
	case VALUE_ELLIPSIS: return p;
	case VALUE_INT: return varint_get(&p, end, &ignored) ? p : NULL;
	case VALUE_REF:
		return varint_get(&p, end, &n) && (!visit->fn || visit->fn(visit->ctx, n)) ? p
											   : NULL;
	case VALUE_BIGINT: return skip_bytes(&p, end, 1) && skip_counted(&p, end) ? p : NULL;
	case VALUE_FLOAT: return skip_bytes(&p, end, 8) ? p : NULL;
	case VALUE_COMPLEX: return skip_bytes(&p, end, 16) ? p : NULL;
	case VALUE_STR:
	case VALUE_BYTES:
	case VALUE_BYTEARRAY: return skip_counted(&p, end) ? p : NULL;
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		return varint_get(&p, end, &ignored) && skip_counted(&p, end) ? p : NULL;
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_SET:
	case VALUE_FROZENSET:
	case VALUE_DICT:
		if (!value_scan_container(p - 1, end, &p, &n))
			return NULL;
		for (uint64_t i = 0; i < n && p; i++)
			p = scan(p, end, depth + 1, visit);
		return p;
	case VALUE_OBJECT_AT:
		if (!skip_bytes(&p, end, 8))
			return NULL;
		__attribute__((fallthrough));
	case VALUE_OBJECT:
		if (!skip_counted(&p, end) || !varint_get(&p, end, &n) || n > (uint64_t)(end - p))
			return NULL;
		for (uint64_t i = 0; i < n && p; i++)
			p = skip_counted(&p, end) ? scan(p, end, depth + 1, visit) : NULL;
		return p;
	default: return NULL;
	}
}

const uint8_t *value_scan_end(const uint8_t *p, const uint8_t *end)
{
	return scan(p, end, 0, &(struct visit){ 0 });
}

const uint8_t *value_scan_refs(const uint8_t *p, const uint8_t *end,
			       bool (*fn)(void *ctx, uint64_t id), void *ctx)
{
	return scan(p, end, 0, &(struct visit){ fn, ctx });
}
