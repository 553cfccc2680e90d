/*
 * column: see column.h. The numbers are stored as byte planes because the upper bytes of ids and
 * time differences are nearly constant: zstd then sees long runs instead of one odd byte in four.
 */
#include "capture/column.h"

#include "capture/block.h"

static uint64_t number_at(const void *numbers, unsigned width, size_t i)
{
	switch (width) {
	case 1: return ((const uint8_t *)numbers)[i];
	case 2: return ((const uint16_t *)numbers)[i];
	case 4: return ((const uint32_t *)numbers)[i];
	default: return ((const uint64_t *)numbers)[i];
	}
}

static uint64_t or_of_all(const void *numbers, unsigned width, size_t n)
{
	uint64_t all = 0;
	switch (width) {
	case 1:
		for (size_t i = 0; i < n; i++)
			all |= ((const uint8_t *)numbers)[i];
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			all |= ((const uint16_t *)numbers)[i];
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			all |= ((const uint32_t *)numbers)[i];
		break;
	default:
		for (size_t i = 0; i < n; i++)
			all |= ((const uint64_t *)numbers)[i];
	}
	return all;
}

static bool is_constant(const void *numbers, unsigned width, size_t n)
{
	return n == 0 || memcmp(numbers, (const uint8_t *)numbers + width, (n - 1) * width) == 0;
}

/* Plane k is byte k of every number: numbers are little endian, so byte k of number i is at i *
 * width + k. */
static void plane_gather(uint8_t *to, const uint8_t *numbers, unsigned width, unsigned k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = numbers[i * width + k];
}

static void frame_begin(struct strbuf *to, uint8_t id, uint8_t encoding, uint32_t n_bytes)
{
	strbuf_addc(to, (char)id);
	strbuf_addc(to, (char)encoding);
	strbuf_add(to, &n_bytes, 4);
}

static void planes_encode(struct strbuf *to, uint8_t id, uint8_t encoding, const void *numbers,
			  unsigned width, size_t n)
{
	uint64_t all = or_of_all(numbers, width, n);
	unsigned planes = 1;
	while (planes < 8 && all >> (8 * planes))
		planes++;
	frame_begin(to, id, encoding, (uint32_t)(1 + planes * n));
	strbuf_addc(to, (char)planes);
	size_t at = to->n;
	strbuf_add_repeat(to, 0, planes * n);
	if (to->failed)
		return;
	for (unsigned k = 0; k < planes; k++)
		plane_gather((uint8_t *)to->s + at + k * n, numbers, width, k, n);
}

void column_encode(struct strbuf *to, uint8_t id, const void *numbers, unsigned width, size_t n)
{
	if (is_constant(numbers, width, n)) {
		uint8_t varint[VARINT_MAX];
		uint32_t n_bytes = (uint32_t)varint_put(varint,
							n ? number_at(numbers, width, 0) : 0);
		frame_begin(to, id, COLUMN_CONST, n_bytes);
		strbuf_add(to, varint, n_bytes);
		return;
	}
	planes_encode(to, id, COLUMN_PLANES, numbers, width, n);
}

void column_encode_delta(struct strbuf *to, uint8_t id, void *numbers, unsigned width, size_t n)
{
	if (is_constant(numbers, width, n)) {
		column_encode(to, id, numbers, width, n);
		return;
	}
	if (width == 4) {
		uint32_t *v = numbers, before = 0;
		for (size_t i = 0; i < n; i++) {
			uint32_t now = v[i], d = now - before;
			v[i] = d << 1 ^ (d >> 31 ? ~0u : 0);
			before = now;
		}
	} else {
		uint64_t *v = numbers, before = 0;
		for (size_t i = 0; i < n; i++) {
			uint64_t now = v[i];
			v[i] = zigzag((int64_t)(now - before));
			before = now;
		}
	}
	planes_encode(to, id, COLUMN_DELTA, numbers, width, n);
}

bool column_next(const uint8_t **p, const uint8_t *end, struct column *ret)
{
	uint32_t n_bytes;
	if (end - *p < 6)
		return false;
	memcpy(&n_bytes, *p + 2, 4);
	if (n_bytes > (size_t)(end - *p) - 6)
		return false;
	*ret = (struct column){ (*p)[0], (*p)[1], *p + 6, n_bytes };
	*p += 6 + (size_t)n_bytes;
	return true;
}

static void fill(void *to, unsigned width, size_t n, uint64_t v)
{
	switch (width) {
	case 1: memset(to, (int)v, n); break;
	case 2:
		for (size_t i = 0; i < n; i++)
			((uint16_t *)to)[i] = (uint16_t)v;
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			((uint32_t *)to)[i] = (uint32_t)v;
		break;
	default:
		for (size_t i = 0; i < n; i++)
			((uint64_t *)to)[i] = v;
	}
}

/* There is one loop per number of planes, so that the compiler can vectorise each. */
#define SCATTER(type)                                                                              \
	static void scatter_##type(type *restrict to, const uint8_t *restrict p, unsigned planes,  \
				   size_t n)                                                       \
	{                                                                                          \
		switch (planes) {                                                                  \
		case 1:                                                                            \
			for (size_t i = 0; i < n; i++)                                             \
				to[i] = p[i];                                                      \
			break;                                                                     \
		case 2:                                                                            \
			for (size_t i = 0; i < n; i++)                                             \
				to[i] = (type)(p[i] | (type)p[n + i] << 8);                        \
			break;                                                                     \
		default:                                                                           \
			scatter_##type(to, p, 2, n);                                               \
			for (unsigned k = 2; k < planes && k < sizeof(type); k++)                  \
				for (size_t i = 0; i < n; i++)                                     \
					to[i] |= (type)((type)p[k * n + i] << (8 * k));            \
		}                                                                                  \
	}
SCATTER(uint16_t)
SCATTER(uint64_t)

static void scatter_uint32_t(uint32_t *restrict to, const uint8_t *restrict p, unsigned planes,
			     size_t n)
{
	switch (planes) {
	case 1:
		for (size_t i = 0; i < n; i++)
			to[i] = p[i];
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			to[i] = p[i] | (uint32_t)p[n + i] << 8;
		break;
	case 3:
		for (size_t i = 0; i < n; i++)
			to[i] = p[i] | (uint32_t)p[n + i] << 8 | (uint32_t)p[2 * n + i] << 16;
		break;
	default:
		for (size_t i = 0; i < n; i++)
			to[i] = p[i] | (uint32_t)p[n + i] << 8 | (uint32_t)p[2 * n + i] << 16 |
				(uint32_t)p[3 * n + i] << 24;
	}
}

static void delta_sum(void *numbers, unsigned width, size_t n)
{
	if (width == 4) {
		uint32_t *v = numbers, now = 0;
		for (size_t i = 0; i < n; i++)
			v[i] = now += v[i] >> 1 ^ -(v[i] & 1);
	} else {
		uint64_t *v = numbers, now = 0;
		for (size_t i = 0; i < n; i++)
			v[i] = now += v[i] >> 1 ^ -(v[i] & 1);
	}
}

bool column_decode(const struct column *c, void *to, unsigned width, size_t n)
{
	if (c->encoding == COLUMN_CONST) {
		const uint8_t *p = c->bytes;
		uint64_t v;
		if (!varint_get(&p, c->bytes + c->n_bytes, &v) || p != c->bytes + c->n_bytes)
			return false;
		if (width < 8 && v >> (8 * width))
			return false;
		fill(to, width, n, v);
		return true;
	}
	bool is_delta = c->encoding == COLUMN_DELTA && width >= 4;
	if ((c->encoding != COLUMN_PLANES && !is_delta) || c->n_bytes < 1)
		return false;
	unsigned planes = c->bytes[0];
	if (planes < 1 || planes > width || c->n_bytes - 1 != planes * n)
		return false;
	const uint8_t *p = c->bytes + 1;
	switch (width) {
	case 1: memcpy(to, p, n); break;
	case 2: scatter_uint16_t(to, p, planes, n); break;
	case 4: scatter_uint32_t(to, p, planes, n); break;
	default: scatter_uint64_t(to, p, planes, n);
	}
	if (is_delta)
		delta_sum(to, width, n);
	return true;
}
