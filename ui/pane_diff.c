/*
 * pane_diff: what the capture on the screen (B) does that another one (A) does not, and vice versa,
 * ordered by reach: what an attacker or an upgrade changes comes first. A filter applies to both.
 * Counting is done in slices.
 */
#include "ui/pane_diff.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "export/export_diff.h"
#include "export/export_words.h"
#include "export/exporter.h"
#include "model/diff.h"
#include "model/gist.h"
#include "ui/area.h"
#include "ui/pane_host.h"

struct diff_pane {
	struct pane pane;
	struct trace *other;   /* A */
	char *path;            /* of A, as the user gave it */
	struct filter *filter; /* compiled for A; NULL: all events */
	struct filter_run *run;
	struct selection *shown; /* a copy of the rows of B that are compared; NULL: all */
	struct diff *diff;
	double done; /* 0…1 */
	size_t counts[DIFF_CHANGE_COUNT];
};

static struct err *open_diff(const struct pane_host *host, struct pane **ret)
{
	struct diff_pane *d = calloc(1, sizeof(*d));
	if (!d)
		return err_no_memory();
	*ret = &d->pane;
	return NULL;
}

/* Forget what was compared; A stays open. */
static void forget(struct diff_pane *d)
{
	diff_destroy(d->diff);
	d->diff = NULL;
	filter_run_destroy(d->run);
	d->run = NULL;
	filter_destroy(d->filter);
	d->filter = NULL;
	selection_destroy(d->shown);
	d->shown = NULL;
	d->done = 0;
}

static void close_diff(struct pane *p)
{
	struct diff_pane *d = (struct diff_pane *)p;
	forget(d);
	trace_close(d->other);
	free(d->path);
	free(d);
}

/* Begin to compare. The rows of B are copied: they may change while the counting goes on. */
static struct err *begin(struct diff_pane *d)
{
	struct view *s = d->pane.host->view;
	forget(d);
	if (!d->other)
		return NULL;
	memset(d->counts, 0, sizeof(d->counts));
	if (!*s->filter_text)
		return diff_begin(d->other, NULL, s->trace, NULL, &d->diff);
	struct err *err = filter_compile(s->filter_text, strlen(s->filter_text), d->other,
					 &d->filter);
	if (!err)
		err = filter_run_create(d->other, d->filter, NULL, &d->run);
	return err;
}

bool pane_diff_with(struct pane *p, const char *path)
{
	struct diff_pane *d = (struct diff_pane *)p;
	struct trace *other = NULL;
	struct stat st;
	/* opening a FIFO or a device could block the screen */
	struct err *err = !stat(path, &st) && !S_ISREG(st.st_mode)
			      ? err_create(ERR_USAGE,
					   "cannot compare with %s: it is not a regular file", path)
			      : trace_open(path, NULL, &other);
	char *copy = err ? NULL : strdup(path);
	if (!err && !copy)
		err = err_no_memory();
	if (err) {
		trace_close(other);
		host_flash_err(p->host, err);
		return false;
	}
	forget(d);
	trace_close(d->other);
	free(d->path);
	d->other = other;
	d->path = copy;
	err = begin(d);
	if (err)
		host_flash_err(p->host, err);
	return true;
}

bool pane_diff_has(const struct pane *p)
{
	return ((const struct diff_pane *)p)->other != NULL;
}

static struct err *copy_rows(const struct selection *from, uint64_t n, struct selection **ret)
{
	struct err *err = selection_create(n, false, ret);
	for (uint64_t seq = err ? n : selection_next(from, 0); seq < n;
	     seq = selection_next(from, seq + 1))
		selection_set(*ret, seq, true);
	return err;
}

static struct err *work(struct diff_pane *d, uint64_t budget_ns)
{
	struct view *s = d->pane.host->view;
	/* the filter on A comes first, and the filter on B must have finished */
	if (d->run && !d->diff) {
		double filtered;
		struct err *err = filter_run_step(d->run, budget_ns, &filtered);
		if (err || filtered < 1 || s->filter_done < 1)
			return err;
		err = copy_rows(s->shown, s->n_events, &d->shown);
		return err ? err
			   : diff_begin(d->other, filter_run_rows(d->run), s->trace, d->shown,
					&d->diff);
	}
	return diff_step(d->diff, budget_ns, &d->done);
}

static bool work_diff(struct pane *p, uint64_t budget_ns)
{
	struct diff_pane *d = (struct diff_pane *)p;
	if (d->done >= 1 || (!d->diff && !d->run))
		return false;
	struct err *err = work(d, budget_ns);
	host_redraw(p->host);
	if (err) {
		host_flash_err(p->host, err);
		forget(d);
		return false;
	}
	if (d->done >= 1) {
		size_t n;
		const struct diff_row *rows = diff_rows(d->diff, &n);
		for (size_t i = 0; i < n; i++)
			d->counts[rows[i].change] += 1 + rows[i].n_below;
		list_set(&p->list, n, p->n_lines - 1);
	}
	return d->done < 1;
}

static void update_diff(struct pane *p, unsigned changes)
{
	struct diff_pane *d = (struct diff_pane *)p;
	p->list.n_head = 1;
	if (changes & CHANGE_FILTER && d->other) {
		struct err *err = begin(d);
		if (err)
			host_flash_err(p->host, err);
	}
	size_t n = 0;
	if (d->done >= 1)
		diff_rows(d->diff, &n);
	list_set(&p->list, n, p->n_lines - 1);
}

static const struct diff_row *row_at(const struct diff_pane *d, uint64_t i)
{
	size_t n;
	const struct diff_row *rows = d->done >= 1 ? diff_rows(d->diff, &n) : NULL;
	return rows && i < n ? &rows[i] : NULL;
}

static void add_caller(const struct diff_pane *d, const struct diff_row *row, struct strbuf *to)
{
	struct trace *of = row->change == DIFF_REMOVED ? d->other : d->pane.host->view->trace;
	struct strbuf raw = { 0 };
	struct event e;
	if (trace_event(of, row->first_seq, &e))
		export_words_caller(of, &raw, e.stack);
	utf8_escape(to, strbuf_str(&raw), raw.n, 0);
	strbuf_fini(&raw);
}

static void draw_diff(const struct pane *p, struct area a)
{
	const struct diff_pane *d = (const struct diff_pane *)p;
	bool focus = pane_has_focus(p);
	int caller_w = a.n_columns >= 120 ? 30 : a.n_columns >= 70 ? 18 : 0;
	int caller_x = a.n_columns - caller_w, b_x = caller_x - 9, a_x = b_x - 8, text_x = 13;
	if (!d->other) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("nothing to compare with yet"));
		area_put(a, 2, 2, -1, ROLE_DIM,
			 tr(":diff FILE names another capture, A; this one is B"));
		return;
	}
	area_put(a, 0, 4, -1, ROLE_DIM, tr("kind"));
	area_put_cut(a, 0, text_x, a_x - text_x, ROLE_DIM, tr("what B does that A does not"));
	area_put_right(a, 0, a_x, 7, ROLE_DIM, "A");
	area_put_right(a, 0, b_x, 7, ROLE_DIM, "B");
	if (caller_w)
		area_put(a, 0, caller_x, -1, ROLE_DIM, tr("first by"));
	if (d->done < 1) {
		area_put(a, 2, 2, -1, ROLE_TEXT,
			 d->diff || d->run ? tr("counting")
					   : tr("the two captures could not be compared"));
		return;
	}
	if (!p->list.n) {
		area_put(a, 2, 2, -1, ROLE_TEXT, tr("nothing differs"));
		area_put(
		    a, 3, 2, -1, ROLE_DIM,
		    tr("hosts, libraries, events, code, modules, files and commands are the same"));
	}
	struct strbuf b = { 0 };
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < p->list.n; y++) {
		const struct diff_row *row = row_at(d, p->list.top + (uint64_t)y);
		if (!row)
			break;
		enum role role = row->change == DIFF_REMOVED ? ROLE_DIM : ROLE_TEXT;
		area_put(a, y + 1, 2, 1, row->change == DIFF_ADDED ? ROLE_FOCUS : role,
			 diff_change_signs[row->change]);
		area_put(a, y + 1, 4, 8, ROLE_DIM, reach_kind_names[row->kind]);
		strbuf_clear(&b);
		strbuf_add(&b, row->text, row->n_text);
		if (row->n_below)
			strbuf_addf(&b, tr(" and %u below it"), row->n_below);
		if (row->kind == REACH_FILE)
			gist_cut_path(&b, (size_t)(a_x - text_x - 1 > 8 ? a_x - text_x - 1 : 8));
		/* what differs is mostly at the end: a port, an argument, a submodule */
		area_put_middle(a, y + 1, text_x, a_x - text_x - 1, role, strbuf_str(&b));
		for (int k = 0; k < 2; k++) {
			strbuf_clear(&b);
			text_count(&b, k ? row->n_b : row->n_a, 7);
			area_put_right(a, y + 1, k ? b_x : a_x, 7, role, strbuf_str(&b));
		}
		strbuf_clear(&b);
		add_caller(d, row, &b);
		if (caller_w)
			area_put_cut(a, y + 1, caller_x, -1, ROLE_DIM, strbuf_str(&b));
		search_mark(p->host->search, a, y + 1);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	strbuf_fini(&b);
}

/* Return the longest part of a text that is the same in all texts that count as one. The variable
 * parts are marked by * and #. */
static const char *literal_part(const char *text, size_t n, size_t *ret_n)
{
	const char *best = text;
	size_t best_n = 0;
	for (size_t i = 0; i < n;) {
		size_t part = 0;
		while (i + part < n && text[i + part] != '*' && text[i + part] != '#')
			part++;
		if (part > best_n) {
			best = text + i;
			best_n = part;
		}
		i += part + 1;
	}
	*ret_n = best_n;
	return best;
}

static void add_contains(struct strbuf *to, const char *text, size_t n)
{
	strbuf_adds(to, " and args contains ");
	filter_quote(to, text, n);
}

/* Write a filter for the events of a row: its event, and the parts of its text that are in their
 * arguments. */
static bool term_diff(const struct pane *p, struct strbuf *to)
{
	const struct diff_pane *d = (const struct diff_pane *)p;
	const struct diff_row *row = row_at(d, p->list.cursor);
	struct event e;
	size_t n;
	if (!row)
		return false;
	struct trace *of = row->change == DIFF_REMOVED ? d->other : p->host->view->trace;
	if (!trace_event(of, row->first_seq, &e))
		return false;
	const char *name = trace_name(of, e.name, &n);
	strbuf_adds(to, "event == ");
	filter_quote(to, name, n);
	const char *text = row->text, *part;
	size_t n_text = row->n_text;
	switch (row->kind) {
	case REACH_HOST: {
		const char *colon = memrchr(text, ':', n_text);
		size_t host = colon ? (size_t)(colon - text) : n_text;
		bool is_v6 = host > 1 && text[0] == '[' && text[host - 1] == ']';
		add_contains(to, text + is_v6, host - 2 * is_v6);
		if (colon && n_text > host + 1)
			add_contains(to, colon + 1, n_text - host - 1);
		break;
	}
	case REACH_MODULE:
		if (row->n_below) { /* and the events that it stands for */
			strbuf_clear(to);
			strbuf_adds(to, "import.module ~ \"^");
			for (size_t i = 0; i < n_text; i++)
				strbuf_addf(to, text[i] == '.' ? "\\%c" : "%c", text[i]);
			strbuf_adds(to, "($|\\.)\"");
			break;
		}
		add_contains(to, text, n_text);
		break;
	/* "ctypes.dlsym getpid": a name, then a gist; only a single word of it is surely in the
	 * arguments */
	case REACH_EVENT: {
		const char *space = memchr(text, ' ', n_text);
		if (!space || memchr(space + 1, ' ', n_text - (size_t)(space + 1 - text)))
			break;
		part = literal_part(space + 1, n_text - (size_t)(space + 1 - text), &n);
		if (n)
			add_contains(to, part, n);
		break;
	}
	case REACH_COMMAND: { /* only the program: each of its arguments is a value of its own */
		const char *space = memchr(text, ' ', n_text);
		part = literal_part(text, space ? (size_t)(space - text) : n_text, &n);
		if (n)
			add_contains(to, part, n);
		break;
	}
	case REACH_LIBRARY:
	case REACH_FILE:
		part = literal_part(text, n_text, &n);
		if (n)
			add_contains(to, part, n);
		break;
	case REACH_CODE:
	case REACH_KIND_COUNT: break;
	}
	return true;
}

static bool write_diff(struct diff_pane *d, const char *path)
{
	const struct pane_host *host = d->pane.host;
	const char *dot = strrchr(path, '.');
	bool json = dot && (!strcmp(dot, ".json") || !strcmp(dot, ".jsonl"));
	if (!access(path, F_OK)) {
		host_flash(host, "cannot write %s: it exists", path);
		return false;
	}
	struct strbuf text = { 0 };
	export_diff(&text, d->diff, d->other, host->view->trace, json);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && !text.failed &&
		  write(fd, strbuf_str(&text), text.n) == (ssize_t)text.n;
	if (fd >= 0)
		ok = !close(fd) && ok;
	host_flash(host, ok ? "%s written%s" : "cannot write %s%s", path,
		   ok ? json ? " (JSON lines)" : tr(" (text)") : "");
	strbuf_fini(&text);
	return ok;
}

static bool act_diff(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct diff_pane *d = (struct diff_pane *)p;
	if (list_act(&p->list, action, count))
		return true;
	const struct diff_row *row = row_at(d, p->list.cursor);
	switch ((int)action) {
	case ACTION_OPEN:
		if (!row)
			return true;
		if (row->change == DIFF_REMOVED) {
			host_flash(p->host,
				   "this capture does not do that; y copies the command that "
				   "shows it in A");
			return true;
		}
		uint64_t seq = row->first_seq;
		host_close_pages(p->host, ALL_PAGES);
		host_goto(p->host, seq);
		return true;
	/* copy the command that shows the events in the capture that has them */
	case ACTION_COPY: {
		struct strbuf b = { 0 }, term = { 0 };
		if (row && term_diff(p, &term)) {
			strbuf_addf(&b, "auditview %s -Y '",
				    row->change == DIFF_REMOVED ? d->path
				    : p->host->view->path       ? p->host->view->path
								: "FILE");
			for (const char *c = strbuf_str(&term); *c; c++)
				strbuf_adds(&b, *c == '\'' ? "'\\''" : (char[]){ *c, 0 });
			strbuf_addc(&b, '\'');
			host_copy(p->host, strbuf_str(&b), b.n);
		}
		strbuf_fini(&term);
		strbuf_fini(&b);
		return true;
	}
	case ACTION_WRITE:
		if (d->done < 1)
			host_flash(p->host, "there is nothing to write yet");
		else if (text)
			write_diff(d, text);
		else
			host_act(p->host, ACTION_COMMAND, 0, "write diff.txt");
		return true;
	default: return false;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return !path ? "this" : slash && slash[1] ? slash + 1 : path;
}

static void title_diff(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct diff_pane *d = (const struct diff_pane *)p;
	if (!d->other)
		return;
	const char *a = base_name(d->path), *b = base_name(p->host->view->path);
	strbuf_adds(subject, "A ");
	utf8_escape(subject, a, strlen(a), 0);
	strbuf_adds(subject, " → B ");
	utf8_escape(subject, b, strlen(b), 0);
	if (*p->host->view->filter_text)
		strbuf_addf(subject, " · %s", p->host->view->filter_text);
	if (d->done < 1) {
		strbuf_addf(facts, tr("counting %.0f %%"), d->done * 100);
		return;
	}
	static const char *const words[] = { [DIFF_ADDED] = N_("only in B"),
					     [DIFF_MORE] = N_("more"),
					     [DIFF_REMOVED] = N_("only in A") };
	for (int i = 0; i < DIFF_CHANGE_COUNT; i++)
		if (d->counts[i])
			strbuf_addf(facts, "%zu %s · ", d->counts[i], tr(words[i]));
	strbuf_addf(facts, tr("%zu same"), diff_n_same(d->diff));
}

static void line_diff(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct diff_pane *d = (const struct diff_pane *)p;
	const struct diff_row *row = row_at(d, entry);
	if (!row)
		return;
	strbuf_addf(to, "%s %s ", diff_change_signs[row->change], reach_kind_names[row->kind]);
	strbuf_add(to, row->text, row->n_text);
	strbuf_addc(to, ' ');
	add_caller(d, row, to);
}

const struct pane_ops pane_diff_ops = {
	.open = open_diff,
	.close = close_diff,
	.update = update_diff,
	.draw = draw_diff,
	.act = act_diff,
	.title = title_diff,
	.term = term_diff,
	.line = line_diff,
	.work = work_diff,
};
