/*
 * reach: what a program reaches for: hosts, libraries, code, modules, files, commands; counted over
 * a capture.
 *
 * Every event is one thing of one kind, by its name and its gist: socket.connect is the host
 * 127.0.0.1:5432, open the file /etc/hosts, import the module json. Any other event is a thing of
 * kind event, with its gist if that is text ("ctypes.dlsym getpid"). Things whose names differ only
 * in random or temporary parts are one (relation_text_normalise(); the numbers of hosts are kept,
 * except a port that the kernel picked). Computed once per distinct name and arguments.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct event;
struct reach;
struct selection;
struct strbuf;
struct trace;

enum reach_kind { /* in order of how much attention a new one deserves */
		  REACH_HOST,
		  REACH_LIBRARY,
		  REACH_EVENT,
		  REACH_CODE,
		  REACH_MODULE,
		  REACH_FILE,
		  REACH_COMMAND,
		  REACH_KIND_COUNT
};
extern const char *const reach_kind_names[REACH_KIND_COUNT]; /* "host", … */

/* The kind of things that events of this name reach for. */
enum reach_kind reach_kind_of(const char *event, size_t n_bytes);
/* What one event reaches for, before texts are normalised: returns its kind and sets *to to its
 * text, escaped for display. diff, stat and the summary on the screen share this function. Only
 * name, args and process of the event are used. */
enum reach_kind reach_read(struct trace *t, const struct event *e, struct strbuf *to);

struct reach_thing {
	enum reach_kind kind;
	/* of kind and normalised text: equal for equal things of two captures */
	uint64_t hash;
	/* as it first occurred, or with * and # if it stands for several; escaped for display */
	const char *text;
	size_t n_text;
	uint64_t n_events, first_seq, last_seq;
	/* of n_events: raised by the import system while importing a module */
	uint64_t n_by_import;
};

/* Count `rows` (NULL = all); they must not change until counting is done. `counted` (NULL: nobody
 * is told) is called for each event with the index of its thing, and its stack. Calls
 * trace_trim(). */
MUST_CHECK struct err *reach_create(struct trace *t, const struct selection *rows,
				    void (*counted)(void *ctx, uint32_t thing, uint32_t stack),
				    void *ctx, struct reach **ret);
/* The same in slices: begin, then step for at most budget_ns each until *ret_done is 1. No other
 * function may be called before that. Events that are added meanwhile are not counted. */
MUST_CHECK struct err *reach_begin(struct trace *t, const struct selection *rows,
				   struct reach **ret);
MUST_CHECK struct err *reach_step(struct reach *r, uint64_t budget_ns, double *ret_done);
void reach_destroy(struct reach *r);
DEFINE_CLEANUP(reach);
/* In order of first occurrence; valid until reach_destroy(). */
const struct reach_thing *reach_things(const struct reach *r, size_t *ret_n);
/* Index of the thing with this hash, SIZE_MAX if there is none. */
size_t reach_find(const struct reach *r, uint64_t hash);
