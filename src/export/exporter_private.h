/*
 * exporter_private: the state of an exporter, and the list of formats. For src/export only.
 */
#pragma once
#include "base/strbuf.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/text_cache.h"
#include "model/trace.h"

struct exporter {
	struct trace *trace;
	const struct exporter_format *format;
	struct exporter_options options;
	int fd;
	struct strbuf out; /* not written yet */
	uint32_t next_note;
	VEC(uint32_t) notes; /* jsonl: notes to write with the next event */
	struct text_cache frames, threads, names, callers;
	VEC(bool) processes_seen; /* [process index] */
	VEC(uint32_t) unnumbered; /* jsonl: [process index]; the member of that name, 0 not given */
	uint32_t n_unnumbered;
	struct strbuf scratch;
	int64_t time_second; /* the second for which time_text holds "2026-11-22T07:00:00" */
	char time_text[32];
	void *state; /* the format's */
};

#define EXPORT_FORMAT(name) extern const struct exporter_format export_##name
EXPORT_FORMAT(text);
EXPORT_FORMAT(jsonl);
EXPORT_FORMAT(clickhouse);
EXPORT_FORMAT(csv);
EXPORT_FORMAT(tsv);
EXPORT_FORMAT(perfetto);
EXPORT_FORMAT(chrome);
EXPORT_FORMAT(folded);
EXPORT_FORMAT(speedscope);
EXPORT_FORMAT(sqlite);
