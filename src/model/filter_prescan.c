/*
 * filter_prescan: see filter_prescan.h.
 *
 * A term such as args ~ "passwd" holds only if some of its bytes are in the bytes of the value, or
 * of a value that it refers to. These bytes are its needles. A page of values is scanned for each
 * of them; a value without any of them gets its verdict here and is never decoded.
 */
#include "model/filter_prescan.h"

#include <string.h>

#include "model/filter_cache.h"
#include "model/filter_regex.h"
#include "model/filter_scan.h"
#include "model/trace.h"

/* Bytes that occur in plain text only if they occur in a str, a bytes or a name of the value
 * itself. */
static bool is_verbatim(uint8_t c)
{
	return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("_/~@%#$&*;!|^`\\\"'", c));
}

/* The longest part of s that plain text does not produce by itself. */
static size_t verbatim_part(const char *s, size_t n, const char **ret)
{
	static const char made[] = "none true false ellipsis nanj infj code class module function "
				   "built in bytearray frozenset set "
				   "method type of";
	size_t best = 0;
	for (size_t i = 0; i < n;) {
		size_t k = i;
		while (k < n && is_verbatim((uint8_t)s[k]))
			k++;
		if (k - i > best) {
			char low[SCAN_NEEDLE_MAX + 1];
			size_t n_low = k - i < SCAN_NEEDLE_MAX ? k - i : SCAN_NEEDLE_MAX;
			for (size_t j = 0; j < n_low; j++)
				low[j] = (char)(s[i + j] >= 'A' && s[i + j] <= 'Z' ? s[i + j] + 32
										   : s[i + j]);
			low[n_low] = 0;
			if (!strstr(made, low)) {
				best = k - i;
				*ret = s + i;
			}
		}
		i = k + 1;
	}
	return best;
}

struct needles {
	struct scan_needle v[REGEX_LITERALS_MAX];
	size_t n;
	bool has_exotic; /* ignores case and contains k or s */
};

static bool add_needle(struct needles *to, const char *s, size_t n, bool is_caseless)
{
	const char *part;
	size_t n_part = verbatim_part(s, n, &part);
	if (n_part < 2 || to->n == ARRAY_LEN(to->v))
		return false;
	to->v[to->n] = scan_needle_make(part, n_part, is_caseless);
	for (size_t i = 0; is_caseless && i < to->v[to->n].n; i++)
		to->has_exotic |= to->v[to->n].s[i] == 'k' || to->v[to->n].s[i] == 's';
	to->n++;
	return true;
}

/* One of these must occur in the bytes of a value, or of one that it refers to, for the term to
 * hold. */
static bool find_needles(const struct filter_term *t, struct needles *ret)
{
	*ret = (struct needles){ 0 };
	if (t->field != FIELD_ARGS || t->select != ARG_ANY || t->steps.n)
		return false;
	if (t->op == OP_MATCH) {
		const struct regex_literals *l = regex_literals_get(t->regex);
		for (size_t i = 0; i < l->n; i++)
			if (!add_needle(ret, l->v[i].s, l->v[i].n, l->is_caseless))
				return false;
		return l->n > 0;
	}
	if (t->op != OP_CONTAINS && t->op != OP_EQ && t->op != OP_IN)
		return false;
	for (size_t i = 0; i < t->literals.n; i++) {
		const struct literal *l = &t->literals.v[i];
		/* a literal that is compared in another form than written need not occur in the
		 * bytes */
		if (l->is_number || l->alias || memchr(l->text, '\'', l->n_text) ||
		    memchr(l->text, '@', l->n_text) || !add_needle(ret, l->text, l->n_text, false))
			return false;
	}
	return true;
}

/* Mark the entries first … stop - 1 of a page that contain the needle. */
static void mark(const struct string_page *page, uint32_t first, uint32_t stop,
		 const struct scan_needle *needle, bit_vec *candidates)
{
	const uint32_t *offsets = page->offsets;
	const uint8_t *p = page->bytes + offsets[first - page->first],
		      *end = page->bytes + offsets[stop - page->first];
	uint32_t i = first - page->first;
	while ((p = scan_find(needle, p, end))) {
		uint32_t at = (uint32_t)(p - page->bytes);
		/* the entry that contains `at`: the last that starts before it */
		uint32_t lo = i, hi = stop - page->first - 1;
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo + 1) / 2;
			if (offsets[mid] <= at)
				lo = mid;
			else
				hi = mid - 1;
		}
		uint32_t id = page->first + lo;
		candidates->v[id / 64] |= UINT64_C(1) << (id & 63);
		i = lo + 1;
		if (page->first + i >= stop)
			break;
		p = page->bytes + offsets[i];
	}
}

struct err *filter_prescan(struct filter_cache *c, const struct filter_term *t,
			   struct value_table *table, uint32_t end)
{
	struct needles needles;
	if (table->n_scanned + 1 >= end || !find_needles(t, &needles))
		return NULL;
	struct err *err = filter_cache_index(c, end);
	if (err)
		return err;
	if (!filter_cache_bits_extend(&table->candidates, end) ||
	    !filter_cache_verdicts_extend(&table->tuples, end))
		return err_no_memory();
	for (uint32_t first = table->n_scanned + 1; first < end;) {
		const struct string_page *page = trace_value_page(c->trace, first);
		if (!page)
			return err_no_memory();
		uint32_t stop = page->first + page->n < end ? page->first + page->n : end;
		for (size_t i = 0; i < needles.n; i++)
			mark(page, first, stop, &needles.v[i], &table->candidates);
		uint64_t *bits = table->candidates.v;
		for (uint32_t id = first; id < stop; id++) {
			uint32_t from = c->refs_end.v[id - 1], to = c->refs_end.v[id];
			bool is_candidate = bits[id / 64] >> (id & 63) & 1;
			for (uint32_t k = from; k < to && !is_candidate; k++)
				is_candidate = bits[c->refs.v[k] / 64] >> (c->refs.v[k] & 63) & 1;
			if (needles.has_exotic && bits_has(&c->exotic, id))
				is_candidate = true;
			if (is_candidate) {
				bits[id / 64] |= UINT64_C(1) << (id & 63);
			} else if (!table->tuples.v[id]) {
				uint32_t at = page->offsets[id - page->first];
				/* tag, 0, 0 */
				bool is_empty = page->offsets[id + 1 - page->first] - at <= 3;
				table->tuples.v[id] = is_empty ? VERDICT_ABSENT : VERDICT_NO;
			}
		}
		table->n_scanned = stop - 1;
		first = stop;
	}
	return NULL;
}
