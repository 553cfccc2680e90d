/*
 * filter_complete: what can be inserted at the cursor of a filter, and how many events it would
 * match.
 *
 * The text before the cursor is read as tokens; the last operand and operator decide what is
 * expected. Names come from the catalogue and the capture, values from the capture alone: those of
 * threads and names with exact counts from the index, those of arguments and frames from a sample
 * of a few chunks (with counts only if the sample has all events).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/fields.h"
#include "model/filter.h"
#include "model/filter_lexer.h"
#include "model/filter_ready.h"
#include "model/gathered.h"
#include "model/gist_words.h"
#include "model/group.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "model/value_text.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/vec.h"

#define CANDIDATES_MAX  200
#define SAMPLE_CHUNKS   4u
#define SAMPLE_VALUES   2000u /* distinct argument tuples or stacks in a sample */
#define SAMPLE_ROWS     2048u /* of each chunk, once there are more distinct ones than that */
#define VALUE_BYTES_MAX 200   /* longer texts are not offered */

struct item {
	enum filter_candidate_kind kind;
	size_t text, n_text; /* offset, length */
	const char *doc;
	uint64_t n_events;
	bool is_prefix; /* it begins with the typed word */
};

struct completer {
	struct trace *t;
	const char *word; /* the typed word */
	size_t n_word;
	VEC(struct item) items;
	struct strbuf *text;
	bool failed;
};

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Does s contain the typed word, ignoring case? *ret_prefix: at its start. */
static bool has_word(const struct completer *c, const char *s, size_t n, bool *ret_prefix)
{
	*ret_prefix = false;
	for (size_t i = 0; i + c->n_word <= n; i++) {
		size_t k = 0;
		while (k < c->n_word && lower(s[i + k]) == lower(c->word[k]))
			k++;
		if (k == c->n_word) {
			*ret_prefix = i == 0;
			return true;
		}
	}
	return false;
}

/* s is compared with the word, text is what is inserted. */
static void offer_as(struct completer *c, enum filter_candidate_kind kind, const char *s, size_t n,
		     const char *text, size_t n_text, const char *doc, uint64_t n_events)
{
	struct item item = { .kind = kind, .doc = doc, .n_events = n_events };
	if (!has_word(c, s, n, &item.is_prefix))
		return;
	for (size_t i = 0; i < c->items.n; i++)
		if (c->items.v[i].n_text == n_text &&
		    !memcmp(c->text->s + c->items.v[i].text, text, n_text)) {
			if (n_events != UINT64_MAX && c->items.v[i].n_events != UINT64_MAX)
				c->items.v[i].n_events += n_events;
			return;
		}
	item.text = c->text->n;
	item.n_text = n_text;
	strbuf_add(c->text, text, n_text);
	strbuf_addc(c->text, 0);
	if (!vec_push(&c->items, item))
		c->failed = true;
}

static void offer(struct completer *c, enum filter_candidate_kind kind, const char *s,
		  const char *doc, uint64_t n_events)
{
	offer_as(c, kind, s, strlen(s), s, strlen(s), doc, n_events);
}

/* Offer a value: quoted unless the grammar accepts it as it is. */
static void offer_value(struct completer *c, const char *s, size_t n, bool is_number,
			uint64_t n_events)
{
	struct strbuf b = { 0 };
	if (n > VALUE_BYTES_MAX)
		return;
	if (is_number)
		strbuf_add(&b, s, n);
	else
		filter_quote(&b, s, n);
	bool quoted_word = c->n_word && (c->word[0] == '"' || c->word[0] == '\'');
	if (quoted_word) /* compare without the opening quote */
		c->word++, c->n_word--;
	offer_as(c, CANDIDATE_VALUE, s, n, strbuf_str(&b), b.n, NULL, n_events);
	if (quoted_word)
		c->word--, c->n_word++;
	strbuf_fini(&b);
}

static uint64_t count_events(struct completer *c, const char *name, size_t n)
{
	if (!c->t)
		return UINT64_MAX;
	uint32_t id = trace_name_find(c->t, name, n);
	return id ? trace_count_by_name(c->t)[id] : 0;
}

static void offer_events(struct completer *c, bool as_values)
{
	for (uint32_t i = 1; c->t && i <= trace_n_names(c->t); i++) {
		size_t n;
		const char *name = trace_name(c->t, i, &n);
		const struct catalog_event *e = catalog_find(name, n);
		uint64_t n_events = trace_count_by_name(c->t)[i];
		if (as_values)
			offer_value(c, name, n, false, n_events);
		else
			offer_as(c, CANDIDATE_EVENT, name, n, name, n, e ? e->description : NULL,
				 n_events);
	}
	for (size_t i = 0; i < n_catalog_events && !as_values; i++)
		if (!c->t ||
		    !trace_name_find(c->t, catalog_events[i].name, strlen(catalog_events[i].name)))
			offer(c, CANDIDATE_EVENT, catalog_events[i].name,
			      catalog_events[i].description, c->t ? 0 : UINT64_MAX);
}

static void offer_categories(struct completer *c, bool as_values)
{
	for (uint32_t i = 1; c->t && i <= trace_n_names(c->t); i++) {
		size_t n;
		const char *name = trace_name(c->t, i, &n);
		size_t n_category = catalog_category_bytes(name, n);
		uint64_t n_events = trace_count_by_name(c->t)[i];
		if (as_values)
			offer_value(c, name, n_category, false, n_events);
		else if (n_category < n)
			offer_as(c, CANDIDATE_CATEGORY, name, n_category, name, n_category,
				 N_("all events of this category"), n_events);
	}
}

static void offer_themes(struct completer *c, bool as_values)
{
	for (int i = 0; i < THEME_COUNT; i++) {
		const char *theme = catalog_theme_name((enum catalog_theme)i);
		uint64_t n_events = c->t ? 0 : UINT64_MAX;
		for (uint32_t k = 1; c->t && k <= trace_n_names(c->t); k++) {
			size_t n;
			const char *name = trace_name(c->t, k, &n);
			if (catalog_theme_of(name, n) == (enum catalog_theme)i)
				n_events += trace_count_by_name(c->t)[k];
		}
		if (as_values) {
			offer_value(c, theme, strlen(theme), false, n_events);
			continue;
		}
		char text[64] = "@";
		size_t n = strlen(theme);
		if (n > sizeof(text) - 2)
			continue;
		for (size_t k = 0; k <= n; k++)
			text[k + 1] = theme[k] == ' ' ? '_' : theme[k];
		offer(c, CANDIDATE_THEME, text, catalog_themes[i].about, n_events);
	}
}

/* prefix "args." or "EVENT.": names of arguments of one event, or of all events in the capture. */
static void offer_arguments(struct completer *c, const char *prefix, size_t n_prefix,
			    const struct catalog_event *only)
{
	for (size_t i = 0; i < n_catalog_events; i++) {
		const struct catalog_event *e = &catalog_events[i];
		uint64_t n_events = count_events(c, e->name, strlen(e->name));
		if ((only && e != only) || (!only && c->t && !n_events))
			continue;
		for (size_t k = 0; k < e->n_args; k++) {
			struct strbuf b = { 0 };
			strbuf_add(&b, prefix, n_prefix);
			strbuf_adds(&b, e->args[k].name);
			offer_as(c, CANDIDATE_ARGUMENT, strbuf_str(&b), b.n, strbuf_str(&b), b.n,
				 e->args[k].meaning, n_events);
			strbuf_fini(&b);
		}
	}
}

static void offer_operands(struct completer *c)
{
	const char *dot = c->n_word ? memrchr(c->word, '.', c->n_word) : NULL;
	size_t n_before = dot ? (size_t)(dot - c->word) : 0;
	enum field_id field = dot ? field_find(c->word, n_before) : FIELD_COUNT;
	if (c->n_word && c->word[0] == '@') {
		offer_themes(c, false);
		return;
	}
	if (dot && field == FIELD_ARGS) {
		offer_arguments(c, c->word, n_before + 1, NULL);
		return;
	}
	if (dot &&
	    (field == FIELD_TASK || (field != FIELD_COUNT && fields[field].type == FIELD_FRAMES))) {
		for (int i = MEMBER_NONE + 1; i < MEMBER_COUNT; i++) {
			char text[32];
			if (!field_has_member(field, (enum frame_member)i))
				continue;
			int n = snprintf(text, sizeof(text), "%.*s.%s", (int)n_before, c->word,
					 frame_members[i]);
			offer_as(c, CANDIDATE_MEMBER, text, (size_t)n, text, (size_t)n, NULL,
				 UINT64_MAX);
		}
		return;
	}
	if (dot && catalog_find(c->word, n_before))
		offer_arguments(c, c->word, n_before + 1, catalog_find(c->word, n_before));
	for (size_t i = 0; i < FIELD_COUNT; i++)
		offer(c, CANDIDATE_FIELD, fields[i].name, fields[i].doc, UINT64_MAX);
	offer_events(c, false);
	offer_categories(c, false);
	for (size_t i = 0; i < READY_FILTERS; i++)
		offer(c, CANDIDATE_READY, ready_filters[i].name, ready_filters[i].doc, UINT64_MAX);
	if (!c->n_word)
		offer_themes(c, false);
}

static void offer_operators(struct completer *c, enum field_type type)
{
	static const struct {
		const char *op, *doc;
		unsigned types; /* bits of enum field_type */
	} ops[] = {
		{ "==", N_("is equal"), ~0u },
		{ "!=", N_("has a value, but not this one"), ~0u },
		{ "~", N_("matches a regular expression"),
		  ~(1u << FIELD_NANOSECONDS | 1u << FIELD_BOOL) },
		{ "!~", N_("does not match"), ~(1u << FIELD_NANOSECONDS | 1u << FIELD_BOOL) },
		{ "contains", N_("has this text in it"),
		  ~(1u << FIELD_NANOSECONDS | 1u << FIELD_BOOL) },
		{ "in", N_("is one of { , }"), ~(1u << FIELD_BOOL) },
		{ "<", N_("is below"), ~(1u << FIELD_BOOL) },
		{ "<=", N_("is at most"), ~(1u << FIELD_BOOL) },
		{ ">", N_("is above"), ~(1u << FIELD_BOOL) },
		{ ">=", N_("is at least"), ~(1u << FIELD_BOOL) },
		{ "&", N_("has these bits, as in flags & O_CREAT"), 1u << FIELD_VALUES },
	};
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (ops[i].types >> type & 1)
			offer(c, CANDIDATE_OPERATOR, ops[i].op, ops[i].doc, UINT64_MAX);
}

static void offer_joins(struct completer *c)
{
	offer(c, CANDIDATE_OPERATOR, "and", N_("both"), UINT64_MAX);
	offer(c, CANDIDATE_OPERATOR, "or", N_("one of them"), UINT64_MAX);
}

/* ---- values of threads ---- */

static void offer_thread_values(struct completer *c, enum field_id field)
{
	const uint64_t *counts = trace_count_by_thread(c->t);
	for (uint32_t i = 0; i < trace_n_threads(c->t) && c->items.n < CANDIDATES_MAX; i++) {
		const struct thread_info *info = trace_thread(c->t, i);
		const struct process_info *p = info ? trace_process(c->t, info->process) : NULL;
		if (!p)
			continue;
		uint32_t string = field == FIELD_THREAD    ? info->name
				  : field == FIELD_PROCESS ? p->name
				  : field == FIELD_PYTHON  ? p->python
							   : 0;
		size_t n;
		const char *s = field == FIELD_HOST ? trace_process_host(c->t, info->process, &n)
						    : trace_string(c->t, string, &n);
		if (field == FIELD_THREAD || field == FIELD_PROCESS || field == FIELD_PYTHON ||
		    field == FIELD_HOST) {
			if (n)
				offer_value(c, s, n, field == FIELD_PYTHON, counts[i]);
			continue;
		}
		char text[24];
		int n_text = snprintf(
		    text, sizeof(text), "%llu",
		    field == FIELD_PID ? p->pid
		    : field == FIELD_PPID
			? p->ppid
			: (unsigned long long)(field == FIELD_TID ? info->tid : info->interpreter));
		offer_value(c, text, (size_t)n_text, true, counts[i]);
	}
}

/* ---- values of arguments and frames: a sample ---- */

struct sample {
	uint32_t id, name; /* args or stack id; name id */
	int16_t minor;
	uint32_t n;
};

static int by_id(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	return x->id != y->id       ? (x->id < y->id ? -1 : 1)
	       : x->name != y->name ? (x->name < y->name ? -1 : 1)
				    : 0;
}

static int by_count(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	return x->n != y->n ? (x->n > y->n ? -1 : 1) : by_id(a, b);
}

/* Keep about SAMPLE_VALUES of the samples, the most frequent ones, so that sorting them causes no
 * delay while typing. */
static size_t keep_frequent(struct sample *v, size_t n)
{
	size_t of_count[64] = { 0 }, above = 0, kept = 0;
	for (size_t i = 0; i < n; i++)
		of_count[v[i].n < ARRAY_LEN(of_count) ? v[i].n : ARRAY_LEN(of_count) - 1]++;
	uint32_t least = ARRAY_LEN(of_count);
	while (least > 1 && above < SAMPLE_VALUES)
		above += of_count[--least];
	size_t surplus = above > SAMPLE_VALUES && least < ARRAY_LEN(of_count) - 1
			     ? above - SAMPLE_VALUES
			     : 0;
	/* of the rarest that are kept, keep the first seen */
	for (size_t i = n; i-- > 0 && surplus;)
		if (v[i].n == least) {
			v[i].n = 0;
			surplus--;
		}
	for (size_t i = 0; i < n; i++)
		if (v[i].n >= least)
			v[kept++] = v[i];
	return kept;
}

/* Distinct (id, name) of some chunks, the most frequent first. *ret_all: the chunks were all
 * events. */
static struct sample *take_sample(struct trace *t, enum group_column column, uint32_t only_name,
				  size_t *ret_n, bool *ret_all)
{
	VEC(struct sample) v = { 0 };
	uint32_t n_chunks = trace_n_chunks(t),
		 step = n_chunks > SAMPLE_CHUNKS ? n_chunks / SAMPLE_CHUNKS : 1;
	struct hash_map places = { 0 }; /* (id, name) → place in v + 1 */
	for (uint32_t chunk = 0; chunk < n_chunks; chunk += step) {
		const struct chunk *c = trace_chunk(t, chunk);
		unsigned n_taken = 0;
		for (uint32_t row = 0; c && row < c->n; row++) {
			uint32_t name = c->names[c->name[row]], id = group_id_at(c, column, row);
			if (!id || (only_name && name != only_name))
				continue;
			if (column != GROUP_ARGS)
				name = 0;
			/* it cannot be counted exactly any more: a key must not wait for it */
			if (v.n > SAMPLE_VALUES && ++n_taken > SAMPLE_ROWS)
				break;
			uint32_t *place = hash_map_place(&places, hash_map_key(id, name));
			if (!place)
				break;
			if (*place) {
				v.v[*place - 1].n++;
				continue;
			}
			const struct thread_info *info = column != GROUP_ARGS
							     ? NULL
							     : trace_thread(
								   t, c->threads[c->thread[row]]);
			struct sample s = { id, name,
					    (int16_t)(info ? arguments_minor(t, info->process) : 0),
					    1 };
			if (!vec_push(&v, s))
				break;
			*place = (uint32_t)v.n;
		}
		trace_trim(t);
	}
	hash_map_fini(&places);
	size_t n = v.n;
	*ret_all = step == 1 && n <= SAMPLE_VALUES;
	if (n > 2 * SAMPLE_VALUES)
		n = keep_frequent(v.v, n);
	if (n)
		qsort(v.v, n, sizeof(*v.v), by_count);
	*ret_n = n < SAMPLE_VALUES ? n : SAMPLE_VALUES;
	return v.v;
}

static void offer_argument_values(struct completer *c, const struct catalog_event *e,
				  const char *arg, size_t n_arg)
{
	size_t n;
	bool all;
	uint32_t name = e ? trace_name_find(c->t, e->name, strlen(e->name)) : 0;
	if (e && !name)
		return;
	struct sample *samples = take_sample(c->t, GROUP_ARGS, name, &n, &all);
	struct strbuf b = { 0 };
	for (size_t i = 0; i < n && c->items.n < CANDIDATES_MAX; i++) {
		struct arguments a;
		struct argument argument;
		arguments_init_value(&a, c->t, samples[i].name, samples[i].minor, samples[i].id);
		while (arguments_next(&a, &argument)) {
			bool wanted = !n_arg ||
				      (argument.n_name == n_arg &&
				       !memcmp(argument.name, arg, n_arg)) ||
				      (a.event && catalog_arg_find(a.event, a.minor, arg, n_arg) ==
						      (int)argument.index);
			if (!wanted) {
				arguments_skip(&a, &argument);
				continue;
			}
			bool is_number = argument.value.tag == VALUE_INT ||
					 argument.value.tag == VALUE_NONE;
			strbuf_clear(&b);
			value_text_plain(&b, &a.it, &argument.value);
			if (b.n)
				offer_value(c, b.s, b.n, is_number,
					    all ? samples[i].n : UINT64_MAX);
		}
	}
	strbuf_fini(&b);
	free(samples);
}

/* Names of numbers, if the argument is shown by such names: O_CREAT for flags. */
static void offer_words(struct completer *c, const struct catalog_event *only, const char *arg,
			size_t n_arg)
{
	for (size_t i = 0; i < n_catalog_events; i++) {
		const struct catalog_event *e = &catalog_events[i];
		if ((only && e != only) ||
		    (!only && c->t && !trace_name_find(c->t, e->name, strlen(e->name))))
			continue;
		for (size_t k = 0; k < e->n_gist; k++) {
			const struct catalog_gist_part *part = &e->gist_parts[k];
			const char *word;
			if (part->kind != GIST_ARG || part->arg >= e->n_args ||
			    strlen(e->args[part->arg].name) != n_arg ||
			    memcmp(e->args[part->arg].name, arg, n_arg) != 0)
				continue;
			for (size_t w = 0; (word = gist_word_of(part->reading, w)); w++)
				offer(c, CANDIDATE_VALUE, word, NULL, UINT64_MAX);
		}
	}
}

/* Values of the fields file, peer, port and command. */
static void offer_gathered_values(struct completer *c, enum field_id field)
{
	size_t n;
	bool all;
	struct sample *samples = take_sample(c->t, GROUP_ARGS, 0, &n, &all);
	struct gathered g = { 0 };
	for (size_t i = 0; i < n && c->items.n < CANDIDATES_MAX; i++) {
		gathered_read(c->t, field, samples[i].name, samples[i].id, &g);
		for (size_t k = 0, from = 0; k < g.n; from = g.ends[k++])
			offer_value(c, g.text.s + from, g.ends[k] - from, field == FIELD_PORT,
				    all ? samples[i].n : UINT64_MAX);
	}
	strbuf_fini(&g.text);
	free(samples);
}

/* What a frame has for a member that is a text; 0 bytes if it has none. */
static const char *frame_text(struct trace *t, enum frame_member member, uint32_t frame,
			      const struct frame_info *f, size_t *ret_n)
{
	if (member == MEMBER_PACKAGE) {
		const struct trace_package *p = trace_package(t, trace_frame_package(t, frame));
		*ret_n = p ? p->n_name : 0;
		return p ? p->name : "";
	}
	return trace_string(t,
			    member == MEMBER_FUNC     ? f->function
			    : member == MEMBER_FILE   ? f->file
			    : member == MEMBER_MODULE ? f->module
						      : 0,
			    ret_n);
}

static void offer_packages(struct completer *c)
{
	size_t n;
	bool all;
	struct sample *samples = take_sample(c->t, GROUP_STACK, 0, &n, &all);
	for (size_t i = 0; i < n && c->items.n < CANDIDATES_MAX; i++) {
		const struct trace_package *p = trace_package(
		    c->t, trace_stack_package(c->t, samples[i].id));
		if (p)
			offer_value(c, p->name, p->n_name, false, all ? samples[i].n : UINT64_MAX);
	}
	free(samples);
}

static void offer_tasks(struct completer *c, enum frame_member member)
{
	size_t n;
	bool all;
	struct sample *samples = take_sample(c->t, GROUP_TASK, 0, &n, &all);
	for (size_t i = 0; i < n && c->items.n < CANDIDATES_MAX; i++) {
		struct trace_task task;
		uint64_t n_events = all ? samples[i].n : UINT64_MAX;
		char id[24];
		if (!trace_task(c->t, samples[i].id, &task))
			continue;
		snprintf(id, sizeof(id), "%lld", (long long)task.id);
		if (member == MEMBER_ID)
			offer_value(c, id, strlen(id), true, n_events);
		else if (member != MEMBER_AWAITED_BY)
			offer_value(c, task.name, task.n_name, false, n_events);
		for (uint32_t k = 0; member == MEMBER_AWAITED_BY && k < task.n_awaited &&
				     c->items.n < CANDIDATES_MAX &&
				     trace_task_next(&task, &task.name, &task.n_name);
		     k++)
			offer_value(c, task.name, task.n_name, false, UINT64_MAX);
	}
	free(samples);
}

static void offer_frame_values(struct completer *c, enum field_id field, enum frame_member member)
{
	size_t n;
	bool all;
	struct sample *samples = take_sample(c->t, GROUP_STACK, 0, &n, &all);
	/* a frame that is in many stacks is offered once, unless each stack adds to a count */
	bool counts = all && field != FIELD_STACK;
	uint8_t *seen = counts ? NULL : calloc(trace_n_frames(c->t) / 8 + 1, 1);
	for (size_t i = 0; i < n && c->items.n < CANDIDATES_MAX; i++) {
		uint32_t frames[64], depth = 1, parent;
		if (field == FIELD_STACK)
			depth = trace_stack_frames(c->t, samples[i].id, frames, ARRAY_LEN(frames));
		else if (field == FIELD_CALLER)
			frames[0] = trace_caller(c->t, samples[i].id);
		else if (!trace_stack(c->t, samples[i].id, &parent, &frames[0]))
			continue;
		for (uint32_t k = 0; k < depth && k < ARRAY_LEN(frames); k++) {
			struct frame_info f;
			size_t n_text;
			if (seen && seen[frames[k] / 8] >> (frames[k] & 7) & 1)
				continue;
			if (!trace_frame(c->t, frames[k], &f))
				continue;
			if (seen)
				seen[frames[k] / 8] |= (uint8_t)(1 << (frames[k] & 7));
			const char *s = frame_text(c->t, member, frames[k], &f, &n_text);
			if (n_text)
				offer_value(c, s, n_text, false,
					    counts ? samples[i].n : UINT64_MAX);
			else if (member == MEMBER_LINE && f.line) {
				char text[16];
				int n_line = snprintf(text, sizeof(text), "%u", f.line);
				offer_value(c, text, (size_t)n_line, true, UINT64_MAX);
			}
		}
	}
	free(seen);
	free(samples);
}

/* Offer what can follow `operand op`. bits: the operator is &, so numbers of events are of no
 * use. */
static void offer_values(struct completer *c, const struct token *operand, bool bits)
{
	const char *dot = memchr(operand->p, '.', operand->n);
	size_t n_first = dot ? (size_t)(dot - operand->p) : operand->n;
	enum field_id field = field_find(operand->p, n_first);
	const char *rest = dot ? dot + 1 : "";
	size_t n_rest = dot ? operand->n - n_first - 1 : 0;
	if (field == FIELD_EVENT) {
		offer_events(c, true);
	} else if (field == FIELD_CATEGORY) {
		offer_categories(c, true);
	} else if (field == FIELD_THEME) {
		offer_themes(c, true);
	} else if (field != FIELD_COUNT && fields[field].type == FIELD_BOOL) {
		offer(c, CANDIDATE_VALUE, "true", NULL, UINT64_MAX);
		offer(c, CANDIDATE_VALUE, "false", NULL, UINT64_MAX);
	} else if (c->t && field != FIELD_COUNT && fields[field].domain == DOMAIN_THREAD) {
		offer_thread_values(c, field);
	} else if (c->t && field != FIELD_COUNT && fields[field].type == FIELD_FRAMES) {
		offer_frame_values(c, field, field_member_find(rest, n_rest));
	} else if (c->t && field == FIELD_PACKAGE) {
		offer_packages(c);
	} else if (c->t && field == FIELD_TASK) {
		offer_tasks(c, field_member_find(rest, n_rest));
	} else if (c->t && gathered_is(field)) {
		offer_gathered_values(c, field);
	} else if (c->t && field == FIELD_ARGS) {
		offer_words(c, NULL, rest, n_rest);
		if (!bits)
			offer_argument_values(c, NULL, rest, n_rest);
	} else if (c->t && field == FIELD_COUNT) {
		for (size_t n = operand->n; n-- > 1;) {
			const struct catalog_event *e = operand->p[n] == '.'
							    ? catalog_find(operand->p, n)
							    : NULL;
			if (e) {
				offer_words(c, e, operand->p + n + 1, operand->n - n - 1);
				if (!bits)
					offer_argument_values(c, e, operand->p + n + 1,
							      operand->n - n - 1);
				break;
			}
		}
	}
}

static enum field_type type_of(const struct token *operand)
{
	const char *dot = memchr(operand->p, '.', operand->n);
	enum field_id field = field_find(operand->p, dot ? (size_t)(dot - operand->p) : operand->n);
	if (field == FIELD_COUNT)
		return FIELD_VALUES;
	if (fields[field].type == FIELD_FRAMES)
		return dot && operand->n - (size_t)(dot + 1 - operand->p) == 4 &&
			       !memcmp(dot + 1, "line", 4)
			   ? FIELD_NUMBER
			   : FIELD_TEXT;
	if (field == FIELD_TASK)
		return dot && field_member_find(
				  dot + 1, operand->n - (size_t)(dot + 1 - operand->p)) == MEMBER_ID
			   ? FIELD_NUMBER
			   : FIELD_TEXT;
	return fields[field].type;
}

static bool is_comparison(const struct token *t)
{
	static const char *const ops[] = { "==", "!=",       "<",  "<=", ">",  ">=", "~",      "!~",
					   "=~", "contains", "in", "=",  "&",  "|",  "{",      ",",
					   "eq", "ne",       "lt", "le", "gt", "ge", "matches" };
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (lexer_token_is(t, ops[i]))
			return true;
	return false;
}

static bool is_join(const struct token *t)
{
	return lexer_token_is(t, "and") || lexer_token_is(t, "or") || lexer_token_is(t, "not") ||
	       lexer_token_is(t, "&&") || lexer_token_is(t, "||") || lexer_token_is(t, "!") ||
	       lexer_token_is(t, "(") || lexer_token_is(t, "AND") || lexer_token_is(t, "OR") ||
	       lexer_token_is(t, "NOT");
}

/* Is it a field or an argument, which takes an operator? */
static bool takes_operator(const struct token *t)
{
	const char *dot = memchr(t->p, '.', t->n);
	if (field_find(t->p, dot ? (size_t)(dot - t->p) : t->n) != FIELD_COUNT)
		return true;
	for (size_t n = t->n; n-- > 1;)
		if (t->p[n] == '.' && catalog_find(t->p, n) && !catalog_find(t->p, t->n))
			return true;
	return false;
}

static int best_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	uint64_t n_x = x->n_events == UINT64_MAX ? 1 : x->n_events,
		 n_y = y->n_events == UINT64_MAX ? 1 : y->n_events;
	/* what the capture does not have goes last, so that Pop means subprocess.Popen there */
	if (!n_x != !n_y)
		return n_x ? -1 : 1;
	if (x->is_prefix != y->is_prefix)
		return x->is_prefix ? -1 : 1;
	if (x->kind == y->kind && (x->kind == CANDIDATE_OPERATOR || x->kind == CANDIDATE_FIELD))
		return x->text < y->text ? -1 : 1; /* keep the order of their table */
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (n_x != n_y)
		return n_x > n_y ? -1 : 1;
	return x->text < y->text ? -1 : x->text > y->text;
}

struct err *filter_complete(struct trace *t, const char *text, size_t n_bytes, size_t cursor,
			    struct filter_completion *ret)
{
	struct lexer lexer = { .text = text,
			       .n = cursor < n_bytes ? cursor : n_bytes,
			       .is_operand = true };
	struct token none = { .kind = TOKEN_END, .p = "" }, before = none, operand = none,
		     word = none;
	bool after_operator = false;
	*ret = (struct filter_completion){ .at = lexer.n,
					   .text = calloc(1, sizeof(struct strbuf)) };
	if (!ret->text)
		return err_no_memory();
	for (;;) {
		struct token k = lexer_next(&lexer);
		if (k.kind == TOKEN_END)
			break;
		bool is_last = k.end >= lexer.n;
		bool is_open_text = k.kind == TOKEN_BAD &&
				    (text[k.at] == '"' || text[k.at] == '\'');
		bool is_typed = is_last &&
				(is_open_text || (k.kind == TOKEN_BAD && text[k.at] == '@') ||
				 k.kind == TOKEN_THEME || k.kind == TOKEN_WORD);
		if (is_typed) {
			word = k;
			break;
		}
		if (is_comparison(&k)) {
			if (before.kind == TOKEN_WORD && !after_operator)
				operand = before;
			after_operator = true;
		} else if (is_join(&k)) {
			after_operator = false;
			operand = none;
		}
		lexer.is_operand = is_join(&k) || lexer_token_is(&k, "~") ||
				   lexer_token_is(&k, "!~") || lexer_token_is(&k, "=~") ||
				   lexer_token_is(&k, "matches");
		before = k;
	}
	bool has_typed = word.kind != TOKEN_END;
	struct completer c = { .t = t,
			       .text = ret->text,
			       .word = has_typed ? text + word.at : "",
			       .n_word = has_typed ? lexer.n - word.at : 0 };
	if (has_typed)
		ret->at = word.at;
	ret->n_bytes = c.n_word;
	if (after_operator && is_comparison(&before) && operand.kind == TOKEN_WORD) {
		offer_values(&c, &operand,
			     lexer_token_is(&before, "&") || lexer_token_is(&before, "|"));
	} else if (before.kind == TOKEN_END || is_join(&before)) {
		offer_operands(&c);
	} else if (before.kind == TOKEN_WORD && !after_operator && takes_operator(&before)) {
		offer_operators(&c, type_of(&before));
		offer_joins(&c);
	} else {
		offer_joins(&c);
	}
	if (c.items.n)
		qsort(c.items.v, c.items.n, sizeof(*c.items.v), best_first);
	ret->v = c.items.n ? calloc(c.items.n, sizeof(*ret->v)) : NULL;
	bool ok = !c.failed && !ret->text->failed && (ret->v || !c.items.n);
	for (size_t i = 0; ok && i < c.items.n; i++)
		ret->v[ret->n++] = (struct filter_candidate){ c.items.v[i].kind,
							      ret->text->s + c.items.v[i].text,
							      c.items.v[i].doc,
							      c.items.v[i].n_events };
	vec_fini(&c.items);
	if (ok)
		return NULL;
	filter_completion_fini(ret);
	return err_no_memory();
}

void filter_completion_fini(struct filter_completion *c)
{
	free(c->v);
	if (c->text)
		strbuf_fini(c->text);
	free(c->text);
	*c = (struct filter_completion){ 0 };
}
