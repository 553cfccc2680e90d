/*
 * pane_arguments: the event's arguments as a typed tree, and below it what the catalogue and the
 * capture know: what the event means, what raises it, what came before and comes next, how often
 * this value occurs.
 *
 * Lines are made once per event and kept as text; drawing only places them.
 */
#include "ui/pane_arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/arguments.h"
#include "model/environment.h"
#include "model/gist.h"
#include "model/looks.h"
#include "model/value_text.h"
#include "ui/pane_events.h"
#include "ui/pane_host.h"

enum { LINES_MAX = 4000, CHILDREN_SHOWN = 200 };

struct arg_line {
	uint8_t indent;
	bool is_value, is_container, is_open, is_cut, is_info, is_trouble, is_dim;
	/* in front of the name of a changed variable: "+" "~" "−"; NULL: none */
	const char *sign;
	char *name, *type, *value; /* value: one line, harmless */
	char *term;                /* filter for this value; NULL: none */
	uint64_t go;               /* event to go to; SELECTION_NONE: none */
	uint32_t key;              /* hash of the path; remembers which nodes were opened */
	char *raw;                 /* bytes of a str or bytes value */
	size_t n_raw;
	uint64_t full; /* the full length of the value */
};

struct arguments_pane {
	struct pane pane;
	VEC(struct arg_line) lines;
	VEC(uint32_t) flipped; /* keys of nodes that the user opened or closed */
	uint64_t seq;
	uint32_t n_args;
	size_t n_tree; /* the first n_tree lines are the tree */
	int name_w, type_w;
};

static struct err *open_arguments(const struct pane_host *host, struct pane **ret)
{
	struct arguments_pane *a = calloc(1, sizeof(*a));
	if (!a)
		return err_no_memory();
	a->seq = SELECTION_NONE;
	*ret = &a->pane;
	return NULL;
}

static void clear(struct arguments_pane *a)
{
	for (size_t i = 0; i < a->lines.n; i++) {
		free(a->lines.v[i].name);
		free(a->lines.v[i].type);
		free(a->lines.v[i].value);
		free(a->lines.v[i].term);
		free(a->lines.v[i].raw);
	}
	a->lines.n = 0;
}

static void close_arguments(struct pane *p)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	clear(a);
	vec_fini(&a->lines);
	vec_fini(&a->flipped);
	free(a);
}

static bool is_flipped(const struct arguments_pane *a, uint32_t key)
{
	for (size_t i = 0; i < a->flipped.n; i++)
		if (a->flipped.v[i] == key)
			return true;
	return false;
}

static struct arg_line *add(struct arguments_pane *a, struct arg_line line)
{
	if (a->lines.n >= LINES_MAX || !vec_push(&a->lines, line)) {
		free(line.name);
		free(line.type);
		free(line.value);
		free(line.term);
		free(line.raw);
		return NULL;
	}
	return &a->lines.v[a->lines.n - 1];
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
static void add_attr_word(struct arguments_pane *a, size_t line, const struct value_node *v)
{
	unsigned reading = !v->attr || v->tag != VALUE_INT                         ? READING_VALUE
			   : v->n_attr_bytes == 6 && !memcmp(v->attr, "family", 6) ? READING_FAMILY
			   : v->n_attr_bytes == 4 && !memcmp(v->attr, "type", 4) ? READING_SOCKTYPE
										 : READING_VALUE;
	if (reading == READING_VALUE || line >= a->lines.n)
		return;
	struct strbuf b = { 0 };
	struct value_iter none = { 0 };
	strbuf_addf(&b, "%s  ", a->lines.v[line].value);
	gist_add_value(&b, &none, v, reading);
	free(a->lines.v[line].value);
	a->lines.v[line].value = take(&b);
}

static void add_node(struct arguments_pane *a, struct value_iter *it, const struct value_node *v,
		     const char *name, const char *path, unsigned indent, uint32_t key,
		     bool open_at_first);

enum { LEFT_OUT_SHOWN = 4 };
/* Nodes that are no values: the environment, and in it the group of variables that were left out
 * and the group of those that are unchanged. */
enum { KEY_ENV = 0x656e7600, KEY_ENV_LEFT_OUT, KEY_ENV_SAME, KEY_ENV_VARIABLE };

static bool is_fold(const struct arg_line *l)
{
	return l->key == KEY_ENV_SAME || l->key == KEY_ENV_LEFT_OUT;
}

/* Add the environment of a child: what differs from this process's own, with the rest folded.
 * Returns false if it cannot be compared. `it` is after the dictionary's node and is left there. */
static bool add_environment(struct arguments_pane *a, struct value_iter *it,
			    const struct value_node *v, const struct event *e, const char *name,
			    const char *path)
{
	struct environment_diff d;
	bool known;
	struct err *err = environment_diff(a->pane.host->view->trace, e, it, v, &d, &known);
	if (err || !known) {
		err_destroy(err);
		return false;
	}
	static const char *const words[] = { [ENVIRONMENT_NEW] = "new",
					     [ENVIRONMENT_CHANGED] = "changed",
					     [ENVIRONMENT_MISSING] = "left out" };
	static const char *const signs[] = {
		[ENVIRONMENT_NEW] = "+", [ENVIRONMENT_CHANGED] = "~", [ENVIRONMENT_MISSING] = "−"
	};
	struct strbuf b = { 0 };
	bool open = !is_flipped(a, KEY_ENV);
	strbuf_addf(&b, "%zu as in this process", d.counts[ENVIRONMENT_SAME]);
	for (int i = 0; i < ENVIRONMENT_SAME; i++)
		if (d.counts[i])
			strbuf_addf(&b, ", %zu %s", d.counts[i], words[i]);
	struct arg_line head = { .is_value = true,
				 .is_container = true,
				 .is_open = open,
				 .go = SELECTION_NONE,
				 .key = KEY_ENV,
				 .name = strdup(name),
				 .value = take(&b),
				 .is_cut = value_is_cut(v) };
	type_text(&b, v);
	head.type = take(&b);
	add(a, head);
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
			strbuf_addf(&b,
				    r->change == ENVIRONMENT_SAME ? "… %zu as in this process"
								  : "… %zu left out",
				    d.counts[r->change]);
			struct arg_line fold = { .indent = 1,
						 .is_value = true,
						 .is_container = true,
						 .is_open = is_flipped(a, fold_key),
						 .is_dim = true,
						 .go = SELECTION_NONE,
						 .key = fold_key,
						 .name = take(&b) };
			fold.value = strdup("");
			fold.type = strdup("");
			add(a, fold);
		}
		if (folds && !is_flipped(a, fold_key))
			continue;
		size_t line = a->lines.n;
		if (r->change == ENVIRONMENT_MISSING) {
			struct arg_line gone = { .indent = folds ? 2 : 1,
						 .is_value = true,
						 .is_dim = true,
						 .go = SELECTION_NONE };
			utf8_escape(&b, r->name, r->n_name, 0);
			gone.name = take(&b);
			gone.type = strdup("");
			gone.value = strdup(r->own);
			add(a, gone);
		} else if (r->pair < n_pairs && value_iter_next(&pairs[r->pair], &node)) {
			char child_path[400];
			snprintf(child_path, sizeof(child_path), "%s.%s", path, r->name);
			add_node(a, &pairs[r->pair], &node, r->name, child_path, folds ? 2 : 1,
				 KEY_ENV_VARIABLE + r->pair, false);
		}
		if (line >= a->lines.n)
			continue;
		a->lines.v[line].sign = r->change == ENVIRONMENT_SAME ? NULL : signs[r->change];
		if (r->change == ENVIRONMENT_CHANGED) {
			strbuf_addf(&b, "%s   here %s", a->lines.v[line].value, r->own);
			free(a->lines.v[line].value);
			a->lines.v[line].value = take(&b);
		}
	}
	free(pairs);
	environment_diff_fini(&d);
	strbuf_fini(&b);
	return true;
}

/* Add what can be guessed of a value, and how to keep more of a value that was cut. */
static void add_guesses(struct arguments_pane *a, const struct event *e, const struct value_node *v,
			const struct catalog_event *known, uint32_t index)
{
	struct view *s = a->pane.host->view;
	struct strbuf b = { 0 };
	if (looks_like(&b, v, view_minor_of(s, e->process))) {
		struct arg_line line = { .indent = 2,
					 .is_info = true,
					 .go = SELECTION_NONE,
					 .name = strdup("looks like"),
					 .value = take(&b) };
		add(a, line);
	}
	uint64_t from = index == 0 ? looks_opened(s->trace, e) : SELECTION_NONE;
	struct event opened;
	if (from != SELECTION_NONE && trace_event(s->trace, from, &opened)) {
		event_text_gist(&b, s, &opened,
				a->pane.n_columns > 60 ? a->pane.n_columns - 40 : 20);
		strbuf_adds(&b, ", opened ");
		text_duration(&b, e->time_ns > opened.time_ns ? e->time_ns - opened.time_ns : 0);
		strbuf_adds(&b, " before");
		struct arg_line line = { .indent = 2,
					 .is_info = true,
					 .go = from,
					 .name = strdup("likely"),
					 .value = take(&b) };
		add(a, line);
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
		strbuf_addf(&b, "next time with %s %lluk", bulk ? "--bulk-bytes" : "-s",
			    (unsigned long long)k);
		struct arg_line line = { .indent = 2,
					 .is_info = true,
					 .go = SELECTION_NONE,
					 .name = strdup("keep more"),
					 .value = take(&b) };
		add(a, line);
	}
	strbuf_fini(&b);
}

static void add_node(struct arguments_pane *a, struct value_iter *it, const struct value_node *v,
		     const char *name, const char *path, unsigned indent, uint32_t key,
		     bool open_at_first);

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
		strbuf_addf(to, " kept, %.*f %%  ", v->n_bytes * 100 < v->full ? 1 : 0,
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
static void take_raw(struct arg_line *line, const struct value_node *v)
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
static bool add_children(struct arguments_pane *a, struct value_iter *it,
			 const struct value_node *v, const char *path, unsigned indent,
			 uint32_t key)
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
		size_t at = a->lines.n;
		add_node(a, it, &child, child_name, child_path, indent + 1, key * 31 + i + 1,
			 false);
		add_attr_word(a, at, &child);
	}
	return true;
}

/* Add a line that says how many children are not shown. */
static void add_rest(struct arguments_pane *a, const struct value_node *v, unsigned indent)
{
	struct strbuf b = { 0 };
	uint64_t shown = v->tag == VALUE_DICT ? v->n_children / 2 : v->n_children;
	bool is_long = shown > CHILDREN_SHOWN;
	if ((is_container(v->tag) && v->full > shown) || is_long) {
		struct arg_line more = { .indent = (uint8_t)(indent + 1),
					 .go = SELECTION_NONE,
					 .is_info = true,
					 .is_trouble = !is_long };
		if (is_long)
			strbuf_addf(&b, "… %llu more",
				    (unsigned long long)(shown - CHILDREN_SHOWN));
		else
			strbuf_addf(&b, "[cut] %llu of %llu", (unsigned long long)shown,
				    (unsigned long long)v->full);
		more.value = take(&b);
		add(a, more);
	}
}

/* Add the node just read and, if it is open, what is below it; afterwards `it` is behind all of
 * that. */
static void add_node(struct arguments_pane *a, struct value_iter *it, const struct value_node *v,
		     const char *name, const char *path, unsigned indent, uint32_t key,
		     bool open_at_first)
{
	struct strbuf b = { 0 };
	struct arg_line line = { .indent = (uint8_t)(indent < 20 ? indent : 20),
				 .is_value = true,
				 .go = SELECTION_NONE,
				 .key = key };
	line.is_container = v->n_children > 0 && !is_redacted(v);
	line.is_open = line.is_container && (open_at_first != is_flipped(a, key));
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
	if (!add(a, line) || !open || is_redacted(v)) {
		value_iter_skip(it, v);
		return;
	}
	if (add_children(a, it, v, path, indent, key))
		add_rest(a, v, indent);
}

static void info(struct arguments_pane *a, const char *name, const char *text, uint64_t go,
		 const char *term)
{
	struct arg_line line = { .is_info = true, .go = go };
	line.name = name ? strdup(name) : NULL;
	line.value = strdup(text);
	line.term = term ? strdup(term) : NULL;
	add(a, line);
}

/* Break text into lines of at most `width` cells. */
static void info_wrapped(struct arguments_pane *a, const char *text, int width, int max_lines)
{
	for (int i = 0; i < max_lines && *text; i++) {
		size_t n = text_head(text, strlen(text), width);
		if (text[n]) {
			size_t at = n;
			while (at > 0 && text[at] != ' ')
				at--;
			if (at > 0)
				n = at;
		}
		char *line = strndup(text, n);
		if (line)
			info(a, NULL, line, SELECTION_NONE, NULL);
		free(line);
		text += n + strspn(text + n, " ");
	}
}

/* Find the previous or next shown event of the same thread; the search is bounded. */
static uint64_t neighbour(struct view *s, const struct event *e, bool after, struct event *ret)
{
	uint64_t at = e->seq;
	for (int i = 0; i < 2000; i++) {
		if (after ? at + 1 >= s->n_events : at == 0)
			return SELECTION_NONE;
		at = after ? at + 1 : at - 1;
		if (trace_event(s->trace, at, ret) && ret->thread == e->thread)
			return at;
	}
	return SELECTION_NONE;
}

static void add_event_words(struct strbuf *to, struct view *s, const struct event *e, int limit)
{
	event_text_name(to, s, e->name);
	size_t before = to->n;
	strbuf_addc(to, ' ');
	event_text_gist(to, s, e, limit);
	if (to->n == before + 1)
		strbuf_cut(to, before); /* an event without arguments */
}

static void add_story(struct arguments_pane *a, struct view *s, const struct event *e)
{
	struct event other;
	struct strbuf b = { 0 };
	uint64_t at = neighbour(s, e, false, &other);
	if (at != SELECTION_NONE) {
		add_event_words(&b, s, &other, 30);
		strbuf_adds(&b, ", ");
		text_duration(&b, e->time_ns > other.time_ns ? e->time_ns - other.time_ns : 0);
		strbuf_adds(&b, " ago");
		info(a, "before", strbuf_str(&b), at, NULL);
		strbuf_clear(&b);
	}
	at = neighbour(s, e, true, &other);
	if (at != SELECTION_NONE) {
		add_event_words(&b, s, &other, 30);
		strbuf_adds(&b, ", +");
		text_duration(&b, other.time_ns > e->time_ns ? other.time_ns - e->time_ns : 0);
		info(a, "next", strbuf_str(&b), at, NULL);
		strbuf_clear(&b);
	}
	at = relation_cause(s->trace, e->seq);
	if (at != SELECTION_NONE && trace_event(s->trace, at, &other)) {
		add_event_words(&b, s, &other, 40);
		info(a, "led by", strbuf_str(&b), at, NULL);
	}
	strbuf_fini(&b);
}

/* Add a line per argument, and what is below it. */
static void add_arguments(struct arguments_pane *a, const struct event *e)
{
	struct arguments all;
	struct argument arg;
	arguments_init(&all, a->pane.host->view->trace, e);
	a->n_args = all.n;
	while (arguments_next(&all, &arg)) {
		char name[80], path[100];
		snprintf(name, sizeof(name), "%.*s", (int)(arg.n_name < 60 ? arg.n_name : 60),
			 arg.name);
		bool digit = name[0] >= '0' && name[0] <= '9';
		snprintf(path, sizeof(path), digit ? "args[%s]" : "args.%s", name);
		bool small = arg.value.n_children <= 12 && arg.value.tag != VALUE_DICT;
		struct value_iter behind = all.it;
		size_t line = a->lines.n;
		struct value_node value = arg.value;
		bool is_env = !strcmp(name, "env") && value.tag == VALUE_DICT && value.n_children;
		if (is_env && add_environment(a, &all.it, &value, e, name, path)) {
			value_iter_skip(&all.it, &value);
			continue;
		}
		add_node(a, &all.it, &value, name, path, 0, arg.index + 1, small || a->n_args == 1);
		add_guesses(a, e, &value, all.event, arg.index);
		unsigned reading = arg.value.tag == VALUE_INT
				       ? event_arg_reading(all.event, arg.index)
				       : READING_VALUE;
		/* 524288  O_RDONLY|O_CLOEXEC */
		if (reading != READING_VALUE && line < a->lines.n) {
			struct strbuf b = { 0 };
			strbuf_addf(&b, "%s  ", a->lines.v[line].value);
			gist_add_value(&b, &behind, &arg.value, reading);
			free(a->lines.v[line].value);
			a->lines.v[line].value = take(&b);
		}
	}
}

/* Measure how wide the columns of names and types are. */
static void measure(struct arguments_pane *a)
{
	a->name_w = 4;
	a->type_w = 0;
	for (size_t i = 0; i < a->n_tree; i++) {
		if (!a->lines.v[i].is_value || is_fold(&a->lines.v[i]))
			continue;
		int w = a->lines.v[i].indent * 2 +
			text_width(a->lines.v[i].name ? a->lines.v[i].name : "",
				   strlen(a->lines.v[i].name ? a->lines.v[i].name : ""));
		if (w > a->name_w)
			a->name_w = w;
		w = a->lines.v[i].type ? text_width(a->lines.v[i].type, strlen(a->lines.v[i].type))
				       : 0;
		if (w > a->type_w)
			a->type_w = w;
	}
	int most = a->pane.n_columns / 3;
	if (a->name_w > most)
		a->name_w = most;
	if (a->type_w > 14)
		a->type_w = 14;
}

/* Add what the catalogue says of the event. */
static void add_facts(struct arguments_pane *a, const struct event *e)
{
	const struct name_facts *f = view_name(a->pane.host->view, e->name);
	int width = a->pane.n_columns - 2;
	bool roomy = a->pane.n_lines >= 10;
	if (roomy && a->lines.n)
		info(a, NULL, "", SELECTION_NONE, NULL);
	if (!f->event) {
		info(a, NULL, "not in the catalogue: a package's own event", SELECTION_NONE, NULL);
	} else {
		if (roomy)
			info_wrapped(a, f->event->description, width, 3);
		if (f->event->raised_by && f->event->raised_by[0]) {
			struct strbuf b = { 0 };
			for (int i = 0; i < 3 && f->event->raised_by[i]; i++)
				strbuf_addf(&b, "%s%s", i ? "  " : "", f->event->raised_by[i]);
			info(a, "raised by", strbuf_str(&b), SELECTION_NONE, NULL);
			strbuf_fini(&b);
		}
		char since[80];
		snprintf(since, sizeof(since), "3.%d    theme  %s%s", f->event->since,
			 catalog_theme_name(f->theme),
			 f->event->documented ? "" : "    not documented");
		info(a, "since", since, SELECTION_NONE, NULL);
	}
}

static void build(struct arguments_pane *a)
{
	const struct pane_host *host = a->pane.host;
	struct view *s = host->view;
	struct event e;
	clear(a);
	a->n_args = 0;
	a->n_tree = 0;
	uint32_t note;
	/* the cursor is on a note: show its text in full */
	const struct pane *list = host_pane(host, PANE_EVENTS);
	if (host->cursor_seq == SELECTION_NONE && list && pane_events_note(list, &note)) {
		struct strbuf b = { 0 };
		note_text(&b, s, trace_note_get(s->trace, note));
		info_wrapped(a, strbuf_str(&b), a->pane.n_columns - 2, 20);
		strbuf_fini(&b);
	}
	if (host->cursor_seq == SELECTION_NONE || !trace_event(s->trace, host->cursor_seq, &e))
		return;
	if (e.args)
		add_arguments(a, &e);
	a->n_tree = a->lines.n;
	measure(a);
	add_facts(a, &e);
	add_story(a, s, &e);
}

static void update_arguments(struct pane *p, unsigned changes)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	if (!(changes & (CHANGE_CURSOR | CHANGE_SIZE | CHANGE_FILTER)))
		return;
	bool other = a->seq != p->host->cursor_seq;
	a->seq = p->host->cursor_seq;
	build(a);
	list_set(&p->list, a->lines.n, p->n_lines);
	if (other)
		list_go(&p->list, 0);
}

static void draw_arguments(const struct pane *p, struct area area)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	bool focus = pane_has_focus(p);
	bool wide = area.n_columns >= 58;
	int name_x = 3, value_x = name_x + a->name_w + 2, type_x = value_x;
	if (wide)
		value_x += a->type_w + 2;
	if (!a->lines.n && p->host->cursor_seq == SELECTION_NONE)
		area_put(area, 0, 2, -1, ROLE_DIM, "no event under the cursor");
	for (int y = 0; y < area.n_lines && p->list.top + (uint64_t)y < a->lines.n; y++) {
		const struct arg_line *l = &a->lines.v[p->list.top + (uint64_t)y];
		if (l->is_value) {
			int x = name_x + l->indent * 2;
			if (l->is_container)
				area_put(area, y, x - 2, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
			if (l->sign)
				area_put(area, y, x - 2, 1, ROLE_TEXT, l->sign);
			if (is_fold(l)) {
				area_put_cut(area, y, x, -1, ROLE_DIM, l->name);
				goto drawn;
			}
			area_put_cut(area, y, x, value_x - x - 1 < 4 ? 4 : type_x - x - 1,
				     l->is_dim ? ROLE_DIM : ROLE_TEXT, l->name);
			if (wide) {
				area_put_cut(area, y, type_x, a->type_w, ROLE_DIM, l->type);
				if (l->is_cut) {
					int used = area_put(area, y, value_x, 5, ROLE_TROUBLE,
							    "[cut]");
					area_put_cut(area, y, value_x + used + 1, -1, ROLE_TEXT,
						     l->value);
				} else {
					area_put_cut(area, y, value_x, -1,
						     l->is_dim ? ROLE_DIM : ROLE_TEXT, l->value);
				}
			} else if (l->is_container || !*l->value) {
				int used = area_put_cut(area, y, value_x, -1, ROLE_TEXT, l->type);
				if (*l->value && (!l->is_open || l->key == KEY_ENV))
					area_put_cut(area, y, value_x + used + 2, -1, ROLE_DIM,
						     l->value);
			} else {
				int x0 = value_x;
				if (l->is_cut)
					x0 += area_put(area, y, x0, 5, ROLE_TROUBLE, "[cut]") + 1;
				area_put_cut(area, y, x0, -1, l->is_dim ? ROLE_DIM : ROLE_TEXT,
					     l->value);
			}
		} else {
			int x = 1 + l->indent * 2;
			if (l->name) {
				int used = area_put(area, y, x, -1, ROLE_DIM, l->name);
				x += l->indent  ? (used < 10 ? 11 : used + 1)
				     : used < 9 ? 10
						: used + 1;
			}
			area_put_cut(area, y, x, -1,
				     l->is_trouble ? ROLE_TROUBLE
				     : l->name     ? ROLE_TEXT
						   : ROLE_DIM,
				     l->value);
		}
	drawn:
		search_mark(p->host->search, area, y);
		if (focus && p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(area, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(area, y);
		}
	}
}

static bool act_arguments(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	if (list_act(&p->list, action, count))
		return true;
	const struct arg_line *l = p->list.cursor < a->lines.n ? &a->lines.v[p->list.cursor] : NULL;
	switch ((int)action) {
	case ACTION_LEFT:
	case ACTION_RIGHT:
		if (!l || !l->is_container || l->is_open == (action == ACTION_RIGHT))
			return true;
		__attribute__((fallthrough));
	case ACTION_OPEN:
	case ACTION_FOLD:
		if (l && l->go != SELECTION_NONE) {
			host_goto(p->host, l->go);
			return true;
		}
		if (l && l->is_container) {
			size_t i = 0;
			while (i < a->flipped.n && a->flipped.v[i] != l->key)
				i++;
			if (i < a->flipped.n)
				a->flipped.v[i] = a->flipped.v[--a->flipped.n];
			else if (!vec_push(&a->flipped, l->key))
				return true;
			build(a);
			list_set(&p->list, a->lines.n, p->n_lines);
			return true;
		}
		if (l && l->is_value)
			host_open_page(p->host, PANE_BYTES);
		return true;
	case ACTION_COPY:
		if (l && l->value) {
			host_copy(p->host, l->value, strlen(l->value));
			return true;
		}
		return false;
	default: return false;
	}
}

static void title_arguments(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	struct view *s = p->host->view;
	struct event e;
	(void)subject;
	if (p->host->cursor_seq == SELECTION_NONE ||
	    !trace_event(s->trace, p->host->cursor_seq, &e))
		return;
	event_text_name(facts, s, e.name);
	if (p->n_columns >= 60 && a->n_args)
		strbuf_addf(facts, " · %u argument%s", a->n_args, a->n_args == 1 ? "" : "s");
}

static bool term_arguments(const struct pane *p, struct strbuf *to)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	const struct arg_line *l = p->list.cursor < a->lines.n ? &a->lines.v[p->list.cursor] : NULL;
	if (!l || !l->term)
		return false;
	strbuf_adds(to, l->term);
	return true;
}

static void line_arguments(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	if (entry >= a->lines.n)
		return;
	const struct arg_line *l = &a->lines.v[entry];
	if (l->name)
		strbuf_addf(to, "%s ", l->name);
	if (l->value)
		strbuf_adds(to, l->value);
}

bool pane_arguments_raw(const struct pane *p, struct raw_value *ret)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	/* take the value under the cursor, or else the first one that has bytes */
	for (size_t i = p->list.cursor < a->lines.n ? p->list.cursor : 0, n = 0; n < a->lines.n;
	     i = (i + 1) % a->lines.n, n++) {
		const struct arg_line *l = &a->lines.v[i];
		if (l->raw) {
			*ret = (struct raw_value){ l->name, l->raw, l->n_raw, l->full };
			return true;
		}
	}
	return false;
}

const struct pane_ops pane_arguments_ops = {
	.open = open_arguments,
	.close = close_arguments,
	.update = update_arguments,
	.draw = draw_arguments,
	.act = act_arguments,
	.title = title_arguments,
	.term = term_arguments,
	.line = line_arguments,
};
