/*
 * filter: decide which events are shown.
 *
 *     event == "open" and args.mode == "w"      open.path ~ "\.env$"
 *     @network or subprocess.*                   not theme == "import"
 *     stack.func == "load_plugin"                caller.file contains "app/"
 *     pid in {41, 42} and time > 2.5s            args ~ "(?i)password"
 *     depth > 20 and thread == "MainThread"
 *
 * GRAMMAR
 *     expression  term { ("and" | "&&" | "or" | "||") term }      and binds closer than or; also
 *                 AND OR NOT
 *     term        ["not" | "!"] ( "(" expression ")" | @theme | /regex/ | "text" | word | operand
 *                 [operator right] )
 *     operand     FIELD | FIELD.member | args [.NAME | "[" N "]"] {.member | "[" N "]"} |
 *                 EVENT.NAME {…}
 *     operator    == != < <= > >= ~ !~ & contains in; also = =~ eq ne lt le gt ge matches
 *     right       "text" | 'text' | word { "|" word } | number[unit] | /regex/[imsx] | "{" right {
 *                 [","] right | right .. right } "}"
 *
 * A word alone is an event, a category or a ready filter (filter_ready.h), a.b* a glob over event
 * names, @word a theme, /regex/ a regular expression over event names, "text" what occurs in the
 * name or an argument. A field alone asks whether the event has it. FIELDS: fields.h.
 *
 * Where there are several values (args, stack), == ~ < contains in hold if they hold for one of
 * them. != and !~ hold if there is a value and none of them is equal or matches. An argument is
 * compared as its plain text (value_text.h), with a number literal as a number, if it is one.
 * args.NAME.member is an attribute of an object or a key of a dictionary; .type .length .id are
 * there for every value (length: characters, bytes, elements before any cut; id: the address).
 *
 * What a cell of the screen shows matches when it is typed: O_WRONLY|O_CREAT and 0700 are numbers
 * (bits that are never shown, as O_CLOEXEC, do not count), null is None, "main" the main thread, a
 * file is equal to its last parts and a qualified name to its last ones, a list to the line for the
 * shell and an address to the host:port that stand for it, and a time is cut to as many decimals as
 * were written. & holds if a bit is set (of a named constant: all of its bits).
 *
 * In a text \" is a quote, \\ a backslash, \n \t \xHH \uHHHH as usual; in a regular expression
 * backslashes are its own. Regular expressions: PCRE2, UTF mode, with a match limit: what takes too
 * many steps does not match and is counted.
 *
 * A compiled filter is immutable and knows no capture. A filter_run is a filter at work on one
 * capture: it goes on where it stopped when the capture has grown, in slices of time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct strbuf;
struct trace;

struct filter;

/* Compile `text` (UTF-8, n_bytes long); "" lets everything through. `t` (may be NULL) adds the
 * names in a capture to the known names. Errors: ERR_SYNTAX with the byte offset in err->at, and
 * the nearest name in err->hint. */
MUST_CHECK struct err *filter_compile(const char *text, size_t n_bytes, struct trace *t,
				      struct filter **ret);
/* One more user of the filter, who calls filter_destroy() too. Returns f; NULL is fine. Not
 * thread-safe. */
struct filter *filter_ref(struct filter *f);
void filter_destroy(struct filter *f); /* NULL is fine */
DEFINE_CLEANUP(filter);

/* Length in bytes of the wrong word at err->at, for underlining; at least 1. */
size_t filter_error_bytes(const char *text, size_t n_bytes, uint64_t at);
/* Three lines for a terminal: the text, "   ^~~~~", the message and the hint. */
void filter_error_show(struct strbuf *to, const char *text, const struct err *err);
/* Append s as a literal that the grammar parses back to the same text. */
void filter_quote(struct strbuf *to, const char *s, size_t n_bytes);

/* ---- running ---- */

/* Results per distinct string, value, frame and stack, shared by the filters on one capture: a term
 * of an earlier filter is free, and a longer literal is only looked for where the shorter one was
 * found. */
struct filter_cache;
MUST_CHECK struct err *filter_cache_create(struct trace *t, struct filter_cache **ret);
void filter_cache_destroy(struct filter_cache *c);
DEFINE_CLEANUP(filter_cache);

struct filter_run;
/* The filter, the trace and the cache (NULL: a private one) must outlive the run. */
MUST_CHECK struct err *filter_run_create(struct trace *t, const struct filter *f,
					 struct filter_cache *cache, struct filter_run **ret);
void filter_run_destroy(struct filter_run *r);
DEFINE_CLEANUP(filter_run);

/* Continue to the end of the capture, for about budget_ns (UINT64_MAX: to the end). *ret_done (may
 * be NULL) in 0…1. Call it again after a trace_refresh(); if the name of a thread or process has
 * changed and the filter tests such names, the run starts again. Calls trace_trim(). */
MUST_CHECK struct err *filter_run_step(struct filter_run *r, uint64_t budget_ns, double *ret_done);
/* Rows that match, computed for [0, filter_run_n_rows()). Valid until the next step. */
struct selection *filter_run_rows(struct filter_run *r);
uint64_t filter_run_n_rows(const struct filter_run *r);
/* Does the filter test nothing but names of events? */
bool filter_is_of_names(const struct filter *f);
/* Does such a filter let events of this name through, whether the capture has any or not? */
bool filter_run_wants_name(struct filter_run *r, const char *name, size_t n_bytes);
/* May an event of this name match, whatever its arguments, stack, thread and time are? */
bool filter_run_may_match_name(struct filter_run *r, const char *name, size_t n_bytes);
/* Does the event match? It need not be one of filter_run_rows() yet; `seq` is below
 * trace_n_events(). */
MUST_CHECK struct err *filter_run_matches(struct filter_run *r, uint64_t seq, bool *ret);
/* How often rows that had been decided were started again: names of threads are sometimes learnt
 * late. */
unsigned filter_run_n_restarts(const struct filter_run *r);
/* How often a regular expression was abandoned at the match limit; such values do not match. */
uint64_t filter_run_n_limit_hits(const struct filter_run *r);

/* For an empty list: the parts that are joined by "and" at the top level, each with its own
 * count. */
struct filter_part {
	size_t at, n_bytes; /* of the filter's text */
	uint64_t n_events;  /* events that match this part alone */
};
struct filter_explanation;
/* Filter and cache (may be NULL) must outlive the explanation. */
MUST_CHECK struct err *filter_explain(struct trace *t, const struct filter *f,
				      struct filter_cache *cache, struct filter_explanation **ret);
void filter_explanation_destroy(struct filter_explanation *x);
DEFINE_CLEANUP(filter_explanation);
/* Continue counting, for at most budget_ns. *ret_done: all parts are counted. */
MUST_CHECK struct err *filter_explanation_step(struct filter_explanation *x, uint64_t budget_ns,
					       bool *ret_done);
/* In order of the text; the counts cover the events tested so far. */
const struct filter_part *filter_explanation_parts(const struct filter_explanation *x,
						   size_t *ret_n);

/* ---- completion ---- */

enum filter_candidate_kind {
	CANDIDATE_FIELD,
	CANDIDATE_EVENT,
	CANDIDATE_CATEGORY,
	CANDIDATE_THEME,
	CANDIDATE_ARGUMENT,
	CANDIDATE_MEMBER,
	CANDIDATE_OPERATOR,
	CANDIDATE_VALUE,
	CANDIDATE_READY
};
struct filter_candidate {
	enum filter_candidate_kind kind;
	const char *text;  /* what replaces the word */
	const char *doc;   /* may be NULL */
	uint64_t n_events; /* matching events in this capture; UINT64_MAX: no count */
};
struct filter_completion {
	size_t at, n_bytes; /* the word that is being typed */
	struct filter_candidate *v;
	size_t n;
	struct strbuf *text; /* owns the texts */
};
/* What can be inserted at the cursor, best first, with counts from the capture (t may be NULL). It
 * is quick: values come from at most the distinct values of a few chunks. */
MUST_CHECK struct err *filter_complete(struct trace *t, const char *text, size_t n_bytes,
				       size_t cursor, struct filter_completion *ret);
void filter_completion_fini(struct filter_completion *c);
