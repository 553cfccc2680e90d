/*
 * hits: see hits.h. Events [0, n_counted) were looked at; those that hit are in a selection.
 */
#include "ui/hits.h"

#include <stdlib.h>

#include "base/monotonic.h"
#include "base/strbuf.h"
#include "model/selection.h"
#include "model/trace.h"
#include "ui/event_row.h"
#include "ui/search.h"
#include "ui/skim.h"
#include "ui/view.h"

struct hits {
	struct skim *skim;
	struct selection *rows;
	uint64_t n_counted;
	unsigned search, filter; /* generations of what was counted */
	unsigned lines;          /* likewise, if times are those since the line above */
	struct row_look look;
};

struct hits *hits_create(void)
{
	CLEANUP(hits) struct hits *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->skim = skim_create();
	struct err *err = selection_create(0, false, &h->rows);
	if (err || !h->skim) {
		err_destroy(err);
		return NULL;
	}
	return take_ptr(h);
}

void hits_destroy(struct hits *h)
{
	if (!h)
		return;
	skim_destroy(h->skim);
	selection_destroy(h->rows);
	free(h);
}

static bool is_current(const struct hits *h, const struct view *s, const struct search *search)
{
	return h->search == search->generation && h->filter == s->filter_generation &&
	       (h->look.time_mode != TIME_DELTA || h->lines == s->generation);
}

static void follow(struct hits *h, const struct view *s, const struct search *search)
{
	if (is_current(h, s, search))
		return;
	h->search = search->generation;
	h->filter = s->filter_generation;
	h->lines = s->generation;
	h->n_counted = 0;
	struct err *err = selection_resize(h->rows, 0, false);
	err_destroy(err); /* shorter cannot fail */
	skim_begin(h->skim, search, &h->look);
}

void hits_look(struct hits *h, const struct row_look *look)
{
	if (row_look_is_same(&h->look, look))
		return;
	h->look = *look;
	h->search = 0; /* no search has this number */
}

static bool is_hit(struct hits *h, struct view *s, const struct search *search, uint64_t seq)
{
	struct event event;
	if (!trace_event(s->trace, seq, &event) || !skim_may_match(h->skim, s, &event))
		return false;
	struct strbuf b = { 0 };
	event_text_line(&b, s, &event);
	bool found = search_match(search, strbuf_str(&b), b.n);
	if (!found) { /* as it is drawn: shortened, decoded, folded */
		strbuf_clear(&b);
		event_row_text(&b, s, &event, &h->look);
		found = search_match(search, strbuf_str(&b), b.n);
	}
	strbuf_fini(&b);
	return found;
}

bool hits_has(struct hits *h, struct view *s, const struct search *search, uint64_t seq)
{
	follow(h, s, search);
	if (seq < h->n_counted)
		return selection_has(h->rows, seq);
	return selection_has(s->shown, seq) && is_hit(h, s, search, seq);
}

bool hits_work(struct hits *h, struct view *s, const struct search *search, uint64_t budget_ns,
	       bool *ret_changed)
{
	follow(h, s, search);
	uint64_t n = view_n_decided(s), begin_ns = monotonic_ns();
	if (h->n_counted >= n)
		return false;
	*ret_changed = true;
	skim_begin(h->skim, search, &h->look); /* threads may have got their names */
	struct err *err = selection_resize(h->rows, n, false);
	if (err) { /* what is known so far is shown, with its "+" */
		err_destroy(err);
		return false;
	}
	for (unsigned i = 1; h->n_counted < n; i++) {
		uint64_t at = selection_next(s->shown, h->n_counted);
		if (at >= n) { /* also SELECTION_NONE */
			h->n_counted = n;
			break;
		}
		if (is_hit(h, s, search, at))
			selection_set(h->rows, at, true);
		h->n_counted = at + 1;
		if (i % 64 == 0)
			trace_trim(s->trace);
		if (i % 16 == 0 && monotonic_ns() - begin_ns >= budget_ns)
			return true;
	}
	return false;
}

uint64_t hits_skip(struct hits *h, const struct view *s, const struct search *search, uint64_t seq,
		   bool forward)
{
	follow(h, s, search);
	if (seq >= h->n_counted)
		return seq;
	if (!forward)
		return selection_prev(h->rows, seq);
	uint64_t at = selection_next(h->rows, seq);
	return at < h->n_counted ? at : h->n_counted;
}

bool hits_place(struct hits *h, const struct view *s, const struct search *search, uint64_t seq,
		uint64_t *ret_place, uint64_t *ret_n)
{
	*ret_place = *ret_n = 0;
	if (!is_current(h, s, search))
		return false;
	*ret_n = selection_count(h->rows);
	if (seq < h->n_counted && selection_has(h->rows, seq))
		*ret_place = selection_rank(h->rows, seq) + 1;
	return h->n_counted >= s->n_events;
}
