/*
 * fuzz_json: model/value_json_read.c, value_json_write.c, value_text.c: JSON of other programs to
 * values and back. What was read once and written is read again as the same text.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/value_iter.h"
#include "model/value_json.h"
#include "model/value_text.h"

static bool read_json(const char *text, size_t n, struct strbuf *to, struct json_objects *objects)
{
	/* a copy of exactly its size for the sanitizer, with the end of a line */
	char *copy = malloc(n + 1);
	if (!copy)
		abort();
	memcpy(copy, text, n);
	copy[n] = 0;
	struct json j = { .start = copy, .p = copy, .end = copy + n };
	bool ok = value_json_read(&j, to, objects);
	if (!ok && !j.error)
		abort();
	if (j.p < copy || j.p > copy + n)
		abort();
	free(copy);
	return ok;
}

static void write_json(struct strbuf *to, const struct strbuf *value,
		       const struct json_objects *objects)
{
	struct value_iter it;
	struct value_node v;
	value_iter_init_bytes(&it, NULL, value->s, value->n, objects->addresses.v,
			      (uint32_t)objects->addresses.n);
	if (!value_iter_next(&it, &v))
		abort();
	value_json_write(to, &it, &v);
	if (value_iter_failed(&it))
		abort(); /* we wrote these bytes ourselves */
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct strbuf value = { 0 }, again = { 0 }, text = { 0 }, twice = { 0 }, shown = { 0 };
	struct json_objects objects = { 0 }, objects_again = { 0 };
	struct json skip = { .start = (const char *)bytes,
			     .p = (const char *)bytes,
			     .end = (const char *)bytes + n_bytes };
	json_read_skip(&skip);
	if (read_json((const char *)bytes, n_bytes, &value, &objects)) {
		write_json(&text, &value, &objects);
		if (!read_json(strbuf_str(&text), text.n, &again, &objects_again))
			abort();
		write_json(&twice, &again, &objects_again);
		if (text.n != twice.n || memcmp(text.s, twice.s, text.n) != 0)
			abort();
		for (size_t max = 0; max < 100; max += 33) {
			struct value_iter it;
			struct value_node v;
			value_iter_init_bytes(&it, NULL, value.s, value.n, NULL, 0);
			if (value_iter_next(&it, &v))
				value_text_literal(&shown, &it, &v, max);
		}
	}
	vec_fini(&objects.addresses);
	vec_fini(&objects_again.addresses);
	strbuf_fini(&value);
	strbuf_fini(&again);
	strbuf_fini(&text);
	strbuf_fini(&twice);
	strbuf_fini(&shown);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	(void)number;
	(void)to;
	(void)cap;
	return 0;
}
