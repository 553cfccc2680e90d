/*
 * stat_coverage: see stat_coverage.h.
 */
#include "commands/stat_coverage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/group.h"
#include "model/trace.h"

/* Events that the target has counted, [n_catalog_events]. NULL when memory is short. */
static uint64_t *counted_of_catalog(struct trace *t, struct filter_run *filter)
{
	uint64_t *counts = calloc(n_catalog_events, 8);
	for (uint32_t i = 0; counts && i < trace_n_counted(t); i++) {
		size_t n;
		const char *name = trace_counted_name(t, i, &n);
		const struct catalog_event *e = catalog_find(name, n);
		if (e && (!filter || filter_run_wants_name(filter, name, n)))
			counts[e - catalog_events] += trace_counted_get(t, i)->n;
	}
	return counts;
}

struct err *stat_coverage(struct trace *t, const struct selection *rows_in,
			  struct filter_run *filter, struct strbuf *to)
{
	uint32_t minors = 0, n_names = trace_n_names(t);
	uint64_t *counts = calloc((size_t)n_names + 1, 8), *counted = counted_of_catalog(t, filter);
	if (!counts || !counted) {
		free(counts);
		free(counted);
		return err_no_memory();
	}
	struct err *err = group_count(t, rows_in, 0, trace_n_events(t), GROUP_NAME, NULL,
				      n_names + 1, counts);
	for (uint32_t i = 0; i < trace_n_processes(t); i++)
		minors |= 1u << (arguments_minor(t, i) & 31);
	for (int minor = 1; !err && minor < 32; minor++) {
		if (!(minors >> minor & 1))
			continue;
		size_t n_seen = 0, n_all = 0;
		struct strbuf seen = { 0 }, never = { 0 };
		for (int theme = 0; theme < THEME_COUNT; theme++) {
			const struct catalog_theme_info *info = &catalog_themes[theme];
			bool head_seen = false, head_never = false;
			for (size_t i = 0; i < info->n_events; i++) {
				const struct catalog_event *e = &catalog_events[info->events[i]];
				if (!e->documented || !catalog_is_in(e, minor) ||
				    !(e->platforms &
				      (PLATFORM_ANY | PLATFORM_UNIX | PLATFORM_LINUX)))
					continue;
				uint32_t id = trace_name_find(t, e->name, strlen(e->name));
				uint64_t n = (id ? counts[id] : 0) + counted[info->events[i]];
				struct strbuf *list = n ? &seen : &never;
				bool *head = n ? &head_seen : &head_never;
				n_all++;
				n_seen += n != 0;
				if (!*head)
					strbuf_addf(list, "  %-16s", info->name);
				strbuf_addf(list, "%s%s", *head ? ", " : "", e->name);
				if (n)
					strbuf_addf(list, " %" PRIu64, n);
				*head = true;
			}
			if (head_seen)
				strbuf_addc(&seen, '\n');
			if (head_never)
				strbuf_addc(&never, '\n');
		}
		strbuf_addf(to, "Python 3.%d: %zu of %zu documented events seen\n", minor, n_seen,
			    n_all);
		strbuf_addf(to, "seen\n%snever\n%s", strbuf_str(&seen), strbuf_str(&never));
		strbuf_fini(&seen);
		strbuf_fini(&never);
	}
	free(counts);
	free(counted);
	return err;
}
