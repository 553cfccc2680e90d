/*
 * pane_timeline: the number of events over time, in one line for all or a lane per group of themes.
 *
 * It is a narrow strip above the list, or a page of its own where a span can be chosen. Height is
 * the square root of the rate; every lane is drawn to its own height, so that a single dlopen is
 * visible. The part that the list shows is marked; a loss is a gap.
 *
 * Chunks are counted in slices, each once per scale. A chunk that is not counted yet is estimated
 * from its summary.
 */
#include "ui/pane_timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "base/tr.h"
#include "model/first_seen.h"
#include "model/histogram.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/text.h"

enum { BINS_MAX = 400 };

struct timeline {
	struct pane pane;
	uint32_t bins[GROUP_COUNT][BINS_MAX];
	uint64_t totals[GROUP_COUNT];
	uint32_t max[GROUP_COUNT], all[BINS_MAX], all_max;
	uint32_t n_bins;
	/* [GROUP_COUNT][n_bins] of the chunks below n_counted, for this scale */
	uint32_t *counted;
	uint32_t n_counted, counted_bins;
	uint64_t counted_from_ns, counted_to_ns;
	uint64_t from_ns, to_ns; /* the span shown; to_ns grows by halving the cells */
	bool zoomed;
	uint8_t *classes;
	size_t n_classes;
	/* of the page */
	uint32_t cursor; /* bin */
	int64_t mark;    /* bin where the chosen span begins; -1: none */
	int64_t end;     /* bin where it ends; -1: at the cursor */
	uint64_t built_events;
	bool guessed; /* some chunks are not counted yet */
	int built_lines, built_columns;
};

/* The lanes from the top, in the order of the categories: by how far they reach. */
static const struct {
	enum catalog_group group;
	const char *name;
} lanes[] = { { GROUP_NETWORK, N_("network") }, { GROUP_FILES, N_("files") },
	      { GROUP_PROCESS, N_("process") }, { GROUP_CODE, N_("code") },
	      { GROUP_IMPORT, N_("import") },   { GROUP_BELOW, N_("native") },
	      { GROUP_INSIDE, N_("other") } };

static struct err *open_timeline(const struct pane_host *host, struct pane **ret)
{
	struct timeline *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	t->mark = t->end = -1;
	*ret = &t->pane;
	return NULL;
}

static void close_timeline(struct pane *p)
{
	struct timeline *t = (struct timeline *)p;
	free(t->classes);
	free(t->counted);
	free(t);
}

static bool is_page(const struct timeline *t)
{
	const struct pane_host *host = t->pane.host;
	return host->page == PANE_TIMELINE;
}

static int label_width(const struct timeline *t)
{
	return is_page(t)             ? 16
	       : t->pane.n_lines >= 4 ? 19
	       : t->pane.n_lines == 1 ? (t->zoomed ? 9 : 4)
				      : 1;
}

static struct histogram_spec spec_of(const struct timeline *t)
{
	return (struct histogram_spec){ .from_ns = t->from_ns,
					.to_ns = t->to_ns,
					.n_bins = t->n_bins,
					.n_classes = GROUP_COUNT,
					.class_of_name = t->classes };
}

/* The number of chunks that will not grow any more. */
static uint32_t n_whole_chunks(const struct timeline *t)
{
	return (uint32_t)(trace_n_events(t->pane.host->view->trace) >> TRACE_CHUNK_SHIFT);
}

/* Assign each name to its lane, new names too. */
static bool classes_make(struct timeline *t)
{
	struct view *s = t->pane.host->view;
	size_t n = (size_t)trace_n_names(s->trace) + 1;
	uint8_t *classes = n > t->n_classes ? realloc(t->classes, n) : t->classes;
	if (!classes)
		return false;
	t->classes = classes;
	for (; t->n_classes < n; t->n_classes++)
		classes[t->n_classes] =
		    t->n_classes
			? (uint8_t)catalog_themes[view_name(s, (uint32_t)t->n_classes)->theme].group
			: HISTOGRAM_LEAVE_OUT;
	return true;
}

/* If the scale has changed, begin to count again. */
static bool counted_fit(struct timeline *t)
{
	if (t->counted && t->counted_bins == t->n_bins && t->counted_from_ns == t->from_ns &&
	    t->counted_to_ns == t->to_ns)
		return true;
	free(t->counted);
	t->counted = calloc((size_t)GROUP_COUNT * t->n_bins, sizeof(*t->counted));
	t->n_counted = 0;
	t->counted_bins = t->n_bins;
	t->counted_from_ns = t->from_ns;
	t->counted_to_ns = t->to_ns;
	return t->counted != NULL;
}

static void fill(struct timeline *t)
{
	const struct pane_host *host = t->pane.host;
	struct view *s = host->view;
	const struct trace_about *about = trace_about_get(s->trace);
	int width = t->pane.n_columns - label_width(t) - (t->pane.n_lines == 1 ? 8 : 2);
	t->n_bins = width < 8 ? 8 : width > BINS_MAX ? BINS_MAX : (uint32_t)width;
	if (!t->zoomed) {
		t->from_ns = 0;
		uint64_t end = about->last_ns + 1;
		if (view_is_live(s)) {
			/* Change the scale only by halving the cells: the span doubles when it is
			 * full. */
			if (t->to_ns < 2000000000u)
				t->to_ns = 2000000000u;
			while (t->to_ns < end)
				t->to_ns *= 2;
		} else {
			t->to_ns = end;
		}
	}
	if (t->to_ns <= t->from_ns)
		t->to_ns = t->from_ns + 1;
	uint32_t *bins = calloc((size_t)GROUP_COUNT * t->n_bins, sizeof(*bins));
	if (!bins || !classes_make(t)) {
		free(bins);
		return;
	}
	memset(t->totals, 0, sizeof(t->totals));
	const uint64_t *counts = trace_count_by_name(s->trace);
	for (uint32_t id = 1; id < t->n_classes; id++)
		t->totals[t->classes[id]] += counts[id];
	struct histogram_spec spec = spec_of(t);
	bool exact = true;
	if (counted_fit(t))
		memcpy(bins, t->counted, (size_t)GROUP_COUNT * t->n_bins * sizeof(*bins));
	uint32_t n_chunks = trace_n_chunks(s->trace), n_whole = n_whole_chunks(t);
	t->guessed = t->n_counted < n_whole;
	for (uint32_t chunk = t->n_counted; chunk < n_chunks; chunk++) {
		if (chunk < n_whole) {
			histogram_guess(s->trace, &spec, chunk, bins);
		} else { /* the last chunk may still grow, so it is counted each time */
			struct err *err = histogram_add(s->trace, &spec, chunk, bins, &exact);
			err_destroy(err);
		}
	}
	t->all_max = 0;
	memset(t->all, 0, sizeof(t->all));
	for (int g = 0; g < GROUP_COUNT; g++) {
		t->max[g] = 0;
		for (uint32_t b = 0; b < t->n_bins; b++) {
			uint32_t v = bins[(uint32_t)g * t->n_bins + b];
			t->bins[g][b] = v;
			t->all[b] += v;
			if (v > t->max[g])
				t->max[g] = v;
		}
	}
	for (uint32_t b = 0; b < t->n_bins; b++)
		if (t->all[b] > t->all_max)
			t->all_max = t->all[b];
	if (t->cursor >= t->n_bins)
		t->cursor = t->n_bins - 1;
	free(bins);
	t->built_events = s->n_events;
	t->built_lines = t->pane.n_lines;
	t->built_columns = t->pane.n_columns;
}

static uint32_t bin_of(const struct timeline *t, uint64_t ns)
{
	if (ns <= t->from_ns)
		return 0;
	double b = (double)(ns - t->from_ns) / (double)(t->to_ns - t->from_ns) * t->n_bins;
	return b >= t->n_bins ? t->n_bins - 1 : (uint32_t)b;
}

static void update_timeline(struct pane *p, unsigned changes)
{
	struct timeline *t = (struct timeline *)p;
	bool other_size = t->built_lines != p->n_lines || t->built_columns != p->n_columns;
	bool grown = changes & (CHANGE_TICK | CHANGE_SIZE) &&
		     t->built_events != p->host->view->n_events;
	if (other_size || grown || !t->n_bins)
		fill(t);
	/* opened as a page: begin at the place of the list */
	struct event e;
	if (changes == CHANGE_ALL && t->mark < 0 && !t->zoomed &&
	    p->host->cursor_seq != SELECTION_NONE &&
	    trace_event(p->host->view->trace, p->host->cursor_seq, &e))
		t->cursor = bin_of(t, e.time_ns);
}

/* Count whole chunks once they are in memory. */
static bool work_timeline(struct pane *p, uint64_t budget_ns)
{
	struct timeline *t = (struct timeline *)p;
	struct view *s = p->host->view;
	uint32_t n = n_whole_chunks(t);
	if (!t->n_bins || s->load_done < 1 || !classes_make(t) || !counted_fit(t) ||
	    t->n_counted >= n)
		return false;
	struct histogram_spec spec = spec_of(t);
	uint64_t begin_ns = monotonic_ns();
	while (t->n_counted < n && monotonic_ns() - begin_ns < budget_ns) {
		bool exact = true;
		struct err *err = histogram_add(s->trace, &spec, t->n_counted, t->counted, &exact);
		err_destroy(err);
		t->n_counted++;
	}
	if (t->n_counted == n && t->guessed) {
		fill(t);
		host_redraw(p->host);
	}
	return t->n_counted < n;
}

static uint64_t bin_ns(const struct timeline *t, uint32_t bin)
{
	return t->from_ns + (uint64_t)((double)(t->to_ns - t->from_ns) * bin / t->n_bins);
}

/* Get the times of the first and last row on the list's page. */
static bool page_span(const struct timeline *t, uint64_t *ret_from, uint64_t *ret_to)
{
	const struct pane_host *host = t->pane.host;
	const struct pane *list = host_pane(host, PANE_EVENTS);
	struct line line;
	struct event e;
	if (!list || !list->list.n)
		return false;
	uint64_t last = list->list.top +
			(uint64_t)(list->list.n_lines > 0 ? list->list.n_lines - 1 : 0);
	if (last >= list->list.n)
		last = list->list.n - 1;
	if (!view_line(host->view, list->list.top, &line) ||
	    !trace_event(host->view->trace, line.seq, &e))
		return false;
	*ret_from = e.time_ns;
	if (!view_line(host->view, last, &line) || !trace_event(host->view->trace, line.seq, &e))
		return false;
	*ret_to = e.time_ns;
	return true;
}

static void spark(const struct timeline *t, struct area a, int y, int x, const uint32_t *bins,
		  uint32_t max, enum role role)
{
	struct strbuf b = { 0 };
	text_spark(&b, bins, t->n_bins, max);
	area_put(a, y, x, (int)t->n_bins, role, strbuf_str(&b));
	strbuf_fini(&b);
}

/* Mark losses at the times at which they happened. */
static void mark_losses(const struct timeline *t, struct area a, int y, int x)
{
	struct view *s = t->pane.host->view;
	for (size_t i = 0; i < s->notes.n; i++) {
		const struct trace_note *n = trace_note_get(s->trace, s->notes.v[i]);
		if (n->note.kind == NOTE_LOST && n->note.time_ns >= t->from_ns &&
		    n->note.time_ns < t->to_ns)
			area_put(a, y, x + (int)bin_of(t, n->note.time_ns), 1, ROLE_TROUBLE, "!");
	}
}

/* The decimals of a second that times need if `step` seconds are to be seen in them. */
static int decimals_for(double step)
{
	int decimals = 0;
	for (double unit = 1; decimals < 9 && unit > step * 1.000001; unit /= 10)
		decimals++;
	return decimals;
}

/* The decimals of all times of the page: the next cell has another time. */
static int cell_decimals(const struct timeline *t)
{
	enum { DECIMALS_LEAST = 3 }; /* as the list has */
	int decimals = decimals_for((double)(t->to_ns - t->from_ns) / 1e9 / t->n_bins);
	return decimals > DECIMALS_LEAST ? decimals : DECIMALS_LEAST;
}

static void scale(const struct timeline *t, struct area a, int y, int x)
{
	/* Steps are round numbers: at most one label in 16 cells. */
	static const double steps[] = { 1e-6, 2e-6,  5e-6,  1e-5,  2e-5,  5e-5, 1e-4, 2e-4,
					5e-4, 1e-3,  2e-3,  5e-3,  .01,   .02,  .05,  .1,
					.2,   .5,    1,     2,     5,     10,   15,   30,
					60,   120,   240,   300,   600,   900,  1800, 3600,
					7200, 14400, 43200, 86400, 604800 };
	double span = (double)(t->to_ns - t->from_ns) / 1e9, per_cell = span / t->n_bins;
	size_t i = 0;
	while (i + 1 < ARRAY_LEN(steps) && steps[i] / per_cell < 16)
		i++;
	double step = steps[i];
	double first = (double)(uint64_t)((double)t->from_ns / 1e9 / step) * step;
	for (double at = first; at * 1e9 < (double)t->to_ns; at += step) {
		if (at * 1e9 + 1 < (double)t->from_ns)
			continue;
		int column = x + (int)((at - (double)t->from_ns / 1e9) / per_cell + 0.5);
		char text[32];
		if (at == 0)
			snprintf(text, sizeof(text), "0s");
		else if (step >= 60)
			snprintf(text, sizeof(text), at >= 3600 ? "%.0fh%02.0fm" : "%.0fm",
				 at >= 3600 ? (double)(int)(at / 3600) : at / 60,
				 at >= 3600 ? (double)((int)(at / 60) % 60) : 0);
		else if (step >= 1)
			snprintf(text, sizeof(text), "%.0fs", at);
		else
			snprintf(text, sizeof(text), "%.*fs", decimals_for(step), at);
		if (column + (int)strlen(text) <= x + (int)t->n_bins)
			area_put(a, y, column, -1, ROLE_DIM, text);
	}
}

/* Append the time at an edge of the strip, as precisely as the span needs. */
static void edge_text(struct strbuf *to, const struct timeline *t, uint64_t ns)
{
	enum { EDGE_MAX = 7 };
	uint64_t span = t->to_ns - t->from_ns;
	if (!ns) {
		strbuf_adds(to, "0s");
	} else if (t->zoomed && span < 10000000000u) {
		char text[32];
		int decimals = cell_decimals(t);
		while (snprintf(text, sizeof(text), "%.*fs", decimals, (double)ns / 1e9) >
			   EDGE_MAX &&
		       decimals > 0)
			decimals--;
		strbuf_adds(to, text);
	} else if (ns < 10000000000u) {
		strbuf_addf(to, "%.1fs", (double)ns / 1e9);
	} else {
		text_age(to, ns);
	}
}

/* Append a time in seconds that a filter reads back as the same nanosecond. */
static void exact_time(struct strbuf *to, uint64_t ns)
{
	strbuf_addf(to, "%llu.%09llu", (unsigned long long)(ns / 1000000000u),
		    (unsigned long long)(ns % 1000000000u));
	while (strbuf_str(to)[to->n - 1] == '0' && strbuf_str(to)[to->n - 2] != '.')
		strbuf_cut(to, to->n - 1);
	strbuf_addc(to, 's');
}

static void add_span_term(struct strbuf *to, uint64_t from_ns, uint64_t to_ns)
{
	strbuf_adds(to, "time >= ");
	exact_time(to, from_ns);
	strbuf_adds(to, " and time < ");
	exact_time(to, to_ns);
}

static void draw_strip(const struct timeline *t, struct area a)
{
	uint64_t from, to;
	bool page = page_span(t, &from, &to);
	uint32_t p0 = page ? bin_of(t, from) : 0, p1 = page ? bin_of(t, to) : 0;
	if (a.n_lines == 1) {
		int x = label_width(t);
		struct strbuf b = { 0 };
		edge_text(&b, t, t->from_ns);
		area_put(a, 0, 1, x - 2, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		spark(t, a, 0, x, t->all, t->all_max, ROLE_DIM);
		mark_losses(t, a, 0, x);
		edge_text(&b, t, t->to_ns);
		area_put_right(a, 0, a.n_columns - 8, 7, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
		if (page) {
			area_mark(a, 0, x + (int)p0, (int)(p1 - p0) + 1, CELL_REVERSE, ROLE_COUNT);
		}
		return;
	}
	int x = label_width(t), y = 0;
	if (a.n_lines < 4) {
		spark(t, a, 0, x, t->all, t->all_max, ROLE_DIM);
		mark_losses(t, a, 0, x);
		y = 1;
	} else {
		int n = a.n_lines - 1;
		size_t shown = 0;
		for (size_t i = 0; i < ARRAY_LEN(lanes) && y < n; i++) {
			enum catalog_group g = lanes[i].group;
			/* the lane of native code is shown even if its events are rare; import and
			 * inside are left out first */
			if (n < (int)ARRAY_LEN(lanes) && (g == GROUP_IMPORT || g == GROUP_INSIDE))
				continue;
			struct strbuf b = { 0 };
			area_put(a, y, 1, 8, ROLE_DIM, tr(lanes[i].name));
			text_count(&b, t->totals[g], 8);
			area_put_right(a, y, 9, 8, ROLE_DIM, strbuf_str(&b));
			strbuf_fini(&b);
			spark(t, a, y, x, t->bins[g], t->max[g], ROLE_DIM);
			y++;
			shown++;
		}
		(void)shown;
		mark_losses(t, a, y - 1, x);
	}
	if (y < a.n_lines) {
		scale(t, a, y, x);
		if (page) {
			if (p0 == p1) {
				area_put(a, y, x + (int)p0, 1, ROLE_FOCUS, "┘");
			} else {
				area_put(a, y, x + (int)p0, 1, ROLE_FOCUS, "└");
				area_fill(a, y, x + (int)p0 + 1, (int)(p1 - p0) - 1, ROLE_FOCUS,
					  "─");
				area_put(a, y, x + (int)p1, 1, ROLE_FOCUS, "┘");
			}
		}
	}
}

static void span_bins(const struct timeline *t, uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t a = t->mark >= 0 ? (uint32_t)t->mark : t->cursor;
	uint32_t b = t->mark >= 0 && t->end >= 0 ? (uint32_t)t->end : t->cursor;
	*ret_from = a < b ? a : b;
	*ret_to = (a < b ? b : a) + 1;
}

static void draw_page(const struct timeline *t, struct area a)
{
	const struct pane_host *host = t->pane.host;
	struct view *s = host->view;
	int x = label_width(t), y = 0;
	for (size_t i = 0; i < ARRAY_LEN(lanes) && y < a.n_lines - 2; i++, y++) {
		enum catalog_group g = lanes[i].group;
		struct strbuf b = { 0 };
		area_put(a, y, 1, 8, ROLE_TEXT, tr(lanes[i].name));
		text_count(&b, t->totals[g], 7);
		area_put_right(a, y, 8, 7, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
		spark(t, a, y, x, t->bins[g], t->max[g],
		      g == GROUP_IMPORT
			  ? ROLE_DIM
			  : view_role(catalog_themes[THEME_NETWORK].group == g ? THEME_NETWORK
				      : g == GROUP_FILES                       ? THEME_FILESYSTEM
				      : g == GROUP_PROCESS                     ? THEME_PROCESS
				      : g == GROUP_CODE  ? THEME_CODE_EXECUTION
				      : g == GROUP_BELOW ? THEME_NATIVE
							 : THEME_INTROSPECTION));
	}
	mark_losses(t, a, y - 1, x);
	uint32_t from, to;
	span_bins(t, &from, &to);
	area_fill(a, y, x, (int)t->n_bins, ROLE_DIM, "─");
	area_put(a, y, x + (int)from, 1, ROLE_FOCUS, "┗");
	area_fill(a, y, x + (int)from + 1, (int)(to - from) - 1, ROLE_FOCUS, "━");
	area_put(a, y, x + (int)to - (to - from > 1), 1, ROLE_FOCUS, "┛");
	for (int line = 0; line < y; line++)
		area_mark(a, line, x + (int)t->cursor, 1, CELL_BAR, ROLE_COUNT);
	scale(t, a, y + 1, x);
	y += 3;
	if (y + 2 >= a.n_lines)
		return;
	area_put(a, y, 1, -1, ROLE_TEXT, tr("in the span"));
	area_put(a, y, a.n_columns * 28 / 80, -1, ROLE_TEXT, tr("first of their kind"));
	uint64_t from_ns = bin_ns(t, from), to_ns = bin_ns(t, to);
	uint64_t first_seq = trace_seq_at(s->trace, from_ns),
		 last_seq = trace_seq_at(s->trace, to_ns);
	int line = y + 1, column = 2, name_w = 8;
	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		int w = text_width(tr(lanes[i].name), strlen(tr(lanes[i].name))) + 1;
		name_w = w > name_w ? w : name_w;
	}
	for (size_t i = 0; i < ARRAY_LEN(lanes) && line < a.n_lines; i++) {
		uint64_t n = 0;
		for (uint32_t b = from; b < to && b < t->n_bins; b++)
			n += t->bins[lanes[i].group][b];
		if (!n)
			continue;
		struct strbuf b = { 0 };
		strbuf_add_count(&b, n);
		area_put(a, line, column, name_w, ROLE_TEXT, tr(lanes[i].name));
		area_put(a, line, column + name_w, 12, ROLE_TEXT, strbuf_str(&b));
		strbuf_fini(&b);
		line++;
	}
	/* the latest of the first events in the span */
	struct selection *first = first_seen_rows(s->first);
	int decimals = cell_decimals(t),
	    time_w = event_text_time_width(s, TIME_START, decimals) + 2;
	uint64_t at = last_seq;
	line = y + 1;
	while (line < a.n_lines && at > first_seq) {
		at = selection_prev(first, at - 1);
		if (at == SELECTION_NONE || at < first_seq)
			break;
		struct event e;
		if (!trace_event(s->trace, at, &e))
			break;
		struct strbuf b = { 0 };
		int c = a.n_columns * 28 / 80;
		area_put(a, line, c + 1, 1, ROLE_TEXT, "•");
		event_text_time(&b, s, e.time_ns, 0, TIME_START, decimals);
		area_put_right(a, line, c + 3, time_w, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		event_text_name(&b, s, e.name);
		c += time_w + 4;
		int used = area_put_cut(a, line, c, 24, view_name(s, e.name)->role, strbuf_str(&b));
		strbuf_clear(&b);
		event_text_gist(&b, s, &e, a.n_columns - c - 2 - used);
		area_put(a, line, c + 2 + used, -1, ROLE_TEXT, strbuf_str(&b));
		strbuf_fini(&b);
		line++;
	}
}

static void draw_timeline(const struct pane *p, struct area a)
{
	const struct timeline *t = (const struct timeline *)p;
	if (!t->n_bins)
		return;
	if (is_page(t))
		draw_page(t, a);
	else
		draw_strip(t, a);
	if (!is_page(t) && pane_has_focus(p))
		area_put(a, 0, 0, 1, ROLE_FOCUS, "▌");
}

static void use_span(struct timeline *t)
{
	const struct pane_host *host = t->pane.host;
	uint32_t from, to;
	span_bins(t, &from, &to);
	struct strbuf b = { 0 };
	uint64_t from_ns = bin_ns(t, from), to_ns = bin_ns(t, to);
	add_span_term(&b, from_ns, to_ns);
	host_close_pages(host, ALL_PAGES);
	host_narrow(host, strbuf_str(&b), false);
	strbuf_fini(&b);
}

static void step(struct timeline *t, int64_t by)
{
	int64_t at = (int64_t)t->cursor + by;
	t->cursor = at < 0 ? 0 : at >= (int64_t)t->n_bins ? t->n_bins - 1 : (uint32_t)at;
}

static bool act_timeline(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct timeline *t = (struct timeline *)p;
	int64_t n = count ? (int64_t)(count < BINS_MAX ? count : BINS_MAX) : 1;
	switch ((int)action) {
	case ACTION_LEFT:
	case ACTION_UP: step(t, -n); break;
	case ACTION_RIGHT:
	case ACTION_DOWN: step(t, n); break;
	case ACTION_PAGE_UP: step(t, -10 * n); break;
	case ACTION_PAGE_DOWN: step(t, 10 * n); break;
	case ACTION_TOP: step(t, -BINS_MAX); break;
	case ACTION_BOTTOM: step(t, BINS_MAX); break;
	case ACTION_TOGGLE:
		if (t->mark < 0 || t->end >= 0) { /* begin a span, also after a complete one */
			t->mark = (int64_t)t->cursor;
			t->end = -1;
		} else {
			t->end = (int64_t)t->cursor;
			host_flash(p->host,
				   "Enter shows the span, z zooms into it, Space begins another");
		}
		if (!is_page(t))
			host_open_page(p->host, PANE_TIMELINE);
		break;
	case ACTION_FOLD: { /* zoom in */
		uint32_t from, to;
		span_bins(t, &from, &to);
		if (t->zoomed && to - from <= 1) {
			t->zoomed = false;
			t->to_ns = 0;
		} else {
			uint64_t from_ns = bin_ns(t, from), to_ns = bin_ns(t, to);
			t->from_ns = from_ns;
			t->to_ns = to_ns > from_ns ? to_ns : from_ns + 1;
			t->zoomed = true;
			t->cursor = 0;
			host_flash(p->host, "zoomed: z without a span shows all again");
		}
		t->mark = t->end = -1;
		fill(t);
		break;
	}
	case ACTION_OPEN:
		if (!is_page(t))
			host_open_page(p->host, PANE_TIMELINE);
		else
			use_span(t);
		break;
	case ACTION_FIRST_NEXT:
	case ACTION_FIRST_PREV: {
		struct selection *first = first_seen_rows(p->host->view->first);
		uint64_t seq = trace_seq_at(
		    p->host->view->trace,
		    bin_ns(t, action == ACTION_FIRST_NEXT ? t->cursor + 1 : t->cursor));
		seq = action == ACTION_FIRST_NEXT ? selection_next(first, seq)
		      : seq                       ? selection_prev(first, seq - 1)
						  : SELECTION_NONE;
		struct event e;
		if (seq != SELECTION_NONE && trace_event(p->host->view->trace, seq, &e))
			t->cursor = bin_of(t, e.time_ns);
		break;
	}
	case ACTION_CANCEL:
		if (t->mark < 0)
			return false;
		t->mark = t->end = -1;
		break;
	default: return false;
	}
	return true;
}

/* A drag with the mouse: from and to are columns of the pane. */
void pane_timeline_drag(struct pane *p, int from, int to, bool done)
{
	struct timeline *t = (struct timeline *)p;
	int x = label_width(t);
	int a = from - x, b = to - x;
	if (a < 0)
		a = 0;
	if (b < 0)
		b = 0;
	t->end = -1;
	t->mark = a < (int)t->n_bins ? a : (int)t->n_bins - 1;
	t->cursor = b < (int)t->n_bins ? (uint32_t)b : t->n_bins - 1;
	if (!done)
		return;
	if (a == b) { /* a click moves the cursor there */
		uint64_t seq = trace_seq_at(p->host->view->trace, bin_ns(t, t->cursor));
		t->mark = -1;
		if (seq < p->host->view->n_events)
			host_goto(p->host, seq);
	} else {
		use_span(t);
		t->mark = -1;
	}
}

static void title_timeline(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct timeline *t = (const struct timeline *)p;
	uint32_t from, to;
	if (!t->n_bins)
		return;
	(void)subject;
	span_bins(t, &from, &to);
	uint64_t n = 0;
	for (uint32_t b = from; b < to && b < t->n_bins; b++)
		n += t->all[b];
	int decimals = cell_decimals(t);
	strbuf_addf(facts, "%.*f … %.*f s · ", decimals, (double)bin_ns(t, from) / 1e9, decimals,
		    (double)bin_ns(t, to) / 1e9);
	if (n)
		strbuf_add_count(facts, n);
	else
		strbuf_addc(facts, '0');
	strbuf_adds(facts, tr(n == 1 ? " event, " : " events, "));
	text_duration(facts, bin_ns(t, to) - bin_ns(t, from));
}

static bool term_timeline(const struct pane *p, struct strbuf *to)
{
	const struct timeline *t = (const struct timeline *)p;
	uint32_t from, end;
	span_bins(t, &from, &end);
	add_span_term(to, bin_ns(t, from), bin_ns(t, end));
	return true;
}

const struct pane_ops pane_timeline_ops = {
	.open = open_timeline,
	.close = close_timeline,
	.update = update_timeline,
	.draw = draw_timeline,
	.work = work_timeline,
	.act = act_timeline,
	.title = title_timeline,
	.term = term_timeline,
};
