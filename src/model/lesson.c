#include "model/lesson.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/gist.h"
#include "model/own.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/value_iter.h"

const struct lesson *lesson_find(int number)
{
	return number >= 1 && (size_t)number <= n_lessons ? &lessons[number - 1] : NULL;
}

static int minor_of(struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);

	return p ? (int)(p->python_hex >> 16 & 0xff) : 0;
}

/* The reading of that argument in the event's catalogue entry, so that a path is shown as a path
 * and an address as host:port. */
static unsigned reading_of(const struct catalog_event *c, int arg)
{
	for (size_t i = 0; c && i < c->n_gist; i++)
		if (c->gist_parts[i].kind == GIST_ARG && c->gist_parts[i].arg == arg)
			return c->gist_parts[i].reading;
	return READING_TEXT;
}

static struct err *add_arg(struct trace *t, const struct event *e, const char *arg,
			   struct strbuf *to)
{
	struct value_iter it;
	struct value_node n;
	uint32_t n_objects;
	size_t n_name;
	const uint64_t *objects = trace_event_objects(t, e->seq, &n_objects);
	const char *name = trace_name(t, e->name, &n_name);
	const struct catalog_event *c = catalog_find(name, n_name);
	int at = catalog_arg_find(c, minor_of(t, e->process), arg, strlen(arg));

	value_iter_init(&it, t, e->args, objects, n_objects);
	if (at < 0 || !value_iter_next(&it, &n) || n.tag != VALUE_TUPLE ||
	    n.n_children <= (uint32_t)at)
		return err_create(ERR_NOT_FOUND, "%.*s has no argument %s", (int)n_name, name, arg);
	for (int i = 0; i <= at && value_iter_next(&it, &n); i++)
		if (i < at)
			value_iter_skip(&it, &n);
	gist_add_value(to, &it, &n, reading_of(c, at));
	return NULL;
}

static void add_function(struct trace *t, const struct event *e, struct strbuf *to)
{
	struct frame_info f;
	size_t n;
	uint32_t frame = trace_caller(t, e->stack);

	if (frame && trace_frame(t, frame, &f)) {
		const char *function = trace_string(t, f.function, &n);

		strbuf_add(to, function, n);
	}
}

static struct err *add_truth(const struct lesson_step *s, struct trace *t, uint64_t n,
			     const struct event *e, struct strbuf *to)
{
	size_t n_bytes;
	const char *name;

	switch (s->kind) {
	case LESSON_NUMBER:
	case LESSON_GUESS: strbuf_add_u64(to, n); return NULL;
	case LESSON_YES: strbuf_adds(to, n ? "yes" : "no"); return NULL;
	case LESSON_EVENT:
	case LESSON_FUNCTION:
	case LESSON_ARG:
	case LESSON_LAST:
	case LESSON_ANSWER_COUNT: break;
	}
	if (n == 0)
		return err_create(ERR_NOT_FOUND, "no event of the program matches \"%s\"",
				  s->truth_filter);
	if (s->kind == LESSON_FUNCTION) {
		add_function(t, e, to);
		return NULL;
	}
	if (s->kind != LESSON_EVENT)
		return add_arg(t, e, s->arg, to);
	name = trace_name(t, e->name, &n_bytes);
	strbuf_add(to, name, n_bytes);
	return NULL;
}

/* own NULL: all events count */
static struct err *find_truth(const struct lesson_step *s, struct trace *t, const struct own *own,
			      struct strbuf *ret)
{
	/* "event" matches all events: what the whole program did. */
	const char *text = strcmp(s->truth_filter, "event") == 0 ? "" : s->truth_filter;
	CLEANUP(filter) struct filter *filter = NULL;
	CLEANUP(filter_run) struct filter_run *run = NULL;
	struct event e, found = { 0 };
	uint64_t n = 0;
	struct err *err = filter_compile(text, strlen(text), t, &filter);

	if (!err)
		err = filter_run_create(t, filter, NULL, &run);
	if (!err)
		err = filter_run_step(run, UINT64_MAX, NULL);
	if (err)
		return err;
	const struct selection *rows = filter_run_rows(run);

	for (uint64_t seq = 0; seq < (own ? own->n : trace_n_events(t)); seq++) {
		if ((own && own->roles[seq] != OWN_CODE) || !selection_has(rows, seq) ||
		    !trace_event(t, seq, &e))
			continue;
		if (n++ == 0 || s->kind == LESSON_LAST)
			found = e;
	}
	return add_truth(s, t, n, &found, ret);
}

struct err *lesson_truth(const struct lesson_step *s, struct trace *t, const struct own *own,
			 struct strbuf *ret)
{
	return find_truth(s, t, own, ret);
}

struct err *lesson_truth_of_all(const struct lesson_step *s, struct trace *t, struct strbuf *ret)
{
	return find_truth(s, t, NULL, ret);
}

/* Text without spaces and quotes around it. */
static const char *bare(const char *s, size_t *ret_n)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r\n\"'", s[0])) {
		s++;
		n--;
	}
	while (n > 0 && strchr(" \t\r\n\"'().", s[n - 1]))
		n--;
	*ret_n = n;
	return s;
}

bool lesson_is_right(const struct lesson_step *s, const char *truth, const char *answer)
{
	size_t n_truth, n_answer;

	truth = bare(truth, &n_truth);
	answer = bare(answer, &n_answer);
	if (s->kind == LESSON_GUESS)
		return n_answer > 0 && strspn(answer, "0123456789") >= n_answer;
	if (n_answer == 0)
		return false;
	if (s->kind == LESSON_YES) { /* y, n, yes, no; or the word of the reader's language */
		const char *word = truth[0] == 'y' ? tr("yes") : tr("no");

		return (n_answer <= n_truth && strncasecmp(truth, answer, n_answer) == 0) ||
		       (n_answer == strlen(word) && strncmp(word, answer, n_answer) == 0);
	}
	if (s->kind == LESSON_NUMBER)
		return n_answer == n_truth && strncmp(truth, answer, n_answer) == 0;
	if (n_answer > n_truth || strncasecmp(truth + n_truth - n_answer, answer, n_answer) != 0)
		return false;
	return n_answer == n_truth || strchr("./ ", truth[n_truth - n_answer - 1]);
}

bool lesson_is_as_expected(const struct lesson_step *s, const char *truth)
{
	if (!s->expected)
		return true;
	if (s->expected[0] == '>')
		return strtoull(truth, NULL, 10) > strtoull(s->expected + 1, NULL, 10);
	return strcmp(s->expected, truth) == 0;
}

const char *lesson_truth_shown(const struct lesson_step *s, const char *truth)
{
	return s->kind != LESSON_YES ? truth : truth[0] == 'y' ? tr("yes") : tr("no");
}

void lesson_after(struct strbuf *to, const struct lesson_step *s, const char *truth)
{
	static const char mark[] = "{answer}";
	const char *start = tr(s->after), *text = start, *at;

	if (s->kind == LESSON_YES)
		truth = lesson_truth_shown(s, truth);
	while ((at = strstr(text, mark))) {
		strbuf_add(to, text, (size_t)(at - text));
		/* At the start of a sentence it is written as one. */
		bool is_start = at == start;

		if (is_start && s->kind == LESSON_YES && truth[0] >= 'a' && truth[0] <= 'z') {
			strbuf_addc(to, (char)(truth[0] - 'a' + 'A'));
			strbuf_adds(to, truth + 1);
		} else {
			strbuf_adds(to, truth);
		}
		text = at + sizeof(mark) - 1;
	}
	strbuf_adds(to, text);
}
