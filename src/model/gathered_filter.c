/*
 * gathered_filter: see gathered_filter.h.
 */
#include "model/gathered_filter.h"

#include "base/attr.h"
#include "model/filter.h"
#include "model/gathered.h"

enum { TEXT_MAX = 2000 }; /* a longer text makes no filter that can be read */

bool gathered_filter(struct trace *t, enum field_id field, uint32_t name, uint32_t args,
		     uint32_t arg, struct strbuf *to)
{
	struct gathered g = { 0 };
	size_t begin = to->n;
	gathered_read(t, field, name, args, &g);
	for (size_t i = 0, start = 0; i < g.n; start = g.ends[i++]) {
		if (arg != GATHERED_ANY && arg != g.arg[i])
			continue;
		const char *text = strbuf_str(&g.text) + start;
		size_t n = g.ends[i] - start;
		if (n > TEXT_MAX)
			continue;
		strbuf_addf(to, "%s%s %s ", to->n > begin ? " or " : "", fields[field].name,
			    g.is_cut[i] ? "contains" : "==");
		if (field == FIELD_PORT)
			strbuf_add(to, text, n);
		else
			filter_quote(to, text, n);
	}
	strbuf_fini(&g.text);
	return to->n > begin;
}

bool gathered_filter_same(struct trace *t, uint32_t name, uint32_t args, struct strbuf *to)
{
	static const enum field_id all[] = { FIELD_FILE, FIELD_PEER, FIELD_COMMAND };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (gathered_filter(t, all[i], name, args, GATHERED_ANY, to))
			return true;
	return false;
}
