/*
 * manual: see manual.h.
 */
#include "commands/manual.h"

#include "base/roff.h"
#include "base/strbuf.h"
#include "export/exporter.h"
#include "model/fields.h"
#include "model/filter_ready.h"
#include "model/summary_ready.h"
#include "options.h"
#include "ui/action.h"
#include "ui/config.h"

void manual_add(struct strbuf *to)
{
	options_manual(to);
	strbuf_adds(to, ".SH FILTER FIELDS\n");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		roff_add_entry(to, fields[i].name, fields[i].doc);
		strbuf_adds(to, ".br\n");
		roff_add(to, fields[i].example);
		strbuf_addc(to, '\n');
	}
	strbuf_adds(to, ".SH READY FILTERS AND SUMMARIES\n"
			"Names that stand in a filter like any other word, as in\n"
			".BR \"\\-Y 'files\\-written and pid == 41'\" :\n");
	for (size_t i = 0; i < READY_FILTERS; i++)
		roff_add_entry(to, ready_filters[i].name, ready_filters[i].doc);
	strbuf_adds(to, ".PP\nSummaries, for\n.B stat \\-\\-by\nand\n.B :summary\n"
			"on the screen; the page of filters (key l) lists both:\n");
	for (size_t i = 0; i < READY_SUMMARIES; i++)
		roff_add_entry(to, ready_summaries[i].name, ready_summaries[i].doc);
	strbuf_adds(to, ".SH FORMATS\n");
	for (size_t i = 0; i < exporter_n_formats(); i++)
		roff_add_entry(to, exporter_format_at(i)->name, exporter_format_at(i)->doc);
	strbuf_adds(to, ".SH ACTIONS AND KEYS\n");
	action_manual(to);
	strbuf_adds(to, ".SH CONFIGURATION\n");
	config_manual(to);
}
