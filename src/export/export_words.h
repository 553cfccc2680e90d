/*
 * export_words: texts that several formats write: a time, a caller, a thread, arguments.
 */
#pragma once
#include <stdint.h>

struct event;
struct exporter;
struct strbuf;
struct trace;
struct trace_task;

/* Append a capture time as "2026-11-22T07:00:00.123456789Z". */
void export_words_time(struct exporter *x, struct strbuf *to, uint64_t time_ns);
/* {"path":"/etc/hosts","mode":"r"} */
void export_words_args(struct exporter *x, struct strbuf *to, const struct event *e);
/* {"fd":"/etc/hosts"}: what descriptors were when the recorder looked; nothing if nothing is
 * known. */
void export_words_was(struct exporter *x, struct strbuf *to, const struct event *e);
/* ,"descriptors":{"fd":"/etc/hosts"}; nothing if nothing is known of them. */
void export_words_descriptors(struct exporter *x, struct strbuf *to, const struct event *e);
/* ["job-2","main"]: the tasks that wait for it, nearest first. */
void export_words_awaited(struct strbuf *to, struct trace_task *task);
/* ,"task":{"name":"job-1","id":3,"awaited_by":["job-2","main"]}; nothing if there is none. */
void export_words_task(struct exporter *x, struct strbuf *to, const struct event *e);
void export_words_string(struct exporter *x, struct strbuf *to, uint32_t string);
/* The same as export_words_caller(), made once per frame. */
void export_words_caller_cached(struct exporter *x, struct strbuf *to, uint32_t stack);
/* The name of the thread, or its tid. Not escaped. */
void export_words_thread(struct exporter *x, struct strbuf *to, uint32_t thread);

/* "app.py:12 main", not escaped: the caller, or the innermost frame in parentheses if no frame is
 * the user's own code. Appends nothing if there is no stack. */
void export_words_caller(struct trace *t, struct strbuf *to, uint32_t stack);
