/*
 * try: run an example, code or a script under the tracer and show what it raised, on one Python or
 * on several.
 *
 * On one Python: the events in order, with start-up and shut-down as one line each and imports
 * folded. On several: a table with one row per event in order of first appearance and one column
 * per Python, which shows how often each raised it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "base/vec.h"
#include "base/wrap.h"
#include "command.h"
#include "commands/catalog_words.h"
#include "commands/live.h"
#include "commands/pythons.h"
#include "commands/show.h"
#include "commands/try_run.h"
#include "model/api_map.h"
#include "model/catalog.h"
#include "model/trace.h"

#define EXAMPLE_TIMEOUT_NS 20000000000ull

struct request {
	const struct catalog_event *event; /* NULL: the user's own code */
	struct try_code code;
};

static struct err *parse_request(const struct options *o, struct request *ret)
{
	const char *word = o->n_args ? o->args[0] : NULL;
	struct request r = { 0 };

	if (o->code) {
		r.code.text = o->code;
		r.code.args = o->args;
	} else if (!word) {
		return err_with_hint(
		    err_create(ERR_USAGE, "try needs something to run"),
		    "an event (try socket.connect), code (-c 'import json') or a script");
	} else if ((r.event = catalog_find_str(word))) {
		if (!r.event->example) {
			struct err *err = err_create(ERR_UNSUPPORTED,
						     "%s cannot be tried here: it has no example",
						     r.event->name);

			return r.event->example_note
				   ? err_with_hint(err, "%s", r.event->example_note)
				   : err;
		}
		r.code.text = r.event->example;
		r.code.is_quiet = true;
		r.code.is_isolated = true;
		r.code.timeout_ns = EXAMPLE_TIMEOUT_NS;
	} else if (access(word, R_OK) == 0) {
		r.code.script = word;
		r.code.args = o->args + 1;
	} else {
		const struct catalog_event *near[2];
		size_t n = catalog_nearest(word, strlen(word), near, 2);
		struct err *err = err_create(ERR_NOT_FOUND,
					     "there is no event and no file called \"%s\"", word);

		if (n)
			err = err_with_hint(err, "near to it: %s%s%s; code is given with -c",
					    near[0]->name, n > 1 ? ", " : "",
					    n > 1 ? near[1]->name : "");
		*ret = r;
		return err;
	}
	*ret = r;
	return NULL;
}

/* ---- one Python ---- */

static void add_code(struct strbuf *to, const char *text)
{
	unsigned line = 1;

	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_addf(to, "%5u  %.*s\n", line++, (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static struct err *try_one(const struct options *o, const struct request *q,
			   const struct python_program *p, int *ret)
{
	struct strbuf page = { 0 };
	struct try_result r;
	struct err *err = try_run(o, p, &q->code, &r);

	if (err)
		return err;
	if (q->event) {
		strbuf_addf(&page, tr("%s on CPython %s: %s\n\n"), q->event->name, p->version,
			    tr(q->event->description));
		add_code(&page, q->event->example);
		strbuf_addc(&page, '\n');
	}
	try_result_list(&page, &r, q->event ? q->event->name : NULL,
			isatty(STDOUT_FILENO) ? wrap_width(STDOUT_FILENO) : 100);
	if (r.was_ended)
		strbuf_adds(&page, "  ended after 20 s\n");
	*ret = r.status;
	if (q->event) {
		uint64_t n = try_count(&r, q->event->name);

		*ret = n == 0;
		if (n)
			strbuf_addf(&page, "\n%s was raised %llu time%s.\n", q->event->name,
				    (unsigned long long)n, n == 1 ? "" : "s");
		else if (!catalog_is_in(q->event, p->minor))
			strbuf_addf(&page, "\n%s was not raised: CPython 3.%d does not have it.\n",
				    q->event->name, p->minor);
		else
			strbuf_addf(&page, "\n%s was not raised%s%s\n", q->event->name,
				    q->event->example_note ? ": " : ".",
				    q->event->example_note ? q->event->example_note : "");
		if (!n && r.status)
			strbuf_addf(&page, "The example ended with status %d.\n", r.status);
	}
	err = page.failed ? err_no_memory() : wrap_page(strbuf_str(&page), page.n);
	strbuf_fini(&page);
	try_result_fini(&r);
	return err;
}

/* ---- several ---- */

struct row {
	char *name;
	uint64_t *counts; /* [n_pythons] */
};
struct table {
	struct row *v;
	size_t n, cap;
};

static struct row *row_of(struct table *t, const char *name, size_t n_bytes, size_t n_pythons)
{
	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->v[i].name) == n_bytes && memcmp(t->v[i].name, name, n_bytes) == 0)
			return &t->v[i];
	struct row row = { strndup(name, n_bytes), calloc(n_pythons, sizeof(*row.counts)) };

	if (!row.name || !row.counts || !vec_push(t, row)) {
		free(row.name);
		free(row.counts);
		return NULL;
	}
	return &t->v[t->n - 1];
}

/* The name of an event of the run, not terminated; NULL if it cannot be read. */
static const char *name_of(struct try_result *r, uint64_t seq, size_t *ret_n)
{
	struct event e;
	return trace_event(r->trace, seq, &e) ? trace_name(r->trace, e.name, ret_n) : NULL;
}

/* Count the events that the code caused itself, without those of imports; and the example's own
 * event wherever it occurred. */
static struct err *count_into(struct table *t, struct try_result *r, const struct request *q,
			      size_t column, size_t n_pythons)
{
	for (uint64_t seq = 0; seq < r->own.n; seq++) {
		size_t n;
		const char *name = name_of(r, seq, &n);

		if (!name)
			continue;
		bool is_focus = q->event && strlen(q->event->name) == n &&
				memcmp(q->event->name, name, n) == 0;

		if (!is_focus &&
		    (r->own.roles[seq] != OWN_CODE || r->own.imports[seq] != OWN_NO_IMPORT))
			continue;
		struct row *row = row_of(t, name, n, n_pythons);

		if (!row)
			return err_no_memory();
		row->counts[column]++;
		trace_trim(r->trace);
	}
	return NULL;
}

static void add_table(struct strbuf *to, const struct table *t, const struct python_list *pythons,
		      const struct request *q)
{
	strbuf_addf(to, "%-34s", "");
	for (size_t i = 0; i < pythons->n; i++)
		strbuf_addf(to, " %8s", pythons->v[i].version);
	strbuf_addc(to, '\n');
	for (size_t i = 0; i < t->n; i++) {
		bool is_focus = q->event && strcmp(q->event->name, t->v[i].name) == 0;

		strbuf_addf(to, "%s%-32s", is_focus ? "> " : "  ", t->v[i].name);
		for (size_t c = 0; c < pythons->n; c++) {
			if (t->v[i].counts[c])
				strbuf_addf(to, " %8llu", (unsigned long long)t->v[i].counts[c]);
			else
				strbuf_addf(to, " %8s", ".");
		}
		strbuf_addc(to, '\n');
	}
	if (t->n == 0)
		strbuf_adds(to, "  the code itself raised no event on any of them\n");
}

static struct err *try_many(const struct options *o, const struct request *q,
			    const struct python_list *pythons, int *ret)
{
	struct table table = { 0 };
	struct strbuf page = { 0 };
	struct err *err = NULL;
	uint64_t n_focus = 0;

	for (size_t i = 0; !err && i < pythons->n; i++) {
		struct try_code code = q->code;
		struct try_result r;

		code.is_quiet = true;
		err = try_run(o, &pythons->v[i], &code, &r);
		if (err) {
			err = err_wrap(err, "on CPython %s", pythons->v[i].version);
			break;
		}
		err = r.was_interrupted ? err_create(ERR_CANCELLED, "interrupted on CPython %s",
						     pythons->v[i].version)
					: count_into(&table, &r, q, i, pythons->n);
		n_focus += q->event ? try_count(&r, q->event->name) : 1;
		try_result_fini(&r);
	}
	if (!err) {
		add_table(&page, &table, pythons, q);
		err = page.failed ? err_no_memory() : wrap_page(strbuf_str(&page), page.n);
	}
	for (size_t i = 0; i < table.n; i++) {
		free(table.v[i].name);
		free(table.v[i].counts);
	}
	vec_fini(&table);
	strbuf_fini(&page);
	*ret = n_focus == 0;
	return err;
}

/* ---- blind spots ---- */

#define MARK "demo.here"

/* Append the names of the events between the two mark events of a demonstration. */
static struct err *add_between_marks(struct strbuf *to, struct try_result *r, size_t *ret_n)
{
	bool is_between = false;

	*ret_n = 0;
	for (uint64_t seq = 0; seq < r->own.n; seq++) {
		size_t n;
		const char *name = name_of(r, seq, &n);

		if (!name)
			continue;
		if (n == strlen(MARK) && memcmp(name, MARK, n) == 0) {
			if (is_between)
				return NULL;
			is_between = true;
		} else if (is_between) {
			strbuf_addf(to, "%s%.*s", (*ret_n)++ ? ", " : "", (int)n, name);
		}
	}
	return err_create(ERR_CORRUPT, "a demonstration did not come to its end");
}

/* Append the lines of a demonstration between its marks. */
static void add_demo_lines(struct strbuf *to, const char *demo)
{
	const char *start = strstr(demo, MARK), *end = start ? strstr(start + 1, MARK) : NULL;

	for (start = start ? strchr(start, '\n') + 1 : demo; end && start < end;) {
		size_t n = strcspn(start, "\n");

		if (start + n < end)
			strbuf_addf(to, "        %.*s\n", (int)n, start);
		start += n + 1;
	}
}

static struct err *try_blind_spots(const struct options *o, const struct python_program *python,
				   int *ret)
{
	struct strbuf page = { 0 }, raised = { 0 };
	struct err *err = NULL;
	size_t n_seen = 0;

	strbuf_addf(&page, "What CPython %s does without an audit event:\n", python->version);
	for (size_t i = 0; !err && i < n_blind_spots; i++) {
		struct try_code code = { .text = blind_spots[i].demo,
					 .is_quiet = true,
					 .is_isolated = true,
					 .timeout_ns = EXAMPLE_TIMEOUT_NS };
		struct try_result r;
		size_t n;

		err = try_run(o, python, &code, &r);
		if (err)
			break;
		strbuf_clear(&raised);
		err = add_between_marks(&raised, &r, &n);
		strbuf_addf(&page, "\n  %s\n", blind_spots[i].title);
		add_demo_lines(&page, blind_spots[i].demo);
		strbuf_addf(&page, "    raised: %s\n", n ? strbuf_str(&raised) : "nothing");
		n_seen += n > 0 &&
			  !(python->minor < 32 && blind_spots[i].but_minors >> python->minor & 1);
		try_result_fini(&r);
	}
	if (!err)
		err = page.failed ? err_no_memory() : wrap_page(strbuf_str(&page), page.n);
	strbuf_fini(&page);
	strbuf_fini(&raised);
	*ret = n_seen != 0;
	return err;
}

/* The screen shows the run itself, with start-up and imports folded. */
static struct err *try_on_screen(const struct options *o, const struct request *q,
				 const struct python_program *p, int *ret)
{
	struct show show = SHOW_NOTHING;
	struct options own = *o;
	struct err *err = show_possible(o, "without --screen the events are text");

	own.n_pids = 0;
	own.program = try_argv(p, &q->code);
	own.on_exit = ON_EXIT_KILL;
	if (!err && !own.program)
		err = err_no_memory();
	if (!err)
		err = live_source_start(&own, &show.source);
	free(own.program);
	own.program = NULL;
	if (err) {
		live_farewell(true, ret);
		return err;
	}
	return show_screen(&own, &show, ret);
}

struct err *cmd_try(const struct options *o, int *ret)
{
	struct python_list pythons = { 0 };
	struct request q;
	bool is_blind = !o->code && o->n_args == 1 && strcmp(o->args[0], "blind-spots") == 0;
	struct err *err = is_blind ? NULL : parse_request(o, &q);

	if (!err)
		err = o->all_pythons ? pythons_find_all(&pythons)
				     : pythons_find(o->python, &pythons);
	if (err)
		return err;
	if (o->on_screen && (is_blind || o->all_pythons))
		err = err_create(ERR_USAGE, "one run at a time can be on the screen, so --screen "
					    "goes with neither blind-spots nor --all-pythons");
	else if (o->on_screen)
		err = try_on_screen(o, &q, &pythons.v[0], ret);
	else if (is_blind)
		err = try_blind_spots(o, &pythons.v[pythons.n - 1], ret);
	else
		err = pythons.n == 1 ? try_one(o, &q, &pythons.v[0], ret)
				     : try_many(o, &q, &pythons, ret);
	python_list_fini(&pythons);
	return err;
}
