/*
 * manual: see manual.h. man(7) roff; a dash that is one is written \-.
 */
#include "commands/manual.h"

#include "base/strbuf.h"
#include "export/exporter.h"
#include "model/fields.h"
#include "options.h"
#include "ui/action.h"

static void add_text(struct strbuf *to, const char *text)
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

static void add_entry(struct strbuf *to, const char *name, const char *doc)
{
	strbuf_adds(to, ".TP\n.B ");
	add_text(to, name);
	strbuf_addc(to, '\n');
	add_text(to, doc);
	strbuf_addc(to, '\n');
}

void manual_add(struct strbuf *to)
{
	options_manual(to);
	strbuf_adds(to, ".SH FILTER FIELDS\n");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		add_entry(to, fields[i].name, fields[i].doc);
		strbuf_adds(to, ".br\n");
		add_text(to, fields[i].example);
		strbuf_addc(to, '\n');
	}
	strbuf_adds(to, ".SH FORMATS\n");
	for (size_t i = 0; i < exporter_n_formats(); i++)
		add_entry(to, exporter_format_at(i)->name, exporter_format_at(i)->doc);
	strbuf_adds(to, ".SH ACTIONS AND KEYS\n");
	actions_manual(to);
}
