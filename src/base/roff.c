/*
 * roff: see roff.h.
 */
#include "base/roff.h"

#include "base/strbuf.h"

void roff_add(struct strbuf *to, const char *text)
{
	if (*text == '.' || *text == '\'')
		strbuf_adds(to, "\\&");
	for (; *text; text++) {
		if (*text == '-')
			strbuf_adds(to, "\\-");
		else if (*text == '\\')
			strbuf_adds(to, "\\e");
		else
			strbuf_addc(to, *text);
	}
}

void roff_add_entry(struct strbuf *to, const char *name, const char *doc)
{
	strbuf_adds(to, ".TP\n.B ");
	roff_add(to, name);
	strbuf_addc(to, '\n');
	roff_add(to, doc);
	strbuf_addc(to, '\n');
}
