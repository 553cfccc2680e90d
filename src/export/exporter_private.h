/*
 * exporter_private: shared by the formats. For src/export only.
 */
#pragma once
#include "base/strbuf.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "model/arguments.h"
#include "model/trace.h"

/* Texts that are made once per id: frame → its JSON, thread → its JSON, … */
struct text_cache {
	VEC(uint32_t) start; /* [id] offset + 1 into text, 0 = not made yet */
	VEC(uint32_t) length;
	struct strbuf text;
};

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
	struct strbuf scratch;
	int64_t time_second; /* the second for which time_text holds "2026-11-22T07:00:00" */
	char time_text[32];
	void *state; /* the format's */
};

/* The cached text of `id`. If it returns NULL, append the text to c->text and then call
 * text_cache_keep() with *ret_start. */
const char *text_cache_find(struct text_cache *c, uint32_t id, size_t *ret_bytes);
const char *text_cache_keep(struct text_cache *c, uint32_t id, size_t start, size_t *ret_bytes);
void text_cache_fini(struct text_cache *c);

/* Append a capture time as "2026-11-22T07:00:00.123456789Z". */
void export_wall_time(struct exporter *x, struct strbuf *to, uint64_t time_ns);
/* {"path":"/etc/hosts","mode":"r"} */
void export_args_json(struct exporter *x, struct strbuf *to, const struct event *e);
void export_string_json(struct exporter *x, struct strbuf *to, uint32_t string);
/* "app.py:12 main", in parentheses if no frame is the user's own code; empty if there is no
 * stack. */
void export_caller_text(struct exporter *x, struct strbuf *to, uint32_t stack);
/* The name of the thread, or its tid. Not escaped. */
void export_thread_name(struct exporter *x, struct strbuf *to, uint32_t thread);

#define EXPORT_FORMAT(name) extern const struct exporter_format export_##name
EXPORT_FORMAT(text);
EXPORT_FORMAT(jsonl);
EXPORT_FORMAT(csv);
EXPORT_FORMAT(tsv);
EXPORT_FORMAT(perfetto);
EXPORT_FORMAT(chrome);
EXPORT_FORMAT(folded);
EXPORT_FORMAT(speedscope);
EXPORT_FORMAT(sqlite);
