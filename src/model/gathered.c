/*
 * gathered: see gathered.h.
 */
#include "model/gathered.h"

#include <string.h>

#include "base/attr.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/gist_words.h"
#include "model/reach.h"
#include "model/trace.h"
#include "model/value_text.h"

bool gathered_is(enum field_id field)
{
	return field == FIELD_FILE || field == FIELD_PEER || field == FIELD_PORT ||
	       field == FIELD_COMMAND;
}

bool gathered_in_event(enum field_id field, const char *event, size_t n)
{
	enum reach_kind kind = reach_kind_of(event, n);
	return field == FIELD_FILE      ? kind == REACH_FILE
	       : field == FIELD_COMMAND ? kind == REACH_COMMAND
					: kind == REACH_HOST;
}

/* The text that was appended since the last call is one more; nothing if it is empty. */
static void end_text(struct gathered *to)
{
	size_t start = to->n ? to->ends[to->n - 1] : 0;
	if (to->text.n == start)
		return;
	if (to->n == GATHERED_MAX)
		strbuf_cut(&to->text, start);
	else {
		to->arg[to->n] = to->at_arg;
		to->is_cut[to->n] = to->at_cut;
		to->ends[to->n++] = to->text.n;
	}
}

static bool is_said(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* How the gist of the event shows the argument at `position`; READING_VALUE if it does not. */
static enum catalog_reading reading_of(const struct catalog_event *e, int position)
{
	for (size_t i = 0; i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].arg == position)
			return (enum catalog_reading)e->gist_parts[i].reading;
	return READING_VALUE;
}

/* A str or bytes, whole or cut. */
static bool is_text(const struct value_node *v)
{
	return v->tag == VALUE_STR || v->tag == VALUE_STR_CUT || v->tag == VALUE_BYTES ||
	       v->tag == VALUE_BYTES_CUT || v->tag == VALUE_BYTEARRAY ||
	       v->tag == VALUE_BYTEARRAY_CUT;
}

static void add_bytes(struct gathered *to, const struct value_node *v)
{
	strbuf_add(&to->text, (const char *)v->bytes, v->n_bytes);
}

/* A path: text or bytes as they are; an object such as pathlib.Path by its path, if that is known.
 * A descriptor is no name. */
static void add_file(struct gathered *to, struct value_iter *it, const struct value_node *v)
{
	if (is_text(v)) {
		add_bytes(to, v);
	} else if (v->tag == VALUE_OBJECT) {
		size_t start = to->text.n;
		value_text_plain(&to->text, it, v);
		if (to->text.n > start && to->text.s[start] == '<') /* <type attributes> */
			strbuf_cut(&to->text, start);
	}
	end_text(to);
}

static bool needs_quotes(const struct value_node *v)
{
	const char *s = (const char *)v->bytes;
	for (size_t i = 0; i < v->n_bytes; i++)
		if (v->bytes[i] <= ' ' || v->bytes[i] == 0x7f || strchr("\"'\\", s[i]))
			return true;
	return !v->n_bytes || *s == '#' || *s == '~' || gist_has_shell_sign(s, v->n_bytes);
}

/* A command as a line for the shell, as the gist shows it but of any length. */
static void add_command(struct gathered *to, struct value_iter *it, const struct value_node *v)
{
	struct value_node word;
	bool is_list = v->tag == VALUE_LIST || v->tag == VALUE_TUPLE;
	if (is_text(v))
		add_bytes(to, v);
	for (uint32_t i = 0; is_list && i < v->n_children && value_iter_next(it, &word); i++) {
		if (i)
			strbuf_addc(&to->text, ' ');
		if (!is_text(&word)) {
			value_text_plain(&to->text, it, &word);
			continue;
		}
		const char *quote = needs_quotes(&word) ? "'" : "";
		strbuf_adds(&to->text, quote);
		add_bytes(to, &word);
		strbuf_adds(&to->text, quote);
	}
	end_text(to);
}

/* The host or the port of scheme://user@host:port/path. Without a port it is the scheme's. */
static void add_url(struct gathered *to, enum field_id field, const struct value_node *v)
{
	static const struct {
		const char *scheme, *port;
	} known[] = { { "http", "80" }, { "https", "443" }, { "ftp", "21" } };
	const char *s = (const char *)v->bytes, *stop = s + v->n_bytes;
	const char *scheme = memmem(s, v->n_bytes, "://", 3);
	if (!scheme)
		return;
	const char *host = scheme + 3, *end = host;
	while (end < stop && *end && !strchr("/?# ", *end))
		end++;
	const char *at = memrchr(host, '@', (size_t)(end - host));
	host = at ? at + 1 : host;
	bool is_v6 = host < end && *host == '[';
	const char *close = is_v6 ? memchr(host, ']', (size_t)(end - host)) : NULL;
	const char *after = close ? close + 1 : host;
	const char *colon = memrchr(after, ':', (size_t)(end - after));
	if (field == FIELD_PEER) {
		const char *last = close ? close : colon ? colon : end;
		host += close != NULL;
		strbuf_add(&to->text, host, (size_t)(last - host));
	} else if (colon) {
		strbuf_add(&to->text, colon + 1, (size_t)(end - colon - 1));
	}
	for (size_t i = 0; field == FIELD_PORT && !colon && i < ARRAY_LEN(known); i++)
		if (strlen(known[i].scheme) == (size_t)(scheme - s) &&
		    !memcmp(known[i].scheme, s, (size_t)(scheme - s)))
			strbuf_adds(&to->text, known[i].port);
}

static void add_host_or_port(struct gathered *to, enum field_id field, const struct value_node *v)
{
	if (field == FIELD_PORT && v->tag == VALUE_INT)
		strbuf_addf(&to->text, "%lld", (long long)v->i);
	else if (is_text(v))
		add_bytes(to, v);
}

/* The argument of an event of the kind host: an address, a URL, or an argument host or port. */
static void add_network(struct gathered *to, enum field_id field, const struct catalog_event *e,
			int position, struct value_iter *it, const struct value_node *v)
{
	static const char *const hosts[] = { "host", "hostname", "ip_address" };
	enum catalog_reading reading = reading_of(e, position);
	const char *name = position < e->n_args ? e->args[position].name : "";
	if (reading == READING_HOSTPORT && (v->tag == VALUE_TUPLE || v->tag == VALUE_LIST)) {
		/* ("host", port, …) */
		struct value_node part;
		for (uint32_t i = 0; i < v->n_children && value_iter_next(it, &part); i++) {
			if (i < 2 && (field == FIELD_PEER) == (i == 0))
				add_host_or_port(to, field, &part);
			value_iter_skip(it, &part);
		}
	} else if (reading == READING_HOSTPORT && field == FIELD_PEER && is_text(v)) {
		add_bytes(to, v); /* the path of a Unix socket */
	} else if (reading == READING_URL && is_text(v)) {
		add_url(to, field, v);
	} else if (field == FIELD_PEER ? is_said(name, hosts, ARRAY_LEN(hosts))
				       : !strcmp(name, "port")) {
		add_host_or_port(to, field, v);
	}
	/* a port may be the name of a service */
	size_t start = to->n ? to->ends[to->n - 1] : 0;
	for (size_t i = start; field == FIELD_PORT && i < to->text.n; i++)
		if (to->text.s[i] < '0' || to->text.s[i] > '9' || i - start > 8)
			strbuf_cut(&to->text, start);
	end_text(to);
}

void gathered_read(struct trace *t, enum field_id field, uint32_t name, uint32_t args,
		   struct gathered *to)
{
	size_t n;
	const char *s = trace_name(t, name, &n);
	const struct catalog_event *e = catalog_find(s, n);
	struct arguments a;
	struct argument arg;
	strbuf_clear(&to->text);
	to->n = 0;
	if (!e || !args || !gathered_in_event(field, s, n))
		return;
	arguments_init_value(&a, t, name, 0, args);
	while (arguments_next(&a, &arg)) {
		struct value_iter look = a.it;
		to->at_arg = arg.index;
		to->at_cut = arg.value.tag == VALUE_STR_CUT || arg.value.tag == VALUE_BYTES_CUT ||
			     arg.value.tag == VALUE_BYTEARRAY_CUT;
		int position = a.is_dict ? catalog_arg_find(e, 0, arg.name, arg.n_name)
					 : (int)arg.index;
		enum catalog_reading reading = reading_of(e, position);
		/* os.system and os.startfile have a text, which their gist shows as text */
		bool is_command = reading == READING_ARGV || (reading != READING_VALUE &&
							      position == 0 && is_text(&arg.value));
		if (field == FIELD_FILE && reading == READING_PATH)
			add_file(to, &look, &arg.value);
		else if (field == FIELD_COMMAND && is_command)
			add_command(to, &look, &arg.value);
		else if ((field == FIELD_PEER || field == FIELD_PORT) && position >= 0)
			add_network(to, field, e, position, &look, &arg.value);
		arguments_skip(&a, &arg);
	}
}
