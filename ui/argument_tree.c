/*
 * argument_tree: see argument_tree.h.
 */
#include "ui/argument_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/environment.h"
#include "model/filter.h"
#include "model/gathered_filter.h"
#include "model/gist.h"
#include "model/looks.h"
#include "model/selection.h"
#include "model/trace_task.h"
#include "model/value_text.h"
#include "ui/event_text.h"
#include "ui/text.h"
#include "ui/view.h"

enum { LINES_MAX = 4000, CHILDREN_SHOWN = 200 };

void argument_tree_clear(struct argument_tree *t)
{
	for (size_t i = 0; i < t->lines.n; i++) {
		free(t->lines.v[i].name);
		free(t->lines.v[i].type);
		free(t->lines.v[i].value);
		free(t->lines.v[i].term);
		free(t->lines.v[i].raw);
	}
	t->lines.n = 0;
}

void argument_tree_fini(struct argument_tree *t)
{
	argument_tree_clear(t);
	vec_fini(&t->lines);
	vec_fini(&t->flipped);
}

bool argument_tree_flip(struct argument_tree *t, uint32_t key)
{
	for (size_t i = 0; i < t->flipped.n; i++)
		if (t->flipped.v[i] == key) {
			t->flipped.v[i] = t->flipped.v[--t->flipped.n];
			return true;
		}
	return vec_push(&t->flipped, key);
}

static bool is_flipped(const struct argument_tree *t, uint32_t key)
{
	for (size_t i = 0; i < t->flipped.n; i++)
		if (t->flipped.v[i] == key)
			return true;
	return false;
}

struct argument_line *argument_tree_add(struct argument_tree *t, struct argument_line line)
{
	if (t->lines.n >= LINES_MAX || !vec_push(&t->lines, line)) {
		free(line.name);
		free(line.type);
		free(line.value);
		free(line.term);
		free(line.raw);
		return NULL;
	}
	return &t->lines.v[t->lines.n - 1];
}

static char *take(struct strbuf *b)
{
	char *s = b->n ? strbuf_take(b) : strdup("");
	*b = (struct strbuf){ 0 };
	return s;
}

static bool is_container(enum value_tag tag)
{
	return tag >= VALUE_TUPLE && tag <= VALUE_DICT;
}

static void type_text(struct strbuf *to, const struct value_node *v)
{
	size_t n;
	const char *type = value_type_name(v, &n);
	utf8_escape(to, type, n, 0);
	if (is_container(v->tag))
		strbuf_addf(to, " (%llu)", (unsigned long long)v->full);
	else if (value_is_bytes(v->tag)) {
		strbuf_addc(to, ' ');
		strbuf_add_count(to, v->full);
	}
}

/* The filter term for one value: args.NAME == literal. Only values that the language can compare.
 */
static char *term_of(const char *path, const struct value_node *v)
{
	struct strbuf b = { 0 };
	if (v->tag == VALUE_INT)
		strbuf_addf(&b, "%s == %lld", path, (long long)v->i);
	else if (value_is_text(v->tag) && v->n_bytes < 2000) {
		strbuf_addf(&b, v->tag == VALUE_STR_CUT ? "%s contains " : "%s == ", path);
		filter_quote(&b, (const char *)v->bytes, v->n_bytes);
	} else if (v->tag == VALUE_NONE || v->tag == VALUE_TRUE || v->tag == VALUE_FALSE) {
		strbuf_addf(&b, "%s == \"%s\"", path,
			    v->tag == VALUE_NONE   ? "None"
			    : v->tag == VALUE_TRUE ? "True"
						   : "False");
	} else if (v->tag == VALUE_OBJECT && v->address) {
		strbuf_addf(&b, "%s.id == 0x%llx", path, (unsigned long long)v->address);
	} else {
		return NULL;
	}
	return strbuf_take(&b);
}

/* Append the name of a port: ("db", 5432) → db:5432 (postgresql). `it` is after the tuple's
 * node. */
static void add_port_name(struct strbuf *to, struct value_iter it, const struct value_node *v)
{
	struct value_node host, port;
	if (v->tag != VALUE_TUPLE || v->n_children < 2 || !value_iter_next(&it, &host) ||
	    !value_is_text(host.tag))
		return;
	value_iter_skip(&it, &host);
	const char *name = value_iter_next(&it, &port) && port.tag == VALUE_INT ? looks_port(port.i)
										: NULL;
	if (name)
		strbuf_addf(to, "   (%s)", name);
}

/* Append the names of numbers that describe an object: the family and the type of a socket. */
static void add_attr_word(struct argument_tree *t, size_t line, const struct value_node *v)
{
	unsigned reading = !v->attr || v->tag != VALUE_INT                         ? READING_VALUE
			   : v->n_attr_bytes == 6 && !memcmp(v->attr, "family", 6) ? READING_FAMILY
			   : v->n_attr_bytes == 4 && !memcmp(v->attr, "type", 4) ? READING_SOCKTYPE
										 : READING_VALUE;
	if (reading == READING_VALUE || line >= t->lines.n)
		return;
	struct strbuf b = { 0 };
	struct value_iter none = { 0 };
	strbuf_addf(&b, "%s  ", t->lines.v[line].value);
	gist_add_value(&b, &none, v, reading);
	free(t->lines.v[line].value);
	t->lines.v[line].value = take(&b);
}

/* Add what a descriptor was when the recorder looked, below its value: it may have been another one
 * when the event was raised. */
static void add_was(struct argument_tree *t, const struct argument *arg)
{
	struct strbuf b = { 0 };
	struct argument_line line = {
		.indent = 2, .is_info = true, .go = SELECTION_NONE, .name = strdup("was")
	};
	utf8_escape(&b, arg->was, arg->n_was, 0);
	strbuf_adds(&b, tr("   (looked up after the event)"));
	line.value = take(&b);
	argument_tree_add(t, line);
}

/* Add the asyncio task of the event, and which tasks wait for it. */
static void add_task(struct argument_tree *t, const struct event *e)
{
	struct trace_task task;
	struct strbuf b = { 0 };
	struct argument_line line = { .is_info = true, .go = SELECTION_NONE };
	if (!trace_task(t->view->trace, e->task, &task))
		return;
	line.name = strdup("task");
	utf8_escape(&b, task.name, task.n_name, 0);
	if (task.n_awaited || task.n_more) {
		strbuf_adds(&b, tr(" · awaited by "));
		trace_task_add_awaited(&b, &task, TASKS_SHOWN);
	}
	line.value = take(&b);
	strbuf_adds(&b, "task == ");
	filter_quote(&b, task.name, task.n_name);
	line.term = take(&b);
	argument_tree_add(t, line);
}

static void add_node(struct argument_tree *t, struct value_iter *it, const struct value_node *v,
		     const char *name, const char *path, unsigned indent, uint32_t key,
		     bool open_at_first);

enum { LEFT_OUT_SHOWN = 4 };
/* Nodes that are no values: the environment, and in it the group of variables that were left out
 * and the group of those that are unchanged. */
enum { KEY_ENV = 0x656e7600, KEY_ENV_LEFT_OUT, KEY_ENV_SAME, KEY_ENV_VARIABLE };

bool argument_line_is_fold(const struct argument_line *l)
{
	return l->key == KEY_ENV_SAME || l->key == KEY_ENV_LEFT_OUT;
}

/* The line of the environment itself: how many of its variables are new, changed and so on. */
static void add_environment_head(struct argument_tree *t, const struct environment_diff *d,
				 const struct value_node *v, const char *name)
{
	static const char *const words[] = { [ENVIRONMENT_NEW] = N_("new"),
					     [ENVIRONMENT_CHANGED] = N_("changed"),
					     [ENVIRONMENT_MISSING] = N_("left out") };
	struct strbuf b = { 0 };
	strbuf_addf(&b, tr("%zu as in this process"), d->counts[ENVIRONMENT_SAME]);
	for (int i = 0; i < ENVIRONMENT_SAME; i++)
		if (d->counts[i])
			strbuf_addf(&b, ", %zu %s", d->counts[i], tr(words[i]));
	struct argument_line head = { .is_value = true,
				      .is_container = true,
				      .is_open = !is_flipped(t, KEY_ENV),
				      .go = SELECTION_NONE,
				      .is_summary = true,
				      .key = KEY_ENV,
				      .name = strdup(name),
				      .value = take(&b),
				      .is_cut = value_is_cut(v) };
	type_text(&b, v);
	head.type = take(&b);
	argument_tree_add(t, head);
}

/* The line that folds the variables of one kind. */
static void add_environment_fold(struct argument_tree *t, enum environment_change kind, size_t n,
				 uint32_t key)
{
	struct strbuf b = { 0 };
	strbuf_addf(
	    &b, kind == ENVIRONMENT_SAME ? tr("… %zu as in this process") : tr("… %zu left out"),
	    n);
	struct argument_line fold = { .indent = 1,
				      .is_value = true,
				      .is_container = true,
				      .is_open = is_flipped(t, key),
				      .is_dim = true,
				      .go = SELECTION_NONE,
				      .key = key,
				      .name = take(&b) };
	fold.value = strdup("");
	fold.type = strdup("");
	argument_tree_add(t, fold);
}

/* Add the environment of a child: what differs from this process's own, with the rest folded.
 * Returns false if it cannot be compared. `it` is after the dictionary's node and is left there. */
static bool add_environment(struct argument_tree *t, struct value_iter *it,
			    const struct value_node *v, const struct event *e, const char *name,
			    const char *path)
{
	struct environment_diff d;
	bool known;
	struct err *err = environment_diff(t->view->trace, e, it, v, &d, &known);
	if (err || !known) {
		err_destroy(err);
		return false;
	}
	static const char *const signs[] = {
		[ENVIRONMENT_NEW] = "+", [ENVIRONMENT_CHANGED] = "~", [ENVIRONMENT_MISSING] = "−"
	};
	struct strbuf b = { 0 };
	bool open = !is_flipped(t, KEY_ENV);
	add_environment_head(t, &d, v, name);
	/* each iterator is in front of its value */
	struct value_iter *pairs = calloc(v->n_children / 2 + 1, sizeof(*pairs)), walk = *it;
	struct value_node node;
	uint32_t n_pairs = 0;
	while (pairs && open && n_pairs < v->n_children / 2 && value_iter_next(&walk, &node)) {
		value_iter_skip(&walk, &node);
		pairs[n_pairs++] = walk;
		if (!value_iter_next(&walk, &node))
			break;
		value_iter_skip(&walk, &node);
	}
	/* the last kind that got a fold line */
	enum environment_change folded = ENVIRONMENT_CHANGE_COUNT;
	for (size_t i = 0; open && i < d.rows.n; i++) {
		const struct environment_row *r = &d.rows.v[i];
		bool folds = r->change == ENVIRONMENT_SAME ||
			     (r->change == ENVIRONMENT_MISSING &&
			      d.counts[r->change] > LEFT_OUT_SHOWN);
		uint32_t fold_key = r->change == ENVIRONMENT_SAME ? KEY_ENV_SAME : KEY_ENV_LEFT_OUT;
		if (folds && folded != r->change) {
			folded = r->change;
			add_environment_fold(t, r->change, d.counts[r->change], fold_key);
		}
		if (folds && !is_flipped(t, fold_key))
			continue;
		size_t line = t->lines.n;
		if (r->change == ENVIRONMENT_MISSING) {
			struct argument_line gone = { .indent = folds ? 2 : 1,
						      .is_value = true,
						      .is_dim = true,
						      .go = SELECTION_NONE };
			utf8_escape(&b, r->name, r->n_name, 0);
			gone.name = take(&b);
			gone.type = strdup("");
			gone.value = strdup(r->own);
			argument_tree_add(t, gone);
		} else if (r->pair < n_pairs && value_iter_next(&pairs[r->pair], &node)) {
			char child_path[400];
			snprintf(child_path, sizeof(child_path), "%s.%s", path, r->name);
			add_node(t, &pairs[r->pair], &node, r->name, child_path, folds ? 2 : 1,
				 KEY_ENV_VARIABLE + r->pair, false);
		}
		if (line >= t->lines.n)
			continue;
		t->lines.v[line].sign = r->change == ENVIRONMENT_SAME ? NULL : signs[r->change];
		if (r->change == ENVIRONMENT_CHANGED) {
			strbuf_addf(&b, tr("%s   here %s"), t->lines.v[line].value, r->own);
			free(t->lines.v[line].value);
			t->lines.v[line].value = take(&b);
		}
	}
	free(pairs);
	environment_diff_fini(&d);
	strbuf_fini(&b);
	return true;
}

/* Add what can be guessed of a value, and how to keep more of a value that was cut. */
static void add_guesses(struct argument_tree *t, const struct event *e, const struct value_node *v,
			const struct catalog_event *known, uint32_t index)
{
	struct view *s = t->view;
	struct strbuf b = { 0 };
	if (looks_like(&b, v, view_minor_of(s, e->process))) {
		struct argument_line line = { .indent = 2,
					      .is_info = true,
					      .go = SELECTION_NONE,
					      .name = strdup("looks like"),
					      .value = take(&b) };
		argument_tree_add(t, line);
	}
	uint64_t from = index == 0 ? looks_opened(s->trace, e) : SELECTION_NONE;
	struct event opened;
	if (from != SELECTION_NONE && trace_event(s->trace, from, &opened)) {
		event_text_gist(&b, s, &opened, t->n_columns > 60 ? t->n_columns - 40 : 20);
		strbuf_adds(&b, tr(", opened "));
		text_span(&b, e->time_ns > opened.time_ns ? e->time_ns - opened.time_ns : 0,
			  trace_is_ticked(s->trace, e->process));
		strbuf_adds(&b, tr(" before"));
		struct argument_line line = { .indent = 2,
					      .is_info = true,
					      .go = from,
					      .name = strdup("likely"),
					      .value = take(&b) };
		argument_tree_add(t, line);
	}
	if (value_is_cut(v) && (value_is_text(v->tag) || value_is_bytes(v->tag))) {
		size_t n_args;
		const struct catalog_arg *args = known ? catalog_args(known,
								      view_minor_of(s, e->process),
								      &n_args)
						       : NULL;
		bool bulk = args && index < n_args && args[index].flags & ARG_BULK;
		uint64_t k = 1;
		while (k < 1024 && k << 10 < v->full)
			k *= 2;
		strbuf_addf(&b, tr("next time with %s %lluk"), bulk ? "--bulk-bytes" : "-s",
			    (unsigned long long)k);
		struct argument_line line = { .indent = 2,
					      .is_info = true,
					      .go = SELECTION_NONE,
					      .name = strdup("keep more"),
					      .value = take(&b) };
		argument_tree_add(t, line);
	}
	strbuf_fini(&b);
}

static bool is_redacted(const struct value_node *v)
{
	return v->tag == VALUE_OBJECT && v->n_bytes == 8 && !memcmp(v->bytes, "redacted", 8);
}

/* Append a node's value on one line; `it` is after the node. */
static void node_text(struct strbuf *to, struct value_iter it, const struct value_node *v)
{
	struct value_iter copy = it;
	if (is_container(v->tag)) {
		gist_add_value(to, &copy, v,
			       v->tag == VALUE_TUPLE ? READING_HOSTPORT : READING_ARGV);
		add_port_name(to, it, v);
	} else if (v->tag == VALUE_OBJECT && !is_redacted(v)) {
		if (v->address)
			strbuf_addf(to, "0x%llx", (unsigned long long)v->address);
	} else if (value_is_cut(v) && (value_is_text(v->tag) || value_is_bytes(v->tag))) {
		strbuf_add_count(to, v->n_bytes);
		strbuf_addf(to, tr(" kept, %.*f %%  "), v->n_bytes * 100 < v->full ? 1 : 0,
			    v->full ? 100.0 * (double)v->n_bytes / (double)v->full : 0.0);
		struct value_node head =
		    *v; /* what was kept of the value; the line has said already that it is cut */
		head.tag = value_is_text(v->tag) ? VALUE_STR : VALUE_BYTES;
		value_text_literal(to, &copy, &head, 4000);
	} else {
		value_text_literal(to, &copy, v, 4000);
	}
}

/* Keep the bytes of a str or bytes for the page that shows them. */
static void take_raw(struct argument_line *line, const struct value_node *v)
{
	if ((!value_is_text(v->tag) && !value_is_bytes(v->tag)) || !v->n_bytes ||
	    v->n_bytes >= 1 << 20)
		return;
	line->raw = malloc(v->n_bytes);
	if (!line->raw)
		return;
	memcpy(line->raw, v->bytes, v->n_bytes);
	line->n_raw = v->n_bytes;
	line->full = v->tag == VALUE_STR ? v->n_bytes : v->full;
}

/* Add what is below a node; returns false if the value ends before its last child. */
static bool add_children(struct argument_tree *t, struct value_iter *it, const struct value_node *v,
			 const char *path, unsigned indent, uint32_t key)
{
	struct value_node child;
	char key_name[80] = "";
	for (uint32_t i = 0; i < v->n_children; i++) {
		if (!value_iter_next(it, &child))
			return false;
		char child_name[80], child_path[400];
		if (child.attr) {
			snprintf(child_name, sizeof(child_name), "%.*s",
				 (int)(child.n_attr_bytes < 60 ? child.n_attr_bytes : 60),
				 child.attr);
			snprintf(child_path, sizeof(child_path), "%s.%s", path, child_name);
		} else if (v->tag == VALUE_DICT) {
			if (child.is_key) {
				struct strbuf kb = { 0 };
				struct value_iter copy = *it;
				gist_add_value(&kb, &copy, &child, READING_VALUE);
				snprintf(key_name, sizeof(key_name), "%s", strbuf_str(&kb));
				strbuf_fini(&kb);
				value_iter_skip(it, &child);
				continue;
			}
			snprintf(child_name, sizeof(child_name), "%s", key_name);
			snprintf(child_path, sizeof(child_path), "%s.%s", path, key_name);
		} else {
			snprintf(child_name, sizeof(child_name), "[%u]", i);
			snprintf(child_path, sizeof(child_path), "%s[%u]", path, i);
		}
		if (i >= CHILDREN_SHOWN * (v->tag == VALUE_DICT ? 2 : 1)) {
			value_iter_skip(it, &child);
			continue;
		}
		size_t at = t->lines.n;
		add_node(t, it, &child, child_name, child_path, indent + 1, key * 31 + i + 1,
			 false);
		add_attr_word(t, at, &child);
	}
	return true;
}

/* Add a line that says how many children are not shown. */
static void add_rest(struct argument_tree *t, const struct value_node *v, unsigned indent)
{
	struct strbuf b = { 0 };
	uint64_t shown = v->tag == VALUE_DICT ? v->n_children / 2 : v->n_children;
	bool is_long = shown > CHILDREN_SHOWN;
	if ((is_container(v->tag) && v->full > shown) || is_long) {
		struct argument_line more = { .indent = (uint8_t)(indent + 1),
					      .go = SELECTION_NONE,
					      .is_info = true,
					      .is_trouble = !is_long };
		if (is_long)
			strbuf_addf(&b, tr("… %llu more"),
				    (unsigned long long)(shown - CHILDREN_SHOWN));
		else
			strbuf_addf(&b, tr("[cut] %llu of %llu"), (unsigned long long)shown,
				    (unsigned long long)v->full);
		more.value = take(&b);
		argument_tree_add(t, more);
	}
}

/* Add the node just read and, if it is open, what is below it; afterwards `it` is behind all of
 * that. */
static void add_node(struct argument_tree *t, struct value_iter *it, const struct value_node *v,
		     const char *name, const char *path, unsigned indent, uint32_t key,
		     bool open_at_first)
{
	struct strbuf b = { 0 };
	struct argument_line line = { .indent = (uint8_t)(indent < 20 ? indent : 20),
				      .is_value = true,
				      .go = SELECTION_NONE,
				      .key = key };
	line.is_container = v->n_children > 0 && !is_redacted(v);
	line.is_open = line.is_container && (open_at_first != is_flipped(t, key));
	line.is_cut = value_is_cut(v);
	utf8_escape(&b, name, strlen(name), 0);
	line.name = take(&b);
	type_text(&b, v);
	line.type = take(&b);
	node_text(&b, *it, v);
	line.value = take(&b);
	line.term = term_of(path, v);
	take_raw(&line, v);
	bool open = line.is_open;
	if (!argument_tree_add(t, line) || !open || is_redacted(v)) {
		value_iter_skip(it, v);
		return;
	}
	if (add_children(t, it, v, path, indent, key))
		add_rest(t, v, indent);
}

/* What has a field of its own (file, host, port, command) is filtered by that, so that it is found
 * in all events, whatever their arguments are called. The parts of an address have lines of their
 * own while its tuple is open. A URL is more than its host. */
static void gather(struct argument_tree *t, size_t line, const struct event *e, uint32_t arg,
		   const struct value_node *v)
{
	bool is_list = v->tag == VALUE_TUPLE || v->tag == VALUE_LIST;
	bool is_text = value_is_text(v->tag) || value_is_bytes(v->tag);
	bool is_url = is_text && memmem(v->bytes, v->n_bytes, "://", 3);
	const struct {
		enum field_id field;
		bool is_for;
		size_t part; /* 0: the whole value; of an address: the line of its part */
	} rows[] = {
		{ FIELD_FILE, !is_list, 0 },
		{ FIELD_COMMAND, true, 0 },
		{ FIELD_PEER, !is_url, is_list },
		{ FIELD_PORT, !is_url, is_list * 2 },
	};
	struct strbuf whole = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows) && line < t->lines.n; i++) {
		struct strbuf b = { 0 };
		size_t at = line + rows[i].part;
		if (rows[i].is_for &&
		    gathered_filter(t->view->trace, rows[i].field, e->name, e->args, arg, &b)) {
			strbuf_addf(&whole, "%s%s", whole.n ? " and " : "", strbuf_str(&b));
			if (rows[i].part && t->lines.v[line].is_open && at < t->lines.n) {
				free(t->lines.v[at].term);
				t->lines.v[at].term = take(&b);
			}
		}
		strbuf_fini(&b);
	}
	if (whole.n) {
		free(t->lines.v[line].term);
		t->lines.v[line].term = take(&whole);
	}
	strbuf_fini(&whole);
}

uint32_t argument_tree_build(struct argument_tree *t, struct view *view, const struct event *e,
			     int n_columns)
{
	struct arguments all;
	struct argument arg;
	t->view = view;
	t->n_columns = n_columns;
	arguments_init(&all, view->trace, e);
	uint32_t n_args = all.n;
	while (arguments_next(&all, &arg)) {
		char name[80], path[100];
		snprintf(name, sizeof(name), "%.*s", (int)(arg.n_name < 60 ? arg.n_name : 60),
			 arg.name);
		bool digit = name[0] >= '0' && name[0] <= '9';
		snprintf(path, sizeof(path), digit ? "args[%s]" : "args.%s", name);
		bool small = arg.value.n_children <= 12 && arg.value.tag != VALUE_DICT;
		struct value_iter behind = all.it;
		size_t line = t->lines.n;
		struct value_node value = arg.value;
		bool is_env = !strcmp(name, "env") && value.tag == VALUE_DICT && value.n_children;
		if (is_env && add_environment(t, &all.it, &value, e, name, path)) {
			value_iter_skip(&all.it, &value);
			continue;
		}
		add_node(t, &all.it, &value, name, path, 0, arg.index + 1, small || n_args == 1);
		gather(t, line, e, arg.index, &value);
		if (arg.was)
			add_was(t, &arg);
		add_guesses(t, e, &value, all.event, arg.index);
		unsigned reading = arg.value.tag == VALUE_INT
				       ? catalog_arg_reading(all.event, arg.index)
				       : READING_VALUE;
		/* 524288  O_RDONLY|O_CLOEXEC */
		if (reading != READING_VALUE && line < t->lines.n) {
			struct strbuf b = { 0 };
			strbuf_addf(&b, "%s  ", t->lines.v[line].value);
			gist_add_value(&b, &behind, &arg.value, reading);
			free(t->lines.v[line].value);
			t->lines.v[line].value = take(&b);
		}
	}
	add_task(t, e);
	return n_args;
}
