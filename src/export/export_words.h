/*
 * export_words: texts that several formats write: a time, a caller, a thread, arguments.
 */
#pragma once
#include <stdint.h>

struct event;
struct exporter;
struct strbuf;
struct trace;

/* Append a capture time as "2026-11-22T07:00:00.123456789Z". */
void export_words_time(struct exporter *x, struct strbuf *to, uint64_t time_ns);
/* {"path":"/etc/hosts","mode":"r"} */
void export_words_args(struct exporter *x, struct strbuf *to, const struct event *e);
/* ,"descriptors":{"fd":"/etc/hosts"}; nothing if nothing is known of them. */
void export_words_descriptors(struct exporter *x, struct strbuf *to, const struct event *e);
void export_words_string(struct exporter *x, struct strbuf *to, uint32_t string);
/* The same as export_words_caller(), made once per frame. */
void export_words_caller_cached(struct exporter *x, struct strbuf *to, uint32_t stack);
/* The name of the thread, or its tid. Not escaped. */
void export_words_thread(struct exporter *x, struct strbuf *to, uint32_t thread);

/* "app.py:12 main", not escaped: the caller, or the innermost frame in parentheses if no frame is
 * the user's own code. Appends nothing if there is no stack. */
void export_words_caller(struct trace *t, struct strbuf *to, uint32_t stack);
