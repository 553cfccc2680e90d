/*
 * profile: see profile.h.
 *
 *   event ─▶ (name, arguments) ─▶ kind and text, once     ─┐
 *            stack             ─▶ package, once per node  ─┴▶ thing, once per pair
 */
#include "model/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/code_path.h"
#include "base/hash_map.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "model/generaliser.h"
#include "model/reach.h"
#include "model/selection.h"
#include "model/trace.h"

static const char head[] = "# auditview profile 1\n";
static const char legend[] =
    "# What each package does, one thing a line. <site>, <stdlib>, <program>, . and ~ are "
    "folders,\n"
    "# <tmp> all that is temporary, # a number, * a part of a name that is made at random.\n";
enum { KIND_CELLS = 7 }; /* of the longest kind */
static const char of_program[] = "program itself", of_python[] = "python itself";

struct profile {
	struct arena memory; /* of the texts */
	VEC(struct profile_thing) things;
	struct hash_map by_text; /* of package, kind and text → index + 1 */
	bool is_sorted;
	struct strbuf key;
};

struct what {
	const char *kind, *text; /* in the profile's memory */
	bool is_module;
};

/* What one capture adds to a profile. */
struct adding {
	struct profile *p;
	struct trace *t;
	struct generaliser *g;
	VEC(const char *) packages; /* names in p->memory */
	VEC(uint32_t) of_stack;     /* [stack id] index of packages + 1; 0 not known yet */
	struct hash_map package_by_text;
	struct hash_map what_by_event; /* (name, args) → index + 1 */
	VEC(struct what) whats;
	struct hash_map thing_by_pair; /* (what, package) → index of the thing + 1 */
	struct strbuf raw, text;
};

struct err *profile_create(struct profile **ret)
{
	struct profile *p = calloc(1, sizeof(*p));
	if (!p)
		return err_no_memory();
	*ret = p;
	return NULL;
}

void profile_destroy(struct profile *p)
{
	if (!p)
		return;
	vec_fini(&p->things);
	hash_map_fini(&p->by_text);
	strbuf_fini(&p->key);
	arena_fini(&p->memory);
	free(p);
}

static uint64_t key_of(struct strbuf *key, const char *package, const char *kind, const char *text)
{
	strbuf_clear(key);
	strbuf_add(key, package, strlen(package) + 1);
	strbuf_add(key, kind, strlen(kind) + 1);
	strbuf_adds(key, text);
	return hash_map_text_key(strbuf_str(key), key->n);
}

/* Index + 1 of the thing; 0 if memory is short. The texts are in p->memory. */
static uint32_t thing_place(struct profile *p, const char *package, const char *kind,
			    const char *text)
{
	uint32_t *at = hash_map_place(&p->by_text, key_of(&p->key, package, kind, text));
	if (!at || p->key.failed)
		return 0;
	if (!*at) {
		struct profile_thing thing = { .package = package, .kind = kind, .text = text };
		if (!vec_push(&p->things, thing))
			return 0;
		*at = (uint32_t)p->things.n;
	}
	return *at;
}

/* ---- which package ---- */

/* "requests" of …/site-packages/requests/api.py, "six" of …/six.py, "foo" of …/foo-1.2.egg/…. False
 * if the file is in no such folder. */
static bool site_package(const char *file, size_t n, const char **ret, size_t *ret_n)
{
	size_t n_site = code_path_last_site(file, n), n_name = 0;
	if (!n_site || n_site == n)
		return false;
	const char *found = file + n_site + 1;
	size_t left = n - n_site - 1;
	while (n_name < left && found[n_name] != '/')
		n_name++;
	const char *egg = memmem(found, n_name, ".egg", 4), *end = NULL;
	if (egg)
		end = memchr(found, '-', n_name);
	else if (n_name == left)
		end = memchr(found, '.', n_name); /* a module of one file */
	*ret = found;
	*ret_n = end ? (size_t)(end - found) : n_name;
	return *ret_n > 0;
}

static uint32_t package_place(struct adding *a, const char *s, size_t n)
{
	uint32_t *at = hash_map_place(&a->package_by_text, hash_map_text_key(s, n));
	struct strbuf escaped = { 0 };
	if (!at)
		return 0;
	if (*at)
		return *at;
	utf8_escape(&escaped, s, n, 0);
	const char *kept = escaped.failed
			       ? NULL
			       : arena_strndup(&a->p->memory, strbuf_str(&escaped), escaped.n);
	strbuf_fini(&escaped);
	if (!kept || !vec_push(&a->packages, kept))
		return 0;
	return *at = (uint32_t)a->packages.n;
}

/* The package of a stack: index + 1. 0: memory is short. */
static uint32_t package_find(struct adding *a, uint32_t stack)
{
	uint32_t parent, frame;
	for (uint32_t s = stack; s && trace_stack(a->t, s, &parent, &frame); s = parent) {
		struct frame_info f;
		size_t n, n_name;
		const char *name;
		enum frame_origin origin = trace_frame_origin(a->t, frame);
		if (origin != FRAME_ORIGIN_USER && origin != FRAME_ORIGIN_SITE)
			continue;
		if (origin == FRAME_ORIGIN_USER)
			return package_place(a, of_program, sizeof(of_program) - 1);
		if (!trace_frame(a->t, frame, &f))
			continue;
		const char *file = trace_string(a->t, f.file, &n);
		if (site_package(file, n, &name, &n_name))
			return package_place(a, name, n_name);
	}
	return package_place(a, of_python, sizeof(of_python) - 1);
}

static uint32_t package_of(struct adding *a, uint32_t stack)
{
	if (stack >= a->of_stack.n)
		return package_find(a, stack);
	if (!a->of_stack.v[stack])
		a->of_stack.v[stack] = package_find(a, stack);
	return a->of_stack.v[stack];
}

/* ---- what ---- */

static bool is_event(const char *name, size_t n, const char *which)
{
	return strlen(which) == n && !memcmp(name, which, n);
}

/* Is the path that the event is about a folder itself? */
static bool is_about_folder(const char *name, size_t n)
{
	static const char *const events[] = { "os.listdir",      "os.scandir",    "os.chdir",
					      "os.mkdir",        "os.rmdir",      "os.walk",
					      "os.fwalk",        "shutil.rmtree", "shutil.copytree",
					      "tempfile.mkdtemp" };
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (is_event(name, n, events[i]))
			return true;
	return false;
}

/* "open-write" if the last word is a mode that writes, as open() and os.open() have them. */
static const char *open_kind(const char *words, size_t n)
{
	const char *space = n ? memrchr(words, ' ', n) : NULL,
		   *mode = space ? space + 1 : words + n;
	size_t n_mode = n - (size_t)(mode - words);
	if (n_mode > 2 && !memcmp(mode, "O_", 2))
		return memmem(mode, n_mode, "O_WRONLY", 8) || memmem(mode, n_mode, "O_RDWR", 6) ||
			       memmem(mode, n_mode, "O_CREAT", 7)
			   ? "open-write"
			   : "open-read";
	for (size_t i = 0; i < n_mode; i++)
		if (strchr("wax+", mode[i]))
			return "open-write";
	return "open-read";
}

/* The event, and the folder of each path that it is about. */
static void add_file(struct adding *a, const char *name, size_t n_name, struct strbuf *to)
{
	const char *words = strbuf_str(&a->raw);
	size_t n = a->raw.n;
	bool is_open = is_event(name, n_name, "open");
	strbuf_adds(to, is_open ? open_kind(words, n) : "");
	if (!is_open)
		utf8_escape(to, name, n_name, 0);
	for (size_t i = 0, k = 0; i < n; k++) {
		size_t n_word = generaliser_word_bytes(words + i, n - i);
		const char *word = words + i;
		size_t quote = n_word > 1 && word[0] == '"';
		i += n_word + 1;
		/* Only the first word is a path for sure; others can be modes and numbers. */
		if (n_word <= 2 * quote || (k && word[quote] != '/'))
			continue;
		strbuf_addc(to, ' ');
		if (!k && n_word == 2 && !memcmp(word, "fd", 2)) {
			strbuf_adds(to, "fd");
			return;
		}
		if (word[quote] == ':' || word[quote] == '<') /* :memory:, <stdin> */
			strbuf_add(to, word, n_word);
		else
			generaliser_add_path(a->g, word + quote, n_word - 2 * quote,
					     !is_about_folder(name, n_name), to);
	}
}

/* A text as it stands in one line of a profile. Names are the target's: a newline in one would add
 * lines of the target's choice. NULL: memory is short. */
static const char *line_dup(struct adding *a, const struct strbuf *text)
{
	struct strbuf safe = { 0 };
	utf8_add_plain(&safe, strbuf_str(text), text->n, "");
	const char *kept = safe.failed ? NULL
				       : arena_strndup(&a->p->memory, strbuf_str(&safe), safe.n);
	strbuf_fini(&safe);
	return kept;
}

/* Kind and text of an event; is_module is set for an import. */
static bool what_make(struct adding *a, const struct event *e, struct what *ret)
{
	size_t n_name;
	const char *name = trace_name(a->t, e->name, &n_name);
	enum reach_kind kind = reach_read(a->t, e, &a->raw);
	struct strbuf *to = &a->text;
	const char *raw = strbuf_str(&a->raw);
	size_t n = a->raw.n;
	strbuf_clear(to);
	switch (kind) {
	case REACH_MODULE: {
		const char *dot = n ? memchr(raw, '.', n) : NULL;
		strbuf_add(to, raw, dot && dot > raw ? (size_t)(dot - raw) : n);
		break;
	}
	case REACH_FILE: add_file(a, name, n_name, to); break;
	case REACH_HOST:
		utf8_escape(to, name, n_name, 0);
		strbuf_addc(to, ' ');
		generaliser_add_host(a->g, raw, n, to);
		break;
	case REACH_EVENT:
	case REACH_CODE:
		/* the value of a variable is not what the program does */
		if (is_event(name, n_name, "os.putenv") && n)
			n = (size_t)(strchrnul(raw, '=') - raw);
		/* the name of the event, which may have a number, and its words */
		strbuf_add(to, raw, generaliser_word_bytes(raw, n));
		generaliser_add_words(a->g, raw + to->n, n - to->n, to);
		break;
	case REACH_LIBRARY:
	case REACH_COMMAND:
	case REACH_KIND_COUNT: generaliser_add_words(a->g, raw, n, to); break;
	}
	*ret = (struct what){ .kind = reach_kind_names[kind],
			      .text = line_dup(a, to),
			      .is_module = kind == REACH_MODULE };
	return ret->text && !to->failed && !a->raw.failed;
}

static uint32_t what_of(struct adding *a, const struct event *e)
{
	uint32_t *at = hash_map_place(&a->what_by_event, hash_map_key(e->name, e->args));
	struct what what;
	if (!at)
		return 0;
	if (*at)
		return *at;
	if (!what_make(a, e, &what) || !vec_push(&a->whats, what))
		return 0;
	return *at = (uint32_t)a->whats.n;
}

/* ---- all events ---- */

static bool is_import_work(struct adding *a, uint32_t stack)
{
	uint32_t parent, frame;
	return trace_stack(a->t, stack, &parent, &frame) &&
	       trace_frame_origin(a->t, frame) == FRAME_ORIGIN_IMPORT;
}

/* A traceback shows lines of source, for which the interpreter reads the standard library. Whether
 * there is one may depend on which of two processes ends first. */
static bool is_traceback_work(const struct what *what, const char *package)
{
	static const char begin[] = "open-read <stdlib>";
	return package == of_python && !strncmp(what->text, begin, sizeof(begin) - 1);
}

static struct err *event_add(struct adding *a, const struct event *e)
{
	struct profile *p = a->p;
	uint32_t what = what_of(a, e);
	if (!what)
		return err_no_memory();
	if (!a->whats.v[what - 1].is_module && is_import_work(a, e->stack))
		return NULL;
	uint32_t package = package_of(a, e->stack);
	uint32_t *at = package ? hash_map_place(&a->thing_by_pair, hash_map_key(what, package))
			       : NULL;
	if (!at)
		return err_no_memory();
	if (is_traceback_work(&a->whats.v[what - 1], a->packages.v[package - 1]))
		return NULL;
	if (!*at && !(*at = thing_place(p, a->packages.v[package - 1], a->whats.v[what - 1].kind,
					a->whats.v[what - 1].text)))
		return err_no_memory();
	struct profile_thing *thing = &p->things.v[*at - 1];
	if (!thing->n_events++)
		thing->first_seq = e->seq;
	return NULL;
}

static struct err *all_add(struct adding *a, const struct selection *rows)
{
	struct err *err = generaliser_create(a->t, &a->g);
	uint64_t n_events = trace_n_events(a->t);
	size_t n_stacks = (size_t)trace_n_stacks(a->t) + 1;
	if (err)
		return err;
	if (!vec_reserve(&a->of_stack, n_stacks))
		return err_no_memory();
	memset(a->of_stack.v, 0, n_stacks * sizeof(*a->of_stack.v));
	a->of_stack.n = n_stacks;
	for (uint64_t seq = 0; seq < n_events && !err; seq++) {
		struct event e;
		if (seq % TRACE_CHUNK == 0)
			trace_trim(a->t);
		if ((!rows || selection_has(rows, seq)) && trace_event(a->t, seq, &e))
			err = event_add(a, &e);
	}
	return err;
}

struct err *profile_add(struct profile *p, struct trace *t, const struct selection *rows)
{
	struct adding a = { .p = p, .t = t };
	struct err *err = all_add(&a, rows);
	p->is_sorted = false;
	generaliser_destroy(a.g);
	vec_fini(&a.packages);
	vec_fini(&a.of_stack);
	vec_fini(&a.whats);
	hash_map_fini(&a.package_by_text);
	hash_map_fini(&a.what_by_event);
	hash_map_fini(&a.thing_by_pair);
	strbuf_fini(&a.raw);
	strbuf_fini(&a.text);
	return err;
}

/* ---- as text ---- */

static struct err *line_error(size_t number)
{
	struct err *err = err_create(ERR_SYNTAX, "line %zu is none of a profile", number);
	err->at = number;
	return err;
}

/* A kind, spaces up to the column of texts, a text. */
static struct err *line_read(struct profile *p, const char *package, const char *s, size_t n,
			     size_t number)
{
	const char *space = memchr(s, ' ', n);
	size_t n_kind = space ? (size_t)(space - s) : n, at = n_kind;
	while (at < n && at < KIND_CELLS + 2 && s[at] == ' ')
		at++;
	if (!package || !n_kind || at < n_kind + 2)
		return line_error(number);
	const char *kind = arena_strndup(&p->memory, s, n_kind);
	const char *text = arena_strndup(&p->memory, s + at, n - at);
	return kind && text && thing_place(p, package, kind, text) ? NULL : err_no_memory();
}

struct err *profile_read(struct profile *p, const char *text, size_t n_bytes)
{
	const char *end = text + n_bytes, *package = NULL;
	struct err *err = NULL;
	size_t number = 0;
	p->is_sorted = false;
	if (n_bytes < sizeof(head) - 1 || memcmp(text, head, sizeof(head) - 1) != 0)
		return line_error(1);
	for (const char *s = text; s < end && !err; number++) {
		const char *newline = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((newline ? newline : end) - s);
		if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
			package = arena_strndup(&p->memory, s + 1, n - 2);
			err = package ? NULL : err_no_memory();
		} else if (n && s[0] != '#') {
			err = line_read(p, package, s, n, number + 1);
		}
		s += n + 1;
	}
	return err;
}

static int by_words(const void *a, const void *b)
{
	const struct profile_thing *x = a, *y = b;
	int order = strcmp(x->package, y->package);
	order = order ? order : strcmp(x->kind, y->kind);
	return order ? order : strcmp(x->text, y->text);
}

const struct profile_thing *profile_things(struct profile *p, size_t *ret_n)
{
	if (!p->is_sorted && p->things.n) {
		qsort(p->things.v, p->things.n, sizeof(*p->things.v), by_words);
		/* The places are renewed: nothing is added, so memory is enough. */
		for (size_t i = 0; i < p->things.n; i++) {
			const struct profile_thing *t = &p->things.v[i];
			uint32_t *at = hash_map_place(
			    &p->by_text, key_of(&p->key, t->package, t->kind, t->text));
			if (at)
				*at = (uint32_t)i + 1;
		}
	}
	p->is_sorted = true;
	*ret_n = p->things.n;
	return p->things.v;
}

void profile_write(struct profile *p, struct strbuf *to)
{
	size_t n;
	const struct profile_thing *things = profile_things(p, &n);
	strbuf_adds(to, head);
	strbuf_adds(to, legend);
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(things[i].package, things[i - 1].package) != 0)
			strbuf_addf(to, "\n[%s]\n", things[i].package);
		strbuf_addf(to, "%-*s  %s\n", KIND_CELLS, things[i].kind, things[i].text);
	}
}

bool profile_has(const struct profile *p, const struct profile_thing *thing)
{
	struct strbuf key = { 0 };
	bool has = hash_map_get(&p->by_text,
				key_of(&key, thing->package, thing->kind, thing->text)) != 0;
	strbuf_fini(&key);
	return has;
}
