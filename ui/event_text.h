/*
 * event_text: the words of an event's line: time, thread, name, arguments, caller.
 *
 * All functions append text that is already escaped. Limits are in cells.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/trace.h"
#include "model/value_iter.h"
#include "ui/canvas.h"

struct catalog_event;
struct view;
struct strbuf;

enum time_mode { TIME_START, TIME_DELTA, TIME_CLOCK, TIME_MODE_COUNT };

/* before_ns: the time of the line above, for TIME_DELTA. */
void event_text_time(struct strbuf *to, const struct view *s, uint64_t time_ns, uint64_t before_ns,
		     enum time_mode mode, int decimals);
int event_text_time_width(const struct view *s, enum time_mode mode, int decimals);
/* Append "main", "T-1" or, if limit is 8 or more, "Thread-1 (work)", cut. */
void event_text_thread(struct strbuf *to, const struct view *s, uint32_t thread, int limit);
void event_text_name(struct strbuf *to, const struct view *s, uint32_t name);
#define EVENT_TEXT_OWN "own " /* before the values of an event of the program itself */
/* Append the values that matter, as the catalogue's gist names them. */
void event_text_gist(struct strbuf *to, struct view *s, const struct event *e, int limit);
/* Append name=literal …, and "…+3" for three arguments that did not fit. */
void event_text_args(struct strbuf *to, struct view *s, const struct event *e, int limit);
/* Append "file.py:line function", or "(file.py:line)" if no frame is the user's own. If `function`
 * is false, the function is left out. */
void event_text_caller(struct strbuf *to, struct view *s, const struct event *e, bool function);
/* "db.py:8" of a frame. */
void text_place(struct strbuf *to, struct view *s, const struct frame_info *f);
/* Append one line for search and copy: all columns, arguments in full, no limits. */
void event_text_line(struct strbuf *to, struct view *s, const struct event *e);
/* Append the text of a note: "312 events in 4.1 ms: the ring was full". */
void text_note(struct strbuf *to, struct view *s, const struct trace_note *n);

/* Append a string of the capture, escaped. */
void text_string(struct strbuf *to, struct trace *t, uint32_t string);
/* Append the name of a process. It was escaped when it was made from the process's arguments, so
 * its backslashes are not doubled. */
void text_program(struct strbuf *to, struct trace *t, uint32_t string);
/* A time between two events; is_ticked: of a process whose times advance with the kernel's tick
 * (trace_is_ticked()). "within 10 ms", "40 ms" */
void text_span(struct strbuf *to, uint64_t ns, bool is_ticked);
void text_duration(struct strbuf *to, uint64_t ns);   /* "0.36 ms", "84 ms", "1.2 s", "16m21s" */
void text_bytes(struct strbuf *to, uint64_t n_bytes); /* "5.3 MB" */
/* "1 event", "12 345 events", with the words of the reader's language. */
void text_number_of(struct strbuf *to, uint64_t n, const char *one, const char *many);
/* "1 204 311", or "1.2M" if that is wider than `limit`; "·" for 0 */
void text_count(struct strbuf *to, uint64_t n, int limit);
void text_age(struct strbuf *to, uint64_t ns); /* "12s", "16m21s", "2h14m", "9d" */
/* Append a bar of at most `cells` cells, in eighths, for a share of 0…1; a share over 0 that is
 * under one eighth is "▏". */
void text_bar(struct strbuf *to, double share, int cells);
/* Append sparks of n bins; their height is the square root of the count. */
void text_spark(struct strbuf *to, const uint32_t *bins, uint32_t n, uint32_t max);

/* Append the pid of a process, after its host if the capture is of several: "web-1:812". */
void event_text_pid(struct strbuf *to, struct view *s, uint32_t process);
/* Append the filter for a process: "pid == 812 and host == web-1". */
void event_text_process_filter(struct strbuf *to, struct view *s, uint32_t process);
