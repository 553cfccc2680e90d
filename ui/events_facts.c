/*
 * events_facts: see events_facts.h.
 */
#include "ui/events_facts.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "model/folds.h"
#include "ui/hits.h"
#include "ui/pane_host.h"
#include "ui/panes.h"
#include "ui/search.h"
#include "ui/text.h"
#include "ui/view.h"

static void add_lost(struct strbuf *to, struct view *s)
{
	uint64_t lost = trace_n_lost(s->trace);
	if (!lost)
		return;
	strbuf_add_count(to, lost);
	strbuf_adds(to, tr(" lost"));
}

static void add_shown(struct strbuf *to, struct view *s, bool is_wide)
{
	if (!s->filter && !is_wide)
		return;
	if (s->filter && s->filter_done < 1)
		strbuf_addf(to, tr("counting %.0f %% · "), s->filter_done * 100);
	if (s->filter) {
		strbuf_add_count(to, view_n_shown(s));
		strbuf_adds(to, tr(" of "));
	} else {
		strbuf_adds(to, tr("all "));
	}
	strbuf_add_count(to, s->n_events);
}

static void add_folds(struct strbuf *to, struct view *s, bool is_wide)
{
	if (!s->fold_on || !folds_n(s->folds))
		return;
	if (!is_wide || s->filter) {
		strbuf_adds(to, tr("imports folded"));
		return;
	}
	strbuf_add_count(to, folds_n(s->folds));
	strbuf_adds(to, tr(folds_n(s->folds) == 1 ? " fold" : " folds"));
}

/* "hit 3 of 41"; a "+" says that not all events were counted yet. */
static void add_hits(struct strbuf *to, const struct events_facts *f)
{
	const struct pane_host *host = f->pane->host;
	uint64_t place, n;
	if (f->is_searching) {
		strbuf_addf(to, tr("searching %.0f %%, Esc stops"), f->searched * 100);
		return;
	}
	if (!search_is_on(host->search))
		return;
	bool is_whole = hits_place(f->hits, host->view, host->search, host->cursor_seq, &place, &n);
	if (place) {
		strbuf_adds(to, tr("hit "));
		strbuf_add_count(to, place);
		strbuf_adds(to, tr(" of "));
	}
	strbuf_add_count(to, n);
	strbuf_adds(to, is_whole ? "" : "+");
	if (!place)
		strbuf_adds(to, tr(n == 1 && is_whole ? " hit" : " hits"));
}

/* How much of the position is shown: "row 812", "row 812 of 2 876", "row 812 of 2 876 · event
 * 17 341"; the event by its number, as :goto takes it. */
enum position { POSITION_NONE, POSITION_ROW, POSITION_OF, POSITION_EVENT };

static void add_position(struct strbuf *to, const struct events_facts *f, enum position how,
			 uint64_t row, uint64_t event)
{
	strbuf_adds(to, tr("row "));
	strbuf_add_count(to, row);
	if (how < POSITION_OF)
		return;
	strbuf_adds(to, tr(" of "));
	strbuf_add_count(to, f->pane->list.n);
	if (how < POSITION_EVENT || event == SELECTION_NONE)
		return;
	strbuf_adds(to, tr(" · event "));
	strbuf_add_count(to, event);
}

/* As much of the position as fits with the largest numbers, so that nothing comes and goes while
 * the cursor moves; *room becomes what is left. */
static enum position fitting_position(const struct events_facts *f, uint64_t n_events, int *room)
{
	enum position how = f->pane->list.n ? POSITION_EVENT : POSITION_NONE;
	for (; how > POSITION_NONE; how--) {
		struct strbuf widest = { 0 };
		add_position(&widest, f, how, f->pane->list.n, n_events);
		int width = text_width(strbuf_str(&widest), widest.n) + 3;
		strbuf_fini(&widest);
		if (width <= *room) {
			*room -= width;
			break;
		}
	}
	return how;
}

static void add_follow(struct strbuf *to, const struct pane *p)
{
	struct view *s = p->host->view;
	if (p->host->following) {
		strbuf_adds(to, tr("following"));
	} else if (view_is_live(s) && p->list.n > p->list.top + (uint64_t)p->n_lines) {
		strbuf_addc(to, '+');
		strbuf_add_count(to, p->list.n - p->list.top - (uint64_t)p->n_lines);
		strbuf_adds(to, tr(" below"));
	} else if (!view_is_live(s) && s->has_ended && !s->filter) {
		strbuf_adds(to, tr("ended"));
	}
}

enum { FACT_SHOWN, FACT_FOLDS, FACT_LOST, FACT_HITS, FACT_POSITION, FACT_FOLLOW, FACT_COUNT };

/* Folds give way to the position, the position to the others. */
void events_facts_add(const struct events_facts *f, struct strbuf *facts)
{
	const struct pane *p = f->pane;
	struct view *s = p->host->view;
	const char *subject = s->filter_text;
	struct strbuf part[FACT_COUNT] = { 0 };
	add_shown(&part[FACT_SHOWN], s, p->host->n_columns >= 160);
	add_folds(&part[FACT_FOLDS], s, p->host->n_columns >= 120);
	add_lost(&part[FACT_LOST], s);
	add_hits(&part[FACT_HITS], f);
	add_follow(&part[FACT_FOLLOW], p);
	const char *title = tr(panes[p->id].title);
	/* as frame_draw_title() lays them out; the last part has no " · " */
	int room = p->n_columns - 8 - text_width(title, strlen(title)) -
		   text_width(subject, strlen(subject)) + 3;
	for (int i = 0; i < FACT_COUNT; i++)
		if (part[i].n && i != FACT_FOLDS)
			room -= text_width(strbuf_str(&part[i]), part[i].n) + 3;
	enum position how = fitting_position(f, s->n_events, &room);
	if (how)
		add_position(&part[FACT_POSITION], f, how, p->list.cursor + 1,
			     f->on_note ? SELECTION_NONE : p->host->cursor_seq);
	int folds_w = text_width(strbuf_str(&part[FACT_FOLDS]), part[FACT_FOLDS].n) + 3;
	for (int i = 0; i < FACT_COUNT; i++) {
		if (part[i].n && (i != FACT_FOLDS || folds_w <= room || !part[FACT_POSITION].n)) {
			strbuf_adds(facts, facts->n ? " · " : "");
			strbuf_adds(facts, strbuf_str(&part[i]));
		}
		strbuf_fini(&part[i]);
	}
}
