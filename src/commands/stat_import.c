/*
 * stat_import: see stat_import.h.
 */
#include "commands/stat_import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/import_cost.h"
#include "model/value_json.h"
#include "options.h"

static enum import_order import_order_of(const char *sort)
{
	int k = sort ? 0 : IMPORT_BY_SELF;
	while (k < IMPORT_ORDER_COUNT && sort && strcmp(import_order_names[k], sort) != 0)
		k++;
	return (enum import_order)k;
}

struct err *stat_import_check_sort(const char *sort)
{
	if (import_order_of(sort) != IMPORT_ORDER_COUNT)
		return NULL;
	return err_with_hint(err_create(ERR_USAGE, "cannot sort imports by '%s'", sort),
			     "say self, total, events, key, or first for a tree");
}

static void add_ms(struct strbuf *to, uint64_t ns, bool is_ticked)
{
	struct strbuf ms = { 0 };
	import_cost_add_ms(&ms, ns, is_ticked, 3);
	strbuf_addf(to, "%11s", strbuf_str(&ms));
	strbuf_fini(&ms);
}

static void imports_text(struct strbuf *to, const struct import_row *rows, const uint32_t *order,
			 uint32_t n, uint32_t n_max, bool as_tree)
{
	struct strbuf count = { 0 };
	uint64_t self_ns = 0;
	bool is_ticked = false;
	strbuf_addf(to, "%11s %11s %8s %8s  %-9s  %s\n", "self ms", "total ms", "events", "imports",
		    "from", as_tree ? "module, below the one that imported it" : "module");
	for (uint32_t i = 0; i < n; i++) {
		const struct import_row *r = &rows[order[i]];
		self_ns += r->self_ns;
		is_ticked |= r->is_ticked;
		if (i >= n_max)
			continue;
		add_ms(to, r->self_ns, r->is_ticked);
		strbuf_addc(to, ' ');
		add_ms(to, r->total_ns, r->is_ticked);
		strbuf_clear(&count);
		strbuf_add_count(&count, r->n_events);
		strbuf_addf(to, " %8s %8u  %-9s  ", strbuf_str(&count), r->n_imports,
			    r->from ? r->from : "");
		strbuf_add_repeat(to, ' ', as_tree ? 2 * (size_t)r->depth : 0);
		strbuf_addf(to, "%s\n", r->name);
	}
	strbuf_clear(&count);
	strbuf_add_number_of(&count, n, "module");
	add_ms(to, self_ns, is_ticked);
	strbuf_addf(to, " in %s%s\n", strbuf_str(&count), n > n_max ? "; not all are shown" : "");
	if (is_ticked)
		strbuf_adds(to, "times are right to 10 ms; with -f they are exact\n");
	strbuf_fini(&count);
}

static void imports_json(struct strbuf *to, const struct import_row *rows, const uint32_t *order,
			 uint32_t n, uint32_t n_max)
{
	strbuf_addf(to, "{\"by\":\"import\",\"modules\":%u,\"rows\":[", n);
	for (uint32_t i = 0; i < n && i < n_max; i++) {
		const struct import_row *r = &rows[order[i]];
		strbuf_adds(to, i ? ",\n{\"module\":" : "\n{\"module\":");
		value_json_string(to, r->name, strlen(r->name));
		strbuf_addf(to,
			    ",\"self_ns\":%" PRIu64 ",\"total_ns\":%" PRIu64 ",\"events\":%" PRIu64
			    ",\"self_events\":%" PRIu64
			    ",\"imports\":%u,\"depth\":%u,\"seq\":%" PRIu64,
			    r->self_ns, r->total_ns, r->n_events, r->n_self_events, r->n_imports,
			    r->depth, r->first_seq);
		if (r->parent != IMPORT_COST_NO_ROW) {
			strbuf_adds(to, ",\"imported_by\":");
			value_json_string(to, rows[r->parent].name, strlen(rows[r->parent].name));
		}
		if (r->from)
			strbuf_addf(to, ",\"from\":\"%s\"", r->from);
		strbuf_addc(to, '}');
	}
	strbuf_adds(to, "\n]}\n");
}

struct err *stat_import(const struct options *o, struct trace *t, const struct selection *rows_in,
			uint64_t to, struct strbuf *out)
{
	CLEANUP(import_cost) struct import_cost *cost = NULL;
	enum import_order by = import_order_of(o->sort);
	struct err *err = stat_import_check_sort(o->sort);
	if (!err)
		err = import_cost_create(t, &cost);
	if (!err)
		err = import_cost_step(cost, rows_in, to, UINT64_MAX);
	if (err)
		return err;
	uint32_t n, n_max = o->number && o->number < UINT32_MAX ? (uint32_t)o->number : UINT32_MAX;
	const struct import_row *rows = import_cost_rows(cost, &n);
	uint32_t *order = malloc(((size_t)n + 1) * sizeof(*order));
	if (!order)
		return err_no_memory();
	n = import_cost_sort(cost, by, order);
	if (o->json)
		imports_json(out, rows, order, n, n_max);
	else
		imports_text(out, rows, order, n, n_max, by == IMPORT_BY_TREE);
	free(order);
	return NULL;
}
