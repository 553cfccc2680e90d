/*
 * reach: see reach.h.
 */
#include "model/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/gist.h"
#include "model/relations.h"
#include "model/selection.h"
#include "model/trace.h"

#define TEXT_BYTES_MAX 400 /* of one thing */

const char *const reach_kind_names[REACH_KIND_COUNT] = {
	[REACH_HOST] = "host",       [REACH_LIBRARY] = "library", [REACH_EVENT] = "event",
	[REACH_CODE] = "code",       [REACH_MODULE] = "module",   [REACH_FILE] = "file",
	[REACH_COMMAND] = "command",
};

struct known { /* the last result for an args id */
	uint32_t name;
	uint32_t thing; /* index + 1 */
};

struct reach {
	struct trace *trace;
	const struct selection *rows; /* what is counted; NULL all */
	uint64_t n_events, next;      /* events in rows; the next one to count */
	VEC(struct reach_thing) things;
	VEC(size_t) texts; /* [thing] offset into text, while it grows */
	struct strbuf text;
	struct hash_map by_hash;   /* → index + 1 */
	VEC(struct known) of_args; /* [args id] */
	VEC(uint32_t) of_name;     /* [name id]: events without arguments; index + 1 */
	VEC(uint8_t) n_merged;     /* [thing]: its text is the normalised one */
	struct strbuf scratch, normal;
	void (*counted)(void *ctx, uint32_t thing, uint32_t stack); /* may be NULL */
	void *ctx;
};

static bool has_argument(const struct catalog_event *e, const char *name)
{
	for (size_t i = 0; i < e->n_args; i++)
		if (!strcmp(e->args[i].name, name))
			return true;
	return false;
}

/* Is the gist text that distinguishes events? Sizes, addresses and numbers do not. */
static bool gist_is_text(const struct catalog_event *e)
{
	if (!e->n_gist)
		return false;
	for (size_t i = 0; i < e->n_gist; i++) {
		if (e->gist_parts[i].kind != GIST_ARG)
			continue;
		switch ((enum catalog_reading)e->gist_parts[i].reading) {
		case READING_LEN:
		case READING_COUNT:
		case READING_SIZE:
		case READING_HEX:
		case READING_OBJECT:
		case READING_FD:
		case READING_CODE: return false;
		default: break;
		}
	}
	return true;
}

static bool has_reading(const struct catalog_event *e, enum catalog_reading reading)
{
	for (size_t i = 0; i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].reading == reading)
			return true;
	return false;
}

/* The kind of an event; *ret_gist: its text is the gist (else its name, or both for
 * REACH_EVENT). */
static enum reach_kind kind_of(const struct catalog_event *e)
{
	if (!e)
		return REACH_EVENT;
	if (!strcmp(e->name, "import"))
		return REACH_MODULE;
	if (!strcmp(e->name, "ctypes.dlopen") || !strcmp(e->name, "sqlite3.load_extension"))
		return REACH_LIBRARY;
	if (!strcmp(e->name, "exec") || !strcmp(e->name, "compile") ||
	    !strncmp(e->name, "cpython.run_", 12))
		return REACH_CODE;
	if (has_reading(e, READING_ARGV) || !strcmp(e->name, "os.system") ||
	    !strcmp(e->name, "os.startfile"))
		return REACH_COMMAND;
	if (e->theme == THEME_NETWORK &&
	    (has_reading(e, READING_HOSTPORT) || has_reading(e, READING_URL) ||
	     has_argument(e, "host") || has_argument(e, "hostname") ||
	     has_argument(e, "ip_address")))
		return REACH_HOST;
	if ((e->theme == THEME_FILESYSTEM || e->theme == THEME_DATABASE) &&
	    has_reading(e, READING_PATH))
		return REACH_FILE;
	return REACH_EVENT;
}

/* The first argument of an import, or the gist. */
static void add_text(struct trace *t, const struct event *ev, const struct catalog_event *e,
		     enum reach_kind kind, struct strbuf *to)
{
	size_t n;
	const char *name = trace_name(t, ev->name, &n);
	strbuf_clear(to);
	if (kind == REACH_MODULE) {
		struct arguments a;
		struct argument arg;
		arguments_init_value(&a, t, ev->name, 0, ev->args);
		if (arguments_next(&a, &arg))
			gist_add_value(to, &a.it, &arg.value, READING_VALUE);
		return;
	}
	if (kind == REACH_EVENT || kind == REACH_CODE) {
		strbuf_add(to, name, n);
		if (!e || (kind == REACH_EVENT && !gist_is_text(e)))
			return;
		strbuf_addc(to, ' ');
	}
	gist_add_event_args(to, t, ev, 0);
	if (to->n > TEXT_BYTES_MAX) {
		size_t cut = TEXT_BYTES_MAX;
		while (cut && ((unsigned char)to->s[cut] & 0xc0) == 0x80)
			cut--;
		strbuf_cut(to, cut);
		strbuf_adds(to, "…");
	}
	while (to->n && to->s[to->n - 1] == ' ')
		strbuf_cut(to, to->n - 1);
}

/* Convert whatever names a host to host:port, in place: a URL is reduced to that, "host port" is
 * joined. */
static void to_host(struct strbuf *text)
{
	const char *s = strbuf_str(text), *scheme = memmem(s, text->n, "://", 3);
	struct strbuf host = { 0 };
	if (scheme) {
		const char *start = scheme + 3, *end = start, *at = NULL;
		while (*end && !strchr("/?# ", *end)) {
			at = *end == '@' ? end : at;
			end++;
		}
		start = at ? at + 1 : start;
		strbuf_add(&host, start, (size_t)(end - start));
		bool has_port = memchr(start, ':', (size_t)(end - start)) && end[-1] != ']';
		bool is_https = scheme - s >= 5 && !memcmp(scheme - 5, "https", 5),
		     is_http = scheme - s >= 4 && !memcmp(scheme - 4, "http", 4);
		if (!has_port && (is_http || is_https))
			strbuf_adds(&host, is_https ? ":443" : ":80");
	} else {
		const char *space = strchr(s, ' ');
		if (!space || !space[1] || space[1 + strspn(space + 1, "0123456789")])
			return;
		strbuf_addf(&host,
			    memchr(s, ':', (size_t)(space - s)) && s[0] != '[' ? "[%.*s]:%s"
									       : "%.*s:%s",
			    (int)(space - s), s, space + 1);
	}
	if (host.n) {
		strbuf_clear(text);
		strbuf_add(text, host.s, host.n);
	}
	strbuf_fini(&host);
}

/* A port on this machine that the kernel picked (ip(7): from 32768 on) differs each time. */
static bool is_picked_port(const struct strbuf *host, size_t *ret_port)
{
	static const char *const loopback[] = { "127.0.0.1:", "localhost:", "[::1]:" };
	for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
		size_t n = strlen(loopback[i]);
		if (host->n > n && !memcmp(host->s, loopback[i], n) && atoi(host->s + n) >= 32768) {
			*ret_port = n;
			return true;
		}
	}
	return false;
}

size_t reach_find(const struct reach *r, uint64_t hash)
{
	return (size_t)hash_map_get(&r->by_hash, hash) - 1;
}

enum reach_kind reach_kind_of(const char *event, size_t n_bytes)
{
	return kind_of(catalog_find(event, n_bytes));
}

enum reach_kind reach_read(struct trace *t, const struct event *ev, struct strbuf *to)
{
	size_t n;
	const char *name = trace_name(t, ev->name, &n);
	const struct catalog_event *e = catalog_find(name, n);
	enum reach_kind kind = kind_of(e);
	add_text(t, ev, e, kind, to);
	if (kind == REACH_HOST)
		to_host(to);
	if (!to->n) /* the gist is empty: use the name */
		utf8_escape(to, name, n, 0);
	return kind;
}

/* The thing of an event, created if it is new; 0 if memory is short, else index + 1. */
static uint32_t thing_of(struct reach *r, const struct event *ev)
{
	enum reach_kind kind = reach_read(r->trace, ev, &r->scratch);
	strbuf_clear(&r->normal);
	strbuf_add(&r->normal, strbuf_str(&r->scratch), r->scratch.n);
	if (r->scratch.failed || r->normal.failed)
		return 0;
	size_t port;
	if (kind == REACH_HOST && is_picked_port(&r->normal, &port)) {
		strbuf_cut(&r->normal, port);
		strbuf_addc(&r->normal, '#');
	}
	if (r->normal.n && kind != REACH_HOST && kind != REACH_MODULE)
		strbuf_cut(&r->normal, relation_text_normalise(r->scratch.s ? r->scratch.s : "",
							       r->scratch.n, r->normal.s));
	/* the same in both reaches that a diff compares */
	uint64_t hash = hash_map_text_key(strbuf_str(&r->normal), r->normal.n) + (uint64_t)kind;
	uint32_t *thing_at = hash_map_place(&r->by_hash, hash);
	if (!thing_at)
		return 0;
	if (*thing_at) {
		size_t i = *thing_at - 1;
		/* a second text that differs from the first: from now on they are listed by their
		 * common form */
		size_t n_text = r->things.v[i].n_text, at = r->texts.v[i];
		bool same = n_text == r->scratch.n &&
			    !memcmp(r->text.s + at, strbuf_str(&r->scratch), n_text);
		if (!same && !r->n_merged.v[i]) {
			r->n_merged.v[i] = 1;
			r->texts.v[i] = r->text.n;
			r->things.v[i].n_text = r->normal.n;
			strbuf_add(&r->text, r->normal.s, r->normal.n);
			strbuf_addc(&r->text, 0);
		}
		return *thing_at;
	}
	struct reach_thing thing = {
		.kind = kind, .hash = hash, .n_text = r->scratch.n, .first_seq = ev->seq
	};
	if (!vec_push(&r->things, thing) || !vec_push(&r->texts, r->text.n) ||
	    !vec_push(&r->n_merged, 0))
		return 0;
	strbuf_add(&r->text, strbuf_str(&r->scratch), r->scratch.n);
	strbuf_addc(&r->text, 0);
	*thing_at = (uint32_t)r->things.n;
	return *thing_at;
}

static struct err *count_row(struct reach *r, const struct chunk *c, uint32_t row)
{
	uint32_t name = c->names[c->name[row]], args = c->args[row], thing;
	struct known *known = args && args < r->of_args.n ? &r->of_args.v[args] : NULL;
	if (known && known->thing && known->name == name)
		thing = known->thing;
	else if (!args && name < r->of_name.n && r->of_name.v[name])
		thing = r->of_name.v[name];
	else {
		struct event ev = { .seq = c->first_seq + row, .name = name, .args = args };
		const struct thread_info *info = trace_thread(r->trace, c->threads[c->thread[row]]);
		ev.thread = c->threads[c->thread[row]];
		ev.process = info ? info->process : 0;
		thing = thing_of(r, &ev);
		if (!thing)
			return err_no_memory();
		if (known)
			*known = (struct known){ name, thing };
		else if (name < r->of_name.n)
			r->of_name.v[name] = thing;
	}
	struct reach_thing *t = &r->things.v[thing - 1];
	uint32_t parent, frame;
	t->n_events++;
	if (t->kind != REACH_MODULE && trace_stack(r->trace, c->stack[row], &parent, &frame))
		t->n_by_import += trace_frame_origin(r->trace, frame) == FRAME_ORIGIN_IMPORT;
	t->last_seq = c->first_seq + row;
	if (r->counted)
		r->counted(r->ctx, thing - 1, c->stack[row]);
	return NULL;
}

struct err *reach_begin(struct trace *t, const struct selection *rows, struct reach **ret)
{
	CLEANUP(reach) struct reach *r = calloc(1, sizeof(*r));
	if (!r)
		return err_no_memory();
	r->trace = t;
	r->rows = rows;
	r->n_events = trace_n_events(t);
	size_t n_values = (size_t)trace_n_values(t) + 1, n_names = (size_t)trace_n_names(t) + 1;
	if (!vec_reserve(&r->of_args, n_values) || !vec_reserve(&r->of_name, n_names))
		return err_no_memory();
	memset(r->of_args.v, 0, n_values * sizeof(*r->of_args.v));
	memset(r->of_name.v, 0, n_names * sizeof(*r->of_name.v));
	r->of_args.n = n_values;
	r->of_name.n = n_names;
	*ret = take_ptr(r);
	return NULL;
}

struct err *reach_step(struct reach *r, uint64_t budget_ns, double *ret_done)
{
	enum { ROWS_A_LOOK = 512 }; /* the clock is read once per this many rows */
	uint64_t begin = monotonic_ns(), from = r->next;
	while (r->next < r->n_events) {
		uint64_t first = r->next & ~(uint64_t)(TRACE_CHUNK - 1),
			 end = first + TRACE_CHUNK < r->n_events ? first + TRACE_CHUNK
								 : r->n_events;
		if (r->rows && selection_next(r->rows, r->next) >= end) {
			r->next = end;
			continue;
		}
		trace_trim(r->trace);
		const struct chunk *c = trace_chunk(r->trace,
						    (uint32_t)(first >> TRACE_CHUNK_SHIFT));
		if (!c)
			return err_no_memory();
		for (; r->next < end && r->next - first < c->n; r->next++) {
			if (r->next % ROWS_A_LOOK == 0 && r->next != from &&
			    monotonic_ns() - begin >= budget_ns) {
				*ret_done = (double)r->next / (double)r->n_events;
				return NULL;
			}
			if (r->rows && !selection_has(r->rows, r->next))
				continue;
			struct err *err = count_row(r, c, (uint32_t)(r->next - first));
			if (err)
				return err;
		}
		if (r->next < end)
			break; /* a chunk shorter than the index says */
	}
	if (r->text.failed)
		return err_no_memory();
	for (size_t i = 0; i < r->things.n; i++)
		r->things.v[i].text = r->text.s + r->texts.v[i];
	*ret_done = 1;
	return NULL;
}

struct err *reach_create(struct trace *t, const struct selection *rows,
			 void (*counted)(void *ctx, uint32_t thing, uint32_t stack), void *ctx,
			 struct reach **ret)
{
	CLEANUP(reach) struct reach *r = NULL;
	double done;
	struct err *err = reach_begin(t, rows, &r);
	if (err)
		return err;
	r->counted = counted;
	r->ctx = ctx;
	err = reach_step(r, UINT64_MAX, &done);
	if (!err)
		*ret = take_ptr(r);
	return err;
}

void reach_destroy(struct reach *r)
{
	if (!r)
		return;
	vec_fini(&r->things);
	vec_fini(&r->texts);
	vec_fini(&r->of_args);
	vec_fini(&r->of_name);
	vec_fini(&r->n_merged);
	strbuf_fini(&r->text);
	strbuf_fini(&r->scratch);
	strbuf_fini(&r->normal);
	hash_map_fini(&r->by_hash);
	free(r);
}

const struct reach_thing *reach_things(const struct reach *r, size_t *ret_n)
{
	*ret_n = r->things.n;
	return r->things.v;
}
