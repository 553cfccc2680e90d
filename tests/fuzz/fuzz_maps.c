/* fuzz_maps: system/maps.c, the text of /proc/PID/maps. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/err.h"
#include "system/maps.h"

static bool read_nothing(void *ctx, raddr from, void *to, size_t n_bytes)
{
	(void)ctx;
	(void)from;
	(void)to;
	(void)n_bytes;
	return false;
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct maps *maps = NULL;
	struct err *err = maps_parse((const char *)bytes, n_bytes, &maps);
	if (err) {
		err_destroy(err);
		return;
	}
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = maps_find(maps, RADDR(maps->v[i].start));
		if (maps->v[i].start >= maps->v[i].end || !maps->v[i].path ||
		    (i && maps->v[i].start < maps->v[i - 1].start))
			abort();
		if (m && (maps->v[i].start < m->start || maps->v[i].start >= m->end))
			abort();
	}
	struct mem_reader mem = { .read = read_nothing };
	err_destroy(maps_find_modules(maps, &mem));
	maps_destroy(maps);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	(void)number;
	(void)to;
	(void)cap;
	return 0;
}
