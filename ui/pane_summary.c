/*
 * pane_summary: the shown events in groups, like top(1): how many, what share, when, and the first
 * caller.
 *
 * A grouping says which column of the capture tells the kind (names, threads, stacks, arguments)
 * and how a kind is named; the model counts. Counting and sorting are done in slices, and the part
 * that is counted is shown sorted. In a live session it is sorted again about once a second, and
 * the cursor stays on its kind, not on its line.
 */
#include "ui/pane_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/gist.h"
#include "model/reach.h"
#include "model/summary_ready.h"
#include "model/tally.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/sorter.h"
#include "ui/text.h"

enum { KINDS_MAX = 1 << 18 }; /* further kinds are counted together */

struct kind {
	char *text, *term; /* term: the filter for it; NULL: none */
	enum role role;
	uint32_t id;     /* id in the column, of the first one found */
	unsigned n_ways; /* further terms that were joined to `term` */
};

enum sort_by { SORT_COUNT, SORT_NAME, SORT_FIRST, SORT_KINDS };

struct summary {
	struct pane pane;
	size_t field; /* of groupings[] */
	enum sort_by sort;
	VEC(struct kind) kinds;      /* by key of the tally */
	struct hash_map key_of_text; /* → index into kinds, + 1 */
	VEC(uint32_t) key_of_frame;  /* key + 1; 0: not found yet */
	struct tally *tally;
	unsigned generation; /* generation of the filter that is counted for */
	VEC(uint32_t) order; /* keys in the order of the list */
	uint64_t total, max; /* over all of `order` */
	struct sorter sorter;
	/* the last sort: how many rows, when, and how long it took */
	uint64_t sorted_rows, sorted_at_ns, sort_ns;
	/* text of the line that the cursor was on before counting restarted; NULL: none */
	char *wanted;
	bool stale;
	bool was_whole; /* `order` was once complete */
	bool keep_line; /* the user has chosen another order: the cursor stays on its line */
	unsigned n_bins;
};

/* What a grouping says of an id: a text and, if events can be filtered by it, a filter term. */
struct kind_text {
	struct view *s;
	uint32_t id, name; /* id in the column; name of the event that it was found with */
	struct strbuf text, term;
	enum role role;
};

struct text_of {
	const struct summary *summary;
	const char *text;
};

static bool is_text_of(const void *ctx, uint32_t value)
{
	const struct text_of *t = ctx;
	return !strcmp(t->summary->kinds.v[value - 1].text, t->text);
}

/* Return where the key of a text, plus 1, is kept. NULL if memory is short. */
static uint32_t *place_of(struct summary *m, const char *text)
{
	const struct text_of t = { m, text };
	return hash_map_place_same(&m->key_of_text, hash_map_text_key(text, strlen(text)),
				   is_text_of, &t);
}

/* Index all texts again. Of two equal texts the first one is found. */
static bool texts_index(struct summary *m)
{
	hash_map_clear(&m->key_of_text);
	for (uint32_t i = 0; i < m->kinds.n; i++) {
		uint32_t *at = place_of(m, m->kinds.v[i].text);
		if (!at)
			return false;
		if (!*at)
			*at = i + 1;
	}
	return true;
}

/* A kind can be found in more than one way, for example a host also by its URL: its filter then
 * asks for either. A kind that is found in too many ways has no filter, because it would show fewer
 * events than were counted. */
static void add_way(struct kind *kind, const char *term)
{
	enum { WAYS_MAX = 16 };
	if (!kind->term || strstr(kind->term, term))
		return;
	char *both = NULL;
	if (++kind->n_ways < WAYS_MAX && *term && asprintf(&both, "%s or %s", kind->term, term) < 0)
		both = NULL;
	free(kind->term);
	kind->term = both;
}

/* Return the key of a text, or TALLY_LEAVE_OUT if memory is short. */
static uint32_t key_of(struct summary *m, struct kind_text *k)
{
	if (k->text.failed)
		return TALLY_LEAVE_OUT;
	if (m->kinds.n >= KINDS_MAX) {
		strbuf_clear(&k->text);
		strbuf_clear(&k->term);
		strbuf_addf(&k->text, "(all other kinds)");
		k->role = ROLE_DIM;
	}
	const char *text = strbuf_str(&k->text);
	uint32_t *at = place_of(m, text);
	if (!at)
		return TALLY_LEAVE_OUT;
	if (*at) {
		add_way(&m->kinds.v[*at - 1], strbuf_str(&k->term));
		return *at - 1;
	}
	struct kind kind = { strdup(text), k->term.n ? strdup(strbuf_str(&k->term)) : NULL, k->role,
			     k->id, 0 };
	if (!kind.text || !vec_push(&m->kinds, kind)) {
		free(kind.text);
		free(kind.term);
		return TALLY_LEAVE_OUT;
	}
	*at = (uint32_t)m->kinds.n;
	return *at - 1;
}

static void term_is(struct kind_text *k, const char *field, const char *s, size_t n)
{
	strbuf_addf(&k->term, "%s == ", field);
	filter_quote(&k->term, s, n);
}

static void by_event(struct kind_text *k)
{
	size_t n;
	const char *s = trace_name(k->s->trace, k->id, &n);
	utf8_escape(&k->text, s, n, 0);
	term_is(k, "event", s, n);
	k->role = view_name(k->s, k->id)->role;
}

static void by_category(struct kind_text *k)
{
	size_t n;
	const char *s = trace_name(k->s->trace, k->id, &n);
	n = catalog_category_bytes(s, n);
	utf8_escape(&k->text, s, n, 0);
	term_is(k, "category", s, n);
	k->role = view_name(k->s, k->id)->role;
}

static void by_theme(struct kind_text *k)
{
	enum catalog_theme theme = view_name(k->s, k->id)->theme;
	const char *name = catalog_theme_name(theme);
	strbuf_adds(&k->text, name);
	term_is(k, "theme", name, strlen(name));
	k->role = view_role(theme);
}

static void by_thread(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	const struct process_info *p = t ? trace_process(k->s->trace, t->process) : NULL;
	event_text_thread(&k->text, k->s, k->id, 60);
	if (!t)
		return;
	strbuf_addf(&k->text, "  %llu", (unsigned long long)t->tid);
	strbuf_addf(&k->term, "tid == %llu", (unsigned long long)t->tid);
	if (p && view_has_processes(k->s))
		strbuf_addf(&k->term, " and pid == %u", p->pid);
}

static void by_machine(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	size_t n = 0;
	const char *s = t ? trace_process_host(k->s->trace, t->process, &n) : "";
	if (n) {
		utf8_escape(&k->text, s, n, 0);
		term_is(k, "host", s, n);
	} else {
		strbuf_adds(&k->text, "unknown");
		strbuf_adds(&k->term, "not host");
		k->role = ROLE_DIM;
	}
}

static void by_process(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	const struct process_info *p = t ? trace_process(k->s->trace, t->process) : NULL;
	if (!p) {
		strbuf_adds(&k->text, "??");
		return;
	}
	event_text_pid(&k->text, k->s, t->process);
	strbuf_addc(&k->text, ' ');
	text_string(&k->text, k->s->trace, p->name);
	event_text_process_filter(&k->term, k->s, t->process);
}

static void frame_kind(struct kind_text *k, bool file_only)
{
	struct trace *t = k->s->trace;
	uint32_t frame = k->id ? trace_caller(t, k->id) : 0;
	struct frame_info f;
	if (!frame || !trace_frame(t, frame, &f)) {
		strbuf_adds(&k->text, k->id ? "(library code only)" : "(no stack)");
		k->role = ROLE_DIM;
		return;
	}
	size_t n;
	const char *s = trace_string(t, f.file, &n);
	term_is(k, "caller.file", s, n);
	if (file_only) {
		utf8_escape(&k->text, s, n, 0);
		return;
	}
	text_place(&k->text, k->s, &f);
	strbuf_addc(&k->text, ' ');
	text_string(&k->text, t, f.function);
	strbuf_addf(&k->term, " and caller.line == %u", f.line);
}

static void by_caller(struct kind_text *k)
{
	frame_kind(k, false);
}

static void by_source(struct kind_text *k)
{
	frame_kind(k, true);
}

static void by_package(struct kind_text *k)
{
	struct trace *t = k->s->trace;
	const struct trace_package *p = trace_package(t, k->id ? trace_stack_package(t, k->id) : 0);
	if (!p) {
		strbuf_adds(&k->text, k->id ? "(code that is not installed)" : "(no stack)");
		strbuf_adds(&k->term, "not package");
		k->role = ROLE_DIM;
		return;
	}
	utf8_escape(&k->text, p->name, p->n_name, 0);
	strbuf_addc(&k->text, ' ');
	utf8_escape(&k->text, p->version, p->n_version, 0);
	term_is(k, "package", p->name, p->n_name);
}

/* Return the argument of an event that its gist reads as `reading`; -1 if it has none. */
static int arg_with(const struct catalog_event *e, unsigned reading)
{
	for (uint8_t i = 0; e && i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].reading == reading)
			return e->gist_parts[i].arg;
	return -1;
}

/* Write a filter for one argument: a text or a number as it is, an address by its host and port, a
 * command by its line. */
static void term_of_argument(struct kind_text *k, const struct argument *v, struct value_iter it,
			     unsigned reading)
{
	struct value_node part;
	bool is_sequence = v->value.tag == VALUE_TUPLE || v->value.tag == VALUE_LIST;
	if (k->term.n)
		strbuf_adds(&k->term, " and ");
	if (is_sequence && reading == READING_HOSTPORT && v->value.n_children >= 2 &&
	    value_iter_next(&it, &part) && part.tag == VALUE_STR) {
		strbuf_addf(&k->term, "args.%.*s[0] == ", (int)v->n_name, v->name);
		filter_quote(&k->term, (const char *)part.bytes, part.n_bytes);
		if (value_iter_next(&it, &part) && part.tag == VALUE_INT)
			strbuf_addf(&k->term, " and args.%.*s[1] == %lld", (int)v->n_name, v->name,
				    (long long)part.i);
		return;
	}
	struct strbuf text = { 0 };
	if (v->value.tag == VALUE_INT)
		strbuf_addf(&k->term, "args.%.*s == %lld", (int)v->n_name, v->name,
			    (long long)v->value.i);
	else if (is_sequence)
		gist_add_value(&text, &it, &v->value, READING_ARGV);
	else
		strbuf_add(&text, (const char *)v->value.bytes, v->value.n_bytes);
	if (v->value.tag != VALUE_INT) {
		strbuf_addf(&k->term, "args.%.*s == ", (int)v->n_name, v->name);
		filter_quote(&k->term, strbuf_str(&text), text.n);
	}
	strbuf_fini(&text);
}

static bool is_comparable(enum value_tag tag)
{
	return tag == VALUE_STR || tag == VALUE_BYTES || tag == VALUE_INT || tag == VALUE_TUPLE ||
	       tag == VALUE_LIST;
}

/* Write a filter for all arguments that the event's gist contains: they make its text. */
static void term_of_gist(struct kind_text *k, const struct catalog_event *e)
{
	struct arguments a;
	struct argument v;
	arguments_init_value(&a, k->s->trace, k->name, k->s->python_minor, k->id);
	for (unsigned at = 0; arguments_next(&a, &v); at++) {
		for (uint8_t i = 0; e && i < e->n_gist; i++)
			if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].arg == at &&
			    is_comparable(v.value.tag) &&
			    !gist_is_empty(&v.value, e->gist_parts[i].reading)) {
				term_of_argument(k, &v, a.it, e->gist_parts[i].reading);
				break;
			}
		arguments_skip(&a, &v);
	}
}

/* Write hosts and commands as diff and stat do; for all other events the text stays empty. */
static void reach_kind_text(struct kind_text *k, enum reach_kind kind)
{
	struct trace *t = k->s->trace;
	struct event e = { .name = k->name, .args = k->id };
	while (e.process + 1 < trace_n_processes(t) &&
	       arguments_minor(t, e.process) != k->s->python_minor)
		e.process++;
	if (reach_read(t, &e, &k->text) != kind) {
		strbuf_clear(&k->text);
		return;
	}
	term_of_gist(k, view_name(k->s, k->name)->event);
	k->role = view_name(k->s, k->name)->role;
}

/* Write what one event is about, whatever its kind. */
static void by_what(struct kind_text *k)
{
	struct trace *t = k->s->trace;
	struct event e = { .name = k->name, .args = k->id };
	size_t n;
	const char *name = trace_name(t, k->name, &n);
	while (e.process + 1 < trace_n_processes(t) &&
	       arguments_minor(t, e.process) != k->s->python_minor)
		e.process++;
	reach_read(t, &e, &k->text);
	strbuf_addf(&k->term, "event == ");
	filter_quote(&k->term, name, n);
	if (k->id)
		term_of_gist(k, view_name(k->s, k->name)->event);
	k->role = view_name(k->s, k->name)->role;
}

/* Leave the text empty if there is no such argument. */
static void argument_kind(struct kind_text *k, unsigned reading)
{
	struct view *s = k->s;
	int arg = arg_with(view_name(s, k->name)->event, reading);
	struct arguments a;
	struct argument v;
	arguments_init_value(&a, s->trace, k->name, s->python_minor, k->id);
	for (int i = 0; i < arg && arguments_next(&a, &v); i++)
		arguments_skip(&a, &v);
	if (arg < 0 || !arguments_next(&a, &v) || gist_is_empty(&v.value, reading))
		return;
	struct value_iter it = a.it;
	gist_add_value(&k->text, &it, &v.value, reading);
	if (v.value.tag == VALUE_STR)
		term_of_argument(k, &v, a.it, reading);
	k->role = view_name(s, k->name)->role;
}

static void by_host(struct kind_text *k)
{
	reach_kind_text(k, REACH_HOST);
}

static void by_path(struct kind_text *k)
{
	argument_kind(k, READING_PATH);
}

static void by_module(struct kind_text *k)
{
	reach_kind_text(k, REACH_MODULE);
	if (!k->text.n)
		return;
	strbuf_clear(&k->term);
	strbuf_addf(&k->term, "import.module == ");
	filter_quote(&k->term, strbuf_str(&k->text), k->text.n);
}

static void by_command(struct kind_text *k)
{
	reach_kind_text(k, REACH_COMMAND);
}

/* reading: only events with such an argument count (READING_KIND_COUNT: all events do). reach: for
 * hosts and commands, only events that reach for one count. */
static const struct grouping {
	const char *name;
	enum group_column column;
	unsigned reading;
	void (*make)(struct kind_text *k);
	enum reach_kind reach;
} groupings[] = {
	{ "event", GROUP_NAME, READING_KIND_COUNT, by_event, REACH_KIND_COUNT },
	{ "caller", GROUP_STACK, READING_KIND_COUNT, by_caller, REACH_KIND_COUNT },
	{ "file", GROUP_ARGS, READING_PATH, by_path, REACH_KIND_COUNT },
	{ "host", GROUP_ARGS, READING_HOSTPORT, by_host, REACH_HOST },
	{ "command", GROUP_ARGS, READING_ARGV, by_command, REACH_COMMAND },
	{ "module", GROUP_ARGS, READING_VALUE, by_module, REACH_MODULE },
	{ "thread", GROUP_THREAD, READING_KIND_COUNT, by_thread, REACH_KIND_COUNT },
	{ "process", GROUP_THREAD, READING_KIND_COUNT, by_process, REACH_KIND_COUNT },
	{ "theme", GROUP_NAME, READING_KIND_COUNT, by_theme, REACH_KIND_COUNT },
	{ "category", GROUP_NAME, READING_KIND_COUNT, by_category, REACH_KIND_COUNT },
	{ "source", GROUP_STACK, READING_KIND_COUNT, by_source, REACH_KIND_COUNT },
	{ "what", GROUP_ARGS, READING_KIND_COUNT, by_what, REACH_KIND_COUNT },
	{ "machine", GROUP_THREAD, READING_KIND_COUNT, by_machine, REACH_KIND_COUNT },
	{ "package", GROUP_STACK, READING_KIND_COUNT, by_package, REACH_KIND_COUNT },
};

/* ---- counting ---- */

static bool wants_name(void *ctx, uint32_t name)
{
	const struct summary *m = ctx;
	const struct grouping *g = &groupings[m->field];
	size_t n;
	const char *event = trace_name(m->pane.host->view->trace, name, &n);
	if (g->reach != REACH_KIND_COUNT)
		return reach_kind_of(event, n) == g->reach;
	return arg_with(view_name(m->pane.host->view, name)->event, groupings[m->field].reading) >=
	       0;
}

static uint32_t tally_key(void *ctx, uint32_t id, uint32_t name)
{
	struct summary *m = ctx;
	struct view *s = m->pane.host->view;
	const struct grouping *g = &groupings[m->field];
	struct kind_text k = { .s = s, .id = id, .name = name, .role = ROLE_TEXT };
	uint32_t frame = 0, key = TALLY_LEAVE_OUT;
	if (g->column == GROUP_STACK && g->make != by_package &&
	    id) { /* many stacks have the same caller */
		frame = trace_caller(s->trace, id);
		if (frame && frame < m->key_of_frame.n && m->key_of_frame.v[frame])
			return m->key_of_frame.v[frame] - 1;
	}
	g->make(&k);
	if (k.text.n || g->column != GROUP_ARGS)
		key = key_of(m, &k);
	if (frame && key != TALLY_LEAVE_OUT) {
		size_t n = m->key_of_frame.n;
		if (frame >= n && vec_reserve(&m->key_of_frame, frame + 1 - n)) {
			memset(m->key_of_frame.v + n, 0,
			       (frame + 1 - n) * sizeof(m->key_of_frame.v[0]));
			m->key_of_frame.n = frame + 1;
		}
		if (frame < m->key_of_frame.n)
			m->key_of_frame.v[frame] = key + 1;
	}
	strbuf_fini(&k.text);
	strbuf_fini(&k.term);
	return key;
}

static void clear(struct summary *m)
{
	for (size_t i = 0; i < m->kinds.n; i++) {
		free(m->kinds.v[i].text);
		free(m->kinds.v[i].term);
	}
	m->kinds.n = m->order.n = m->key_of_frame.n = 0;
	hash_map_fini(&m->key_of_text);
	m->total = m->max = 0;
	m->sorted_rows = 0;
	sorter_fini(&m->sorter);
	tally_destroy(m->tally);
	m->tally = NULL;
}

static const struct kind *current(const struct pane *p)
{
	const struct summary *m = (const struct summary *)p;
	return p->list.cursor < m->order.n ? &m->kinds.v[m->order.v[p->list.cursor]] : NULL;
}

/* Count from the start. Afterwards the cursor returns to its kind. */
static void restart(struct summary *m)
{
	struct view *s = m->pane.host->view;
	const struct kind *k = current(&m->pane);
	if (k) {
		free(m->wanted);
		m->wanted = strdup(k->text);
	}
	clear(m);
	m->stale = m->was_whole = false;
	m->generation = s->filter_generation;
	m->n_bins = m->pane.n_columns < 100 ? 19 : 30;
	const struct grouping *g = &groupings[m->field];
	uint64_t span = trace_about_get(s->trace)->last_ns + 1;
	if (view_is_live(s)) { /* a round number, because it is going to be doubled */
		uint64_t round = 2000000000u;
		while (round < span)
			round *= 2;
		span = round;
	}
	struct tally_spec spec = { .column = g->column,
				   .key = tally_key,
				   .by_name = g->column == GROUP_ARGS,
				   .wants = g->reading == READING_KIND_COUNT ? NULL : wants_name,
				   .ctx = m,
				   .n_bins = m->n_bins,
				   .span_ns = span };
	struct err *err = tally_create(s->trace, &spec, &m->tally);
	if (err)
		host_flash_err(m->pane.host, err);
}

/* ---- sorting ---- */

static int compare(void *ctx, uint32_t a, uint32_t b)
{
	const struct summary *m = ctx;
	struct tally_entry x = tally_get(m->tally, a), y = tally_get(m->tally, b);
	if (m->sort == SORT_COUNT && x.count != y.count)
		return x.count > y.count ? -1 : 1;
	if (m->sort == SORT_FIRST && x.first != y.first)
		return x.first < y.first ? -1 : 1;
	return strcmp(m->kinds.v[a].text, m->kinds.v[b].text);
}

/* Threads and processes get their names late: make the texts again. */
static void rename_kinds(struct summary *m)
{
	const struct grouping *g = &groupings[m->field];
	for (size_t i = 0; g->column == GROUP_THREAD && i < m->kinds.n; i++) {
		struct kind_text k = { .s = m->pane.host->view, .id = m->kinds.v[i].id };
		g->make(&k);
		char *text = k.text.failed ? NULL : strdup(strbuf_str(&k.text));
		if (text) {
			free(m->kinds.v[i].text);
			m->kinds.v[i].text = text;
		}
		strbuf_fini(&k.text);
		strbuf_fini(&k.term);
	}
	if (g->column == GROUP_THREAD && !texts_index(m))
		m->stale = true;
}

static void sort_begin(struct summary *m)
{
	sorter_fini(&m->sorter);
	if (!m->tally)
		return;
	rename_kinds(m);
	m->sorted_rows = tally_n_rows(m->tally);
	m->sorted_at_ns = m->pane.host->now_ns;
	m->sort_ns = 0;
	uint32_t n = tally_n_keys(m->tally) < m->kinds.n ? tally_n_keys(m->tally)
							 : (uint32_t)m->kinds.n;
	for (uint32_t key = 0; key < n; key++)
		if (tally_get(m->tally, key).count && !sorter_add(&m->sorter, key))
			return;
	sorter_begin(&m->sorter, compare, m);
}

/* The sort has finished: use its order, and keep the cursor where it was. */
static void sort_end(struct summary *m)
{
	const struct kind *k = current(&m->pane);
	const char *text = m->wanted ? m->wanted : k ? k->text : NULL;
	/* a user who waits on the first line wants the new first line */
	if (m->keep_line || (!m->wanted && !m->was_whole && !m->pane.list.cursor))
		text = NULL;
	m->keep_line = false;
	m->order.n = 0;
	m->total = m->max = 0;
	uint32_t n = 0;
	const uint32_t *keys = sorter_get(&m->sorter, &n);
	if (!vec_reserve(&m->order, n))
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t count = tally_get(m->tally, keys[i]).count;
		m->order.v[i] = keys[i];
		m->total += count;
		m->max = count > m->max ? count : m->max;
	}
	m->order.n = n;
	sorter_fini(&m->sorter);
	list_set(&m->pane.list, n, m->pane.n_lines - 1);
	for (size_t i = 0; text && i < n; i++)
		if (!strcmp(m->kinds.v[m->order.v[i]].text, text)) {
			list_go(&m->pane.list, i);
			free(m->wanted);
			m->wanted = NULL;
			break;
		}
	m->was_whole |= m->sorted_rows == m->pane.host->view->n_events;
	host_redraw(m->pane.host);
}

/* Count, and sort what is counted. Returns true if there is more to do. */
static bool go_on(struct summary *m, uint64_t budget_ns)
{
	const struct pane_host *host = m->pane.host;
	struct view *s = host->view;
	if (!m->tally || m->stale || m->generation != s->filter_generation)
		restart(m);
	if (!m->tally)
		return false;
	if (sorter_is_on(&m->sorter)) {
		uint64_t spent = 0;
		if (!sorter_step(&m->sorter, budget_ns, &spent)) {
			m->sort_ns += spent;
			return true;
		}
		m->sort_ns += spent;
		sort_end(m);
	} else if (tally_n_rows(m->tally) < view_n_decided(s)) {
		struct err *err = tally_step(m->tally, s->run ? s->shown : NULL, view_n_decided(s),
					     budget_ns);
		if (err) {
			host_flash_err(host, err);
			return false;
		}
	}
	uint64_t rows = tally_n_rows(m->tally), since = host->now_ns - m->sorted_at_ns;
	bool all = rows == s->n_events, was_all = m->sorted_rows == s->n_events;
	/* show the complete order at once; before that, and when events arrive, only every
	 * `pause` */
	uint64_t pause = view_is_live(s) && m->order.n ? 1000000000u : 150000000u;
	if (rows != m->sorted_rows &&
	    ((all && !was_all && !view_is_live(s)) || !m->order.n ||
	     since >= (pause > 4 * m->sort_ns ? pause : 4 * m->sort_ns))) {
		sort_begin(m);
		if (sorter_is_on(&m->sorter) && m->kinds.n < 2000) { /* this takes almost no time */
			uint64_t spent;
			if (sorter_step(&m->sorter, UINT64_MAX, &spent))
				sort_end(m);
		}
	}
	return sorter_is_on(&m->sorter) || tally_n_rows(m->tally) < view_n_decided(s);
}

static struct err *open_summary(const struct pane_host *host, struct pane **ret)
{
	struct summary *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->stale = true;
	*ret = &m->pane;
	return NULL;
}

static void close_summary(struct pane *p)
{
	struct summary *m = (struct summary *)p;
	clear(m);
	vec_fini(&m->kinds);
	vec_fini(&m->order);
	vec_fini(&m->key_of_frame);
	free(m->wanted);
	free(m);
}

static bool work_summary(struct pane *p, uint64_t budget_ns)
{
	return go_on((struct summary *)p, budget_ns);
}

static void update_summary(struct pane *p, unsigned changes)
{
	struct summary *m = (struct summary *)p;
	unsigned n_bins = p->n_columns < 100 ? 19 : 30;
	if (m->tally && m->n_bins != n_bins)
		m->stale = true;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE)) /* most captures are counted in that time */
		go_on(m, 3000000);
	list_set(&p->list, m->order.n, p->n_lines - 1);
}

const char *pane_summary_field_at(size_t i)
{
	return i < ARRAY_LEN(groupings) ? groupings[i].name : NULL;
}

void pane_summary_by(struct pane *p, const char *field)
{
	struct summary *m = (struct summary *)p;
	const struct ready_summary *ready = ready_summary_find(field);
	if (ready && !host_set_filter(p->host, ready->filter, true))
		return;
	const char *by = ready ? ready->by : field;
	by = strcmp(by, "peer") ? by : "host"; /* `stat` has two words for it */
	for (size_t i = 0; i < ARRAY_LEN(groupings); i++)
		if (!strcmp(groupings[i].name, by)) {
			m->field = i;
			m->stale = true;
			go_on(m, 3000000);
			return;
		}
	struct strbuf b = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(groupings); i++)
		strbuf_addf(&b, " %s", groupings[i].name);
	host_flash(p->host, "cannot group by %s; known are%s", field, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_summary(const struct pane *p, struct area a)
{
	const struct summary *m = (const struct summary *)p;
	struct view *s = p->host->view;
	/* the rest is for the name and the first caller */
	int w = a.n_columns, rest = w - 27 - (int)m->n_bins;
	int first_w = rest - 23 < 30 ? rest - 23 : 30;
	if (w >= 100 && first_w < 22)
		first_w = 22;
	if (rest - first_w > 60)
		first_w = rest - 60;
	int name_w = rest - first_w, count_x = 2 + name_w, pct_x = count_x + 10, bar_x = pct_x + 4;
	int spark_x = bar_x + 10, first_x = spark_x + (int)m->n_bins + 1;
	struct strbuf b = { 0 };
	area_put(a, 0, 2, name_w, m->sort == SORT_NAME ? ROLE_FOCUS : ROLE_DIM,
		 groupings[m->field].name);
	area_put_right(a, 0, count_x, 10, m->sort == SORT_COUNT ? ROLE_FOCUS : ROLE_DIM,
		       m->sort == SORT_COUNT ? "events▾" : "events ");
	area_put_right(a, 0, pct_x, 3, ROLE_DIM, "%");
	strbuf_adds(&b, "when 0 … ");
	text_duration(&b, view_is_live(s) && m->tally ? tally_span_ns(m->tally)
						      : trace_about_get(s->trace)->last_ns);
	area_put_cut(a, 0, spark_x, (int)m->n_bins, ROLE_DIM, strbuf_str(&b));
	area_put(a, 0, first_x, -1, m->sort == SORT_FIRST ? ROLE_FOCUS : ROLE_DIM, "first by");
	bool focus = pane_has_focus(p);
	if (!m->order.n)
		area_put(a, 2, 2, -1, ROLE_TEXT,
			 m->tally && tally_n_rows(m->tally) < s->n_events
			     ? "counting"
			     : "no shown event has one; b groups by something else");
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < m->order.n; y++) {
		uint32_t key = m->order.v[p->list.top + (uint64_t)y];
		const struct kind *r = &m->kinds.v[key];
		struct tally_entry n = tally_get(m->tally, key);
		bool is_cursor = p->list.top + (uint64_t)y == p->list.cursor;
		enum role ink = is_cursor ? r->role : ROLE_DIM;
		strbuf_clear(&b);
		text_cut(&b, r->text, strlen(r->text), name_w, true);
		area_put(a, y + 1, 2, name_w, r->role, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, n.count, 9);
		area_put_right(a, y + 1, count_x, 9, ROLE_TEXT, strbuf_str(&b));
		double share = m->total ? (double)n.count / (double)m->total : 0;
		char pct[16];
		snprintf(pct, sizeof(pct), share < 0.005 ? "·" : "%.0f", share * 100);
		area_put_right(a, y + 1, pct_x, 3, ROLE_DIM, pct);
		strbuf_clear(&b);
		text_bar(&b, m->max ? (double)n.count / (double)m->max : 0, 9);
		area_put(a, y + 1, bar_x, 9, ink, strbuf_str(&b));
		uint32_t max = 0;
		for (unsigned i = 0; i < m->n_bins; i++)
			if (n.bins[i] > max)
				max = n.bins[i];
		strbuf_clear(&b);
		text_spark(&b, n.bins, m->n_bins, max);
		area_put(a, y + 1, spark_x, (int)m->n_bins, ink, strbuf_str(&b));
		struct event e;
		if (trace_event(s->trace, n.first, &e)) {
			strbuf_clear(&b);
			event_text_caller(&b, s, &e, w >= 100);
			area_put_cut(a, y + 1, first_x, -1, ROLE_DIM, strbuf_str(&b));
		}
		search_mark(p->host->search, a, y + 1);
		if (is_cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	strbuf_fini(&b);
}

static bool act_summary(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct summary *m = (struct summary *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_GROUP_BY:
		if (text) {
			pane_summary_by(p, text);
		} else {
			m->field = (m->field + 1) % ARRAY_LEN(groupings);
			m->order.n = 0;
			m->pane.list.cursor = 0;
			m->stale = true;
			go_on(m, 3000000);
		}
		return true;
	case ACTION_SORT:
		m->sort = (enum sort_by)((m->sort + 1) % SORT_KINDS);
		m->keep_line = true;
		sort_begin(m);
		go_on(m, 3000000);
		return true;
	case ACTION_OPEN: {
		const struct kind *r = current(p);
		if (!r)
			return true;
		uint64_t first = tally_get(m->tally, m->order.v[p->list.cursor]).first;
		if (r->term) {
			char *term = strdup(r->term);
			host_close_pages(p->host, ALL_PAGES);
			if (term)
				host_narrow(p->host, term, false);
			free(term);
		} else if (first != UINT64_MAX) {
			host_close_pages(p->host, ALL_PAGES);
			host_goto(p->host, first);
		}
		return true;
	}
	case ACTION_SUMMARY:
		if (text)
			pane_summary_by(p, text);
		else
			host_close_pages(p->host, PAGE_ON_TOP);
		return true;
	default: return false;
	}
}

static void title_summary(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct summary *m = (const struct summary *)p;
	strbuf_adds(subject, p->host->view->filter_text);
	if (m->tally && m->sorted_rows < p->host->view->n_events && !view_is_live(p->host->view))
		strbuf_addf(facts, "counting %.0f %% · ",
			    (double)tally_n_rows(m->tally) * 100 / (double)p->host->view->n_events);
	strbuf_addf(facts, "by %s · ", groupings[m->field].name);
	strbuf_add_number_of(facts, m->total, "event");
	strbuf_adds(facts, " · ");
	strbuf_add_number_of(facts, m->order.n, "kind");
}

static bool term_summary(const struct pane *p, struct strbuf *to)
{
	const struct kind *r = current(p);
	if (!r || !r->term)
		return false;
	strbuf_adds(to, r->term);
	return true;
}

static void line_summary(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct summary *m = (const struct summary *)p;
	if (entry < m->order.n)
		strbuf_addf(to, "%s %llu", m->kinds.v[m->order.v[entry]].text,
			    (unsigned long long)tally_get(m->tally, m->order.v[entry]).count);
}

const struct pane_ops pane_summary_ops = {
	.open = open_summary,
	.close = close_summary,
	.update = update_summary,
	.draw = draw_summary,
	.act = act_summary,
	.title = title_summary,
	.term = term_summary,
	.line = line_summary,
	.work = work_summary,
};
