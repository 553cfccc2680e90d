#include "model/explain.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "model/api_map.h"

#define INDENT 4

struct page {
	struct strbuf *to;
	unsigned width;
	int minor; /* 0: all */
};

static void heading(struct page *p, const char *text)
{
	strbuf_addf(p->to, "\n%s\n", text);
}

static void paragraph(struct page *p, const char *text)
{
	wrap_add(p->to, text, INDENT, p->width);
}

/* Append a term and its text beside it, or below it if the term is long. */
static void item(struct page *p, const char *term, unsigned term_cells, const char *text)
{
	strbuf_add_repeat(p->to, ' ', INDENT);
	strbuf_adds(p->to, term);
	if (utf8_str_width(term, strlen(term)) + 2 > term_cells)
		strbuf_addc(p->to, '\n');
	wrap_add(p->to, text, INDENT + term_cells, p->width);
}

static void verbatim(struct page *p, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			strbuf_add_repeat(p->to, ' ', INDENT);
		strbuf_add(p->to, text, n);
		strbuf_addc(p->to, '\n');
		text += n + (text[n] == '\n');
	}
}

/* Append `left`, and `right` right-aligned on the same line if both fit. */
static void title(struct page *p, const char *left, const char *right)
{
	size_t used = utf8_str_width(left, strlen(left)) + utf8_str_width(right, strlen(right));

	strbuf_adds(p->to, left);
	if (used + 2 <= p->width)
		strbuf_add_repeat(p->to, ' ', p->width - used);
	else
		strbuf_addc(p->to, '\n');
	strbuf_adds(p->to, right);
	strbuf_addc(p->to, '\n');
}

/* Build a text with the callback, then add it as a paragraph. */
#define WITH_TEXT(page, indent, body)                                                              \
	do {                                                                                       \
		struct strbuf text = { 0 };                                                        \
		body;                                                                              \
		wrap_add((page)->to, strbuf_str(&text), (indent), (page)->width);                  \
		(page)->to->failed |= text.failed;                                                 \
		strbuf_fini(&text);                                                                \
	} while (0)

void explain_minors(struct strbuf *to, uint32_t minors)
{
	bool is_first = true;

	for (int m = 0; m < 32; m++) {
		int last = m;

		if (!(minors >> m & 1))
			continue;
		while (last < 31 && minors >> (last + 1) & 1)
			last++;
		strbuf_addf(to, "%s3.%d", is_first ? "" : ", ", m);
		if (last > m)
			strbuf_addf(to, "%s3.%d", last > m + 1 ? tr(" to ") : ", ", last);
		is_first = false;
		m = last;
	}
}

/* A type of the catalogue in words: "path|None" becomes "path or None". */
static void explain_type(struct strbuf *to, const char *type)
{
	const char *bar;

	while ((bar = strchr(type, '|'))) {
		strbuf_add(to, type, (size_t)(bar - type));
		strbuf_adds(to, strchr(bar + 1, '|') ? ", " : tr(" or "));
		type = bar + 1;
	}
	strbuf_adds(to, type);
}

void explain_arg_names(struct strbuf *to, const struct catalog_event *e, int minor)
{
	size_t n;
	const struct catalog_arg *args = catalog_args(e, minor, &n);

	for (size_t i = 0; i < n; i++)
		strbuf_addf(to, "%s%s", i ? ", " : "", args[i].name);
}

/* Append a text with a capital letter at its start, if it is English; a name of Python there
 * ("sys.path as it is") keeps its spelling. */
static void add_capital(struct strbuf *to, const char *english)
{
	const char *text = tr(english);
	bool is_name = memchr(text, '.', strcspn(text, " ")) != NULL;

	if (text == english && *text >= 'a' && *text <= 'z' && !is_name)
		strbuf_addc(to, (char)(*text++ - 'a' + 'A'));
	strbuf_adds(to, text);
}

static void add_sentence(struct strbuf *to, const char *meaning)
{
	add_capital(to, meaning);
	strbuf_adds(to, tr("."));
}

static void add_arguments(struct page *p, const struct catalog_event *e)
{
	size_t n_args;
	const struct catalog_arg *args = catalog_args(e, p->minor, &n_args);

	heading(p, tr("ARGUMENTS"));
	if (n_args == 0 && e->n_signatures == 0)
		paragraph(p, tr("None."));
	for (size_t i = 0; i < n_args; i++) {
		strbuf_addf(p->to, "    %-12s ", args[i].name);
		WITH_TEXT(p, INDENT + 13, explain_type(&text, args[i].type));
		WITH_TEXT(p, 2 * INDENT, {
			add_sentence(&text, args[i].meaning);
			if (args[i].flags & ARG_BULK)
				strbuf_adds(&text,
					    tr(" Often large: kept shorter than other values "
					       "unless -s says more."));
			if (args[i].flags & ARG_SECRET)
				strbuf_adds(&text, tr(" May hold passwords or keys."));
		});
	}
	for (size_t i = 0; p->minor == 0 && i < e->n_signatures; i++) {
		const struct catalog_signature *s = &e->signatures[i];

		WITH_TEXT(p, INDENT, {
			strbuf_adds(&text, tr("In "));
			explain_minors(&text, s->minors);
			strbuf_adds(&text, tr(":"));
			for (size_t a = 0; a < s->n_args; a++) {
				strbuf_addf(&text, "%s %s (", a ? "," : "", s->args[a].name);
				explain_type(&text, s->args[a].type);
				strbuf_addc(&text, ')');
			}
			strbuf_adds(&text, tr("."));
		});
	}
}

static void add_platforms(struct strbuf *text, const struct catalog_event *e)
{
	bool is_first = true;

	for (unsigned bit = PLATFORM_UNIX; bit <= PLATFORM_WINDOWS; bit <<= 1) {
		if (!(e->platforms & bit))
			continue;
		strbuf_addf(text, "%s%s", is_first ? " " : tr(" and "),
			    catalog_platform_name((enum catalog_platform)bit));
		is_first = false;
	}
	strbuf_adds(text, is_first ? tr(" All platforms.") : tr(" only."));
}

static void add_versions(struct page *p, const struct catalog_event *e)
{
	heading(p, tr("VERSIONS"));
	WITH_TEXT(p, INDENT, {
		if (e->removed)
			strbuf_addf(&text, tr("CPython 3.%d to 3.%d; gone in 3.%d."), e->since,
				    e->removed - 1, e->removed);
		else
			strbuf_addf(&text, tr("CPython 3.%d and later."), e->since);
		add_platforms(&text, e);
		if (!e->documented)
			strbuf_adds(&text, tr(" Not documented under this name."));
		if (e->since_note)
			strbuf_addf(&text, " %s", tr(e->since_note));
	});
	if (e->alias)
		WITH_TEXT(p, INDENT,
			  strbuf_addf(&text, tr("Also %s: %s."), e->alias, tr(e->alias_note)));
	if (e->seen_minors)
		WITH_TEXT(p, INDENT, {
			strbuf_adds(&text, tr("Its example was run and seen to raise it on "));
			explain_minors(&text, e->seen_minors);
			strbuf_adds(&text, tr("."));
		});
	if (e->n_startup) {
		const struct catalog_startup *s = NULL;

		for (size_t i = 0; i < e->n_startup; i++)
			if (p->minor == 0 || e->startup[i].minor == p->minor)
				s = &e->startup[i];
		if (!s)
			return;
		WITH_TEXT(p, INDENT, {
			/* a whole sentence for each case: languages order its parts differently */
			if (s->before && s->after)
				strbuf_addf(&text,
					    tr("Raised by a bare python3.%d -S -c pass: %u before "
					       "its first line, %u at its end."),
					    s->minor, s->before, s->after);
			else if (s->before)
				strbuf_addf(&text,
					    tr("Raised by a bare python3.%d -S -c pass: %u before "
					       "its first line."),
					    s->minor, s->before);
			else
				strbuf_addf(
				    &text,
				    tr("Raised by a bare python3.%d -S -c pass: %u at its end."),
				    s->minor, s->after);
		});
	}
}

/* Append "import, open, exec x2" or "nothing". */
static void add_steps(struct strbuf *text, const struct api_outcome *o)
{
	for (size_t i = 0; i < o->n_steps; i++) {
		strbuf_addf(text, "%s%s", i ? ", " : "", catalog_events[o->steps[i].event].name);
		if (o->steps[i].times > 1)
			strbuf_addf(text, " x%u", o->steps[i].times);
	}
	if (o->n_steps == 0)
		strbuf_adds(text, tr("nothing"));
}

static void add_call(struct page *p, const struct api_call *c)
{
	struct strbuf when = { 0 }, what = { 0 };

	strbuf_addf(p->to, "    %s\n", c->call);
	for (size_t i = 0; i < c->n_outcomes; i++) {
		if (p->minor && !(c->outcomes[i].minors >> p->minor & 1))
			continue;
		strbuf_clear(&when);
		strbuf_clear(&what);
		explain_minors(&when, c->outcomes[i].minors);
		add_steps(&what, &c->outcomes[i]);
		strbuf_addf(p->to, "        %-14s", strbuf_str(&when));
		if (when.n > 13)
			strbuf_addc(p->to, '\n');
		wrap_add(p->to, strbuf_str(&what), 22, p->width);
	}
	if (c->note)
		wrap_add(p->to, tr(c->note), 2 * INDENT, p->width);
	p->to->failed |= when.failed || what.failed;
	strbuf_fini(&when);
	strbuf_fini(&what);
}

static void add_measured(struct page *p, const char *api, size_t n_bytes)
{
	size_t n;
	const struct api_call *c = api_map_find(api, n_bytes, &n);

	if (!c)
		return;
	heading(p, tr("WHAT THE CALL RAISES, IN ORDER"));
	for (size_t i = 0; i < n; i++)
		add_call(p, &c[i]);
	WITH_TEXT(p, INDENT,
		  strbuf_addf(&text,
			      tr("Measured on Linux with CPython %s, once what it imports is "
				 "loaded."),
			      api_versions));
}

static void add_raised_by(struct page *p, const struct catalog_event *e)
{
	struct strbuf names = { 0 };
	const char *last = NULL;

	heading(p, tr("RAISED BY"));
	WITH_TEXT(p, INDENT, {
		for (size_t i = 0; e->raised_by[i]; i++)
			strbuf_addf(&text, "%s%s", i ? ", " : "", tr(e->raised_by[i]));
		strbuf_adds(&text, tr("."));
	});
	for (size_t i = 0; i < n_api_calls; i++) {
		if (!api_call_raises(&api_calls[i], e, p->minor) ||
		    (last && strcmp(last, api_calls[i].api) == 0))
			continue;
		strbuf_addf(&names, "%s%s", last ? ", " : tr("Measured calls that raise it: "),
			    api_calls[i].api);
		last = api_calls[i].api;
	}
	if (last) {
		strbuf_adds(&names, tr("."));
		paragraph(p, strbuf_str(&names));
	}
	p->to->failed |= names.failed;
	strbuf_fini(&names);
}

struct neighbour {
	size_t event, n;
};

static void count_neighbour(struct neighbour *list, size_t cap, size_t *n, size_t event)
{
	for (size_t i = 0; i < *n; i++) {
		if (list[i].event == event) {
			list[i].n++;
			return;
		}
	}
	if (*n < cap)
		list[(*n)++] = (struct neighbour){ event, 1 };
}

static void add_neighbour_line(struct page *p, const char *label, struct neighbour *list, size_t n)
{
	if (n == 0)
		return;
	/* the most frequent first; insertion sort suffices for so few */
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && list[j].n > list[j - 1].n; j--) {
			struct neighbour swap = list[j];

			list[j] = list[j - 1];
			list[j - 1] = swap;
		}
	WITH_TEXT(p, INDENT, {
		strbuf_adds(&text, label);
		for (size_t i = 0; i < n && i < 6; i++)
			strbuf_addf(&text, "%s%s", i ? ", " : "",
				    catalog_events[list[i].event].name);
		strbuf_adds(&text, tr("."));
	});
}

/* The events directly before and after it in the measured calls. */
static void add_neighbours(struct page *p, const struct catalog_event *e)
{
	struct neighbour before[64], after[64];
	size_t n_before = 0, n_after = 0, self = catalog_index(e);

	for (size_t c = 0; c < n_api_calls; c++) {
		for (size_t i = 0; i < api_calls[c].n_outcomes; i++) {
			const struct api_outcome *o = &api_calls[c].outcomes[i];

			for (size_t s = 0; s < o->n_steps; s++) {
				if (o->steps[s].event != self ||
				    (p->minor && !(o->minors >> p->minor & 1)))
					continue;
				if (s > 0)
					count_neighbour(before, 64, &n_before,
							o->steps[s - 1].event);
				if (s + 1 < o->n_steps)
					count_neighbour(after, 64, &n_after, o->steps[s + 1].event);
			}
		}
	}
	if (n_before + n_after == 0)
		return;
	heading(p, tr("BEFORE AND AFTER"));
	add_neighbour_line(p, tr("In the measured calls it followed: "), before, n_before);
	add_neighbour_line(p,
			   n_before ? tr("And was followed by: ")
				    : tr("In the measured calls it was followed by: "),
			   after, n_after);
}

static void add_source(struct page *p, const struct catalog_event *e)
{
	if (!e->sites_version)
		return;
	heading(p, tr("IN THE SOURCE"));
	WITH_TEXT(p, INDENT, {
		for (size_t i = 0; e->sites[i]; i++)
			strbuf_addf(&text, "%s%s", i ? ", " : "", e->sites[i]);
		strbuf_addf(&text, tr(" (%s)."), e->sites_version);
		for (size_t i = 0; e->formats[i]; i++) {
			strbuf_adds(&text, i               ? ", "
					   : e->formats[1] ? tr(" Formats: ")
							   : tr(" Format: "));
			strbuf_addf(&text, "\"%s\"", e->formats[i]);
		}
		if (e->formats[0])
			strbuf_adds(&text, tr("."));
	});
}

static void add_blind_spots(struct page *p, const struct catalog_event *e)
{
	const struct blind_spot *b;
	size_t at = 0, n = 0;

	while ((b = api_map_blind_spot_next(e, &at))) {
		if (n++ == 0)
			heading(p, tr("NOT SEEN"));
		WITH_TEXT(p, INDENT, {
			add_capital(&text, b->title);
			strbuf_addf(&text, tr(": %s"), tr(b->text));
		});
	}
}

static void add_see_also(struct page *p, const struct catalog_event *e)
{
	const struct catalog_theme_info *theme = &catalog_themes[e->theme];
	struct strbuf names = { 0 };
	size_t n = 0, self = 0;

	while (self < theme->n_events && &catalog_events[theme->events[self]] != e)
		self++;
	/* its own category first, beginning with the events after it */
	for (int same = 1; same >= 0; same--) {
		for (size_t i = 1; i < theme->n_events && n < 10; i++) {
			const struct catalog_event *other =
			    &catalog_events[theme->events[(self + i) % theme->n_events]];

			if ((strcmp(other->category, e->category) == 0) != same ||
			    (p->minor && !catalog_is_in(other, p->minor)))
				continue;
			strbuf_addf(&names, "%s%s", n++ ? ", " : "", other->name);
		}
	}
	if (n) {
		heading(p, tr("SEE ALSO"));
		strbuf_addf(&names, tr("; explain \"%s\" for all of the theme."), theme->name);
		paragraph(p, strbuf_str(&names));
	}
	p->to->failed |= names.failed;
	strbuf_fini(&names);
}

/* Append what a list shows, in words: "{path:path} {mode|flags:oflags}[ in {dir_fd:fd}]"
 * (catalog.h) becomes <path> <mode or flags> (in <dir_fd>). */
static void add_gist(struct strbuf *to, const char *gist)
{
	bool in_reading = false, was_optional = false;
	strbuf_adds(to, tr("In lists: "));
	for (const char *p = gist; *p; p++) {
		if (*p == '{') {
			strbuf_adds(to, "<");
			in_reading = false;
		} else if (*p == '}') {
			strbuf_adds(to, ">");
			in_reading = false;
		} else if (*p == ':' && strchr(p, '}') &&
			   (!strchr(p, '{') || strchr(p, '}') < strchr(p, '{'))) {
			in_reading = true; /* skip the reading */
		} else if (*p == '|' && !in_reading) {
			strbuf_adds(to, tr(" or "));
		} else if (*p == '[' || *p == ']') {
			was_optional = true;
			if (*p == '[' && p[1] == ' ')
				strbuf_addc(to, ' '), p++;
			strbuf_addc(to, *p == ']' ? ')' : '(');
		} else if (!in_reading) {
			strbuf_addc(to, *p);
		}
	}
	strbuf_adds(to, was_optional ? tr("; in parentheses where it applies") : "");
}

void explain_event(struct strbuf *to, const struct catalog_event *e, int minor, unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, minor };
	char right[64];

	snprintf(right, sizeof(right), tr("audit event, %s"), tr(catalog_themes[e->theme].name));
	title(&p, e->name, right);
	strbuf_addc(to, '\n');
	paragraph(&p, tr(e->description));
	if (minor && !catalog_is_in(e, minor))
		WITH_TEXT(&p, INDENT,
			  strbuf_addf(&text, tr("CPython 3.%d does not raise it."), minor));
	add_arguments(&p, e);
	if (e->note || e->gist) {
		heading(&p, tr("READING IT"));
		if (e->gist)
			WITH_TEXT(&p, INDENT, add_gist(&text, e->gist));
		if (e->note)
			paragraph(&p, tr(e->note));
	}
	add_raised_by(&p, e);
	add_measured(&p, e->name, strlen(e->name));
	add_neighbours(&p, e);
	add_versions(&p, e);
	add_source(&p, e);
	add_blind_spots(&p, e);
	if (e->example) {
		heading(&p, tr("EXAMPLE"));
		verbatim(&p, e->example);
		strbuf_addc(to, '\n');
		if (e->example_note)
			paragraph(&p, tr(e->example_note));
		WITH_TEXT(&p, INDENT,
			  strbuf_addf(&text,
				      tr("\"auditview try %s\" runs it and shows what it raises."),
				      e->name));
	} else if (e->example_note) {
		heading(&p, tr("EXAMPLE"));
		paragraph(&p, tr(e->example_note));
	}
	add_see_also(&p, e);
}

bool explain_api(struct strbuf *to, const char *api, size_t n_bytes, int minor, unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, minor };
	uint8_t shown[1024] = { 0 };
	size_t n;
	const struct api_call *c = api_map_find(api, n_bytes, &n);

	if (!c)
		return false;
	title(&p, c->api, tr("standard library"));
	add_measured(&p, api, n_bytes);
	for (size_t i = 0, n_shown = 0; i < n; i++) {
		for (size_t o = 0; o < c[i].n_outcomes; o++) {
			if (minor && !(c[i].outcomes[o].minors >> minor & 1))
				continue;
			for (size_t s = 0; s < c[i].outcomes[o].n_steps; s++) {
				size_t id = c[i].outcomes[o].steps[s].event;

				if (id >= sizeof(shown) || shown[id])
					continue;
				shown[id] = 1;
				if (n_shown++ == 0)
					heading(&p, tr("THE EVENTS"));
				item(&p, catalog_events[id].name, 22,
				     tr(catalog_events[id].description));
			}
		}
	}
	return true;
}

/* Append events, one line each. */
static void add_list(struct page *p, const struct catalog_event *e)
{
	if (p->minor == 0 || catalog_is_in(e, p->minor))
		item(p, e->name, 24, tr(e->description));
}

/* Does "smtplib.SMTP.send" name the call of "smtplib.SMTP.send() (when ...)"? */
static bool is_call_of(const char *raised_by, const char *api, size_t n_bytes)
{
	return strncmp(raised_by, api, n_bytes) == 0 &&
	       (raised_by[n_bytes] == '\0' || raised_by[n_bytes] == '(' ||
		raised_by[n_bytes] == ' ');
}

/* A call that was not measured but is named in the catalogue: the events that it raises, in no
 * order. */
static bool explain_unmeasured(struct strbuf *to, const char *api, size_t n_bytes, int minor,
			       unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, minor };
	size_t n = 0;

	if (n_bytes > 2 && memcmp(api + n_bytes - 2, "()", 2) == 0)
		n_bytes -= 2;
	for (size_t i = 0; n_bytes && i < n_catalog_events; i++) {
		const struct catalog_event *e = &catalog_events[i];
		size_t k = 0;

		while (e->raised_by[k] && !is_call_of(e->raised_by[k], api, n_bytes))
			k++;
		if (!e->raised_by[k] || (minor && !catalog_is_in(e, minor)))
			continue;
		if (n++ == 0) {
			title(&p, e->raised_by[k], tr("standard library"));
			heading(&p, tr("WHAT THE CALL RAISES"));
			paragraph(&p, tr("As the sources and the docs say; it was not measured "
					 "here."));
		}
		item(&p, e->name, 24, tr(e->description));
	}
	return n > 0;
}

void explain_theme(struct strbuf *to, enum catalog_theme theme, int minor, unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, minor };
	const struct catalog_theme_info *info = &catalog_themes[theme];

	title(&p, info->name, tr("theme"));
	strbuf_addc(to, '\n');
	WITH_TEXT(&p, INDENT, add_sentence(&text, info->about));
	heading(&p, tr("EVENTS"));
	for (size_t i = 0; i < info->n_events; i++)
		add_list(&p, &catalog_events[info->events[i]]);
}

/* Events of a category; false (and nothing appended) if the catalogue does not have it. */
static bool explain_category(struct strbuf *to, const char *category, size_t n_bytes, int minor,
			     unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, minor };
	size_t n = 0;

	for (size_t i = 0; i < n_catalog_events; i++) {
		const char *own = catalog_events[i].category;

		if (strlen(own) != n_bytes || memcmp(own, category, n_bytes) != 0)
			continue;
		if (n++ == 0) {
			title(&p, own, tr("category"));
			heading(&p, tr("EVENTS"));
		}
		add_list(&p, &catalog_events[i]);
	}
	return n > 0;
}

/* Everything that is known to raise no events, and why hooks are not a sandbox. */
static void explain_blind_spots(struct strbuf *to, unsigned width)
{
	struct page p = { to, width < 40 ? 40 : width, 0 };

	title(&p, tr("blind spots"), tr("what audit events do not show"));
	strbuf_addc(to, '\n');
	paragraph(&p,
		  tr("An audit hook sees what Python code asks the interpreter to do, where the "
		     "interpreter tells. What goes on below it, or with what was got hold of "
		     "before, raises nothing. So hooks show what well-meaning and careless "
		     "programs do; against code that means to hide they are no sandbox (PEP "
		     "578 says so too)."));
	for (size_t i = 0; i < n_blind_spots; i++) {
		const struct blind_spot *b = &blind_spots[i];

		strbuf_addc(to, '\n');
		WITH_TEXT(&p, 0, add_capital(&text, b->title));
		paragraph(&p, tr(b->text));
		WITH_TEXT(&p, INDENT, {
			strbuf_adds(&text, tr("Stands with "));
			for (size_t n = 0; n < b->n_events && n < 8; n++)
				strbuf_addf(&text, "%s%s", n ? ", " : "",
					    catalog_events[b->events[n]].name);
			strbuf_adds(&text, b->n_events > 8 ? tr(" and others.") : tr("."));
		});
		if (b->calls[0])
			WITH_TEXT(&p, INDENT, {
				strbuf_adds(&text, tr("Measured to raise nothing: "));
				for (size_t n = 0; b->calls[n]; n++)
					strbuf_addf(&text, "%s%s", n ? ";  " : "", b->calls[n]);
				strbuf_adds(&text, tr("."));
			});
	}
	heading(&p, tr("SEE IT"));
	paragraph(&p, tr("\"auditview try blind-spots\" runs a demonstration of each. \"auditview "
			 "lesson 8\" is about them."));
}

bool explain_name(struct strbuf *to, const char *name, size_t n_bytes, int minor, unsigned width)
{
	const struct catalog_event *e = catalog_find(name, n_bytes);
	enum catalog_theme theme;

	if (e) {
		explain_event(to, e, minor, width);
		return true;
	}
	if (explain_api(to, name, n_bytes, minor, width))
		return true;
	if (n_bytes && name[0] == '@')
		theme = catalog_theme_find(name + 1, n_bytes - 1);
	else
		theme = catalog_theme_find(name, n_bytes);
	if (theme < THEME_UNKNOWN) {
		explain_theme(to, theme, minor, width);
		return true;
	}
	if ((n_bytes == 11 && strncmp(name, "blind", 5) == 0 &&
	     strncmp(name + 6, "spots", 5) == 0) ||
	    (n_bytes == 5 && strncmp(name, "blind", 5) == 0)) {
		explain_blind_spots(to, width);
		return true;
	}
	return explain_category(to, name, n_bytes, minor, width) ||
	       explain_unmeasured(to, name, n_bytes, minor, width);
}
