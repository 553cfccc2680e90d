#include "model/api_map.h"

#include <string.h>

#include "base/nearest.h"
#include "model/catalog.h"

/* Length of the name without the "()" that people write after functions. */
static size_t bare_bytes(const char *api, size_t n_bytes)
{
	return n_bytes > 2 && api[n_bytes - 2] == '(' && api[n_bytes - 1] == ')' ? n_bytes - 2
										 : n_bytes;
}

const struct api_call *api_map_find(const char *api, size_t n_bytes, size_t *ret_n)
{
	const struct api_call *first = NULL;

	*ret_n = 0;
	n_bytes = bare_bytes(api, n_bytes);
	for (size_t i = 0; i < n_api_calls; i++) {
		if (strlen(api_calls[i].api) != n_bytes ||
		    memcmp(api_calls[i].api, api, n_bytes) != 0)
			continue;
		if (!first)
			first = &api_calls[i];
		++*ret_n;
	}
	return first;
}

static bool outcome_raises(const struct api_outcome *o, size_t event)
{
	for (size_t i = 0; i < o->n_steps; i++)
		if (o->steps[i].event == event)
			return true;
	return false;
}

bool api_call_raises(const struct api_call *c, const struct catalog_event *e, int minor)
{
	for (size_t i = 0; i < c->n_outcomes; i++)
		if ((minor == 0 || (minor < 32 && c->outcomes[i].minors >> minor & 1)) &&
		    outcome_raises(&c->outcomes[i], catalog_index(e)))
			return true;
	return false;
}

size_t api_map_nearest(const char *api, size_t n_bytes, const char **ret, size_t max)
{
	struct nearest near = nearest_to(api, bare_bytes(api, n_bytes), NEAREST_NAME);

	for (size_t i = 0; i < n_api_calls; i++)
		if (i == 0 || strcmp(api_calls[i].api, api_calls[i - 1].api) != 0)
			nearest_offer(&near, api_calls[i].api, strlen(api_calls[i].api), i);
	size_t n = near.n < max ? near.n : max;
	for (size_t i = 0; i < n; i++)
		ret[i] = near.found[i].name;
	return n;
}

const struct blind_spot *api_map_blind_spot_next(const struct catalog_event *e, size_t *at)
{
	for (; *at < n_blind_spots; ++*at) {
		const struct blind_spot *b = &blind_spots[*at];

		for (size_t i = 0; i < b->n_events; i++) {
			if (b->events[i] == catalog_index(e)) {
				++*at;
				return b;
			}
		}
	}
	return NULL;
}
