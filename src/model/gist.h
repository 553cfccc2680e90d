/*
 * gist: an event in one line, values only, as its entry in the catalogue says (grammar: catalog.h).
 *
 * All that could disturb a terminal is escaped. A value of which the capture holds only the head
 * begins with "[cut] "; what could not be read is "??". "…" marks what did not fit into max_cells:
 * paths and URLs lose their middle (first part and last name stay), the paths in a command their
 * folders, then the end goes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;
struct trace;
struct event;
struct catalog_event;
struct value_iter;
struct value_node;

/* Append the gist of an event of the trace. max_cells 0: no limit (a few hundred bytes per
 * argument). */
void gist_add_event(struct strbuf *to, struct trace *t, const struct event *e, size_t max_cells);

/* The same without what descriptors were, which depends on when the recorder looked: for what is
 * compared with another run. */
void gist_add_event_args(struct strbuf *to, struct trace *t, const struct event *e,
			 size_t max_cells);

/* The same for arguments that `it` is about to read: the next node is their TUPLE. e may be NULL:
 * every argument then has the reading "value". */
void gist_add(struct strbuf *to, const struct catalog_event *e, struct value_iter *it,
	      size_t max_cells);

/* Append one value by one reading (enum catalog_reading), or as "value" if the reading does not
 * apply. The iterator is positioned directly after v, and afterwards after all of v. */
void gist_add_value(struct strbuf *to, struct value_iter *it, const struct value_node *v,
		    unsigned reading);
/* Append what a descriptor was when the recorder looked: "<was /etc/passwd>". */
void gist_add_was(struct strbuf *to, const char *was, size_t n_bytes);
/* Is it empty in the sense of catalog.h? */
bool gist_is_empty(const struct value_node *v, unsigned reading);

/* Shorten text to max_cells in place by removing its middle between path separators. */
void gist_cut_path(struct strbuf *text, size_t max_cells);
