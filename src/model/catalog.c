/*
 * catalog: look-ups in the generated tables.
 *
 * The tables are sorted by name and searched by bisection, some eight comparisons. There are only a
 * few wrong names of the docs, so after a miss they are searched one by one.
 */
#include <stdio.h>
#include <string.h>

#include "model/catalog.h"
#include "base/nearest.h"

static int compare_name(const char *name, size_t n_bytes, const char *entry)
{
	size_t n_entry = strlen(entry);
	int order = memcmp(name, entry, n_bytes < n_entry ? n_bytes : n_entry);

	if (order != 0)
		return order;
	return n_bytes < n_entry ? -1 : n_bytes > n_entry;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Digits only, and few enough to be a position; else -1. */
static int parse_position(const char *s, size_t n_bytes)
{
	int v = 0;

	if (n_bytes == 0 || n_bytes > 5 || (s[0] == '0' && n_bytes > 1))
		return -1;
	for (size_t i = 0; i < n_bytes; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

static int find_in(const struct catalog_arg *args, size_t n_args, const char *name, size_t n_bytes)
{
	for (size_t i = 0; i < n_args; i++)
		if (compare_name(name, n_bytes, args[i].name) == 0)
			return (int)i;
	return -1;
}

const struct catalog_event *catalog_find(const char *name, size_t n_bytes)
{
	size_t low = 0, high = n_catalog_events;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_name(name, n_bytes, catalog_events[middle].name);

		if (order == 0)
			return &catalog_events[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	for (size_t i = 0; i < n_catalog_events; i++) {
		const char *alias = catalog_events[i].alias;

		if (alias && compare_name(name, n_bytes, alias) == 0)
			return &catalog_events[i];
	}
	return NULL;
}

const struct catalog_event *catalog_find_str(const char *name)
{
	return catalog_find(name, strlen(name));
}

size_t catalog_index(const struct catalog_event *e)
{
	return (size_t)(e - catalog_events);
}

bool catalog_is_in(const struct catalog_event *e, int minor)
{
	if (minor == 0)
		minor = CATALOG_MINOR_NEWEST;
	return e->since <= minor && (e->removed == 0 || minor < e->removed);
}

const struct catalog_arg *catalog_args(const struct catalog_event *e, int minor, size_t *ret_n)
{
	for (size_t i = 0; minor > 0 && minor < 32 && i < e->n_signatures; i++) {
		if (e->signatures[i].minors >> minor & 1) {
			*ret_n = e->signatures[i].n_args;
			return e->signatures[i].args;
		}
	}
	*ret_n = e->n_args;
	return e->args;
}

const char *catalog_arg_key(const struct catalog_event *e, int minor, size_t index,
			    char buf[CATALOG_KEY_BYTES])
{
	if (e) {
		size_t n_args;
		const struct catalog_arg *args = catalog_args(e, minor, &n_args);

		if (index < n_args)
			return args[index].name;
	}
	snprintf(buf, CATALOG_KEY_BYTES, "%zu", index);
	return buf;
}

int catalog_arg_find(const struct catalog_event *e, int minor, const char *name, size_t n_bytes)
{
	int at = parse_position(name, n_bytes);

	if (at >= 0 || !e)
		return at;
	size_t n_args;
	const struct catalog_arg *args = catalog_args(e, minor, &n_args);

	at = find_in(args, n_args, name, n_bytes);
	if (at < 0)
		at = find_in(e->args, e->n_args, name, n_bytes);
	for (size_t i = 0; at < 0 && i < e->n_signatures; i++)
		at = find_in(e->signatures[i].args, e->signatures[i].n_args, name, n_bytes);
	return at;
}

size_t catalog_category_bytes(const char *name, size_t n_bytes)
{
	const char *dot = n_bytes ? memchr(name, '.', n_bytes) : NULL;

	/* ".x" has no part before its dot: the whole is its category, so that every category has a
	 * name. */
	return dot && dot > name ? (size_t)(dot - name) : n_bytes;
}

bool catalog_is_own(const char *name, size_t n_bytes)
{
	size_t n = catalog_category_bytes(name, n_bytes);

	if (!n_bytes || catalog_find(name, n_bytes))
		return false;
	for (size_t i = 0; n < n_bytes && i < n_catalog_events; i++) {
		const char *known = catalog_events[i].name;
		if (catalog_category_bytes(known, strlen(known)) == n && !memcmp(known, name, n))
			return false;
	}
	return true;
}

enum catalog_theme catalog_theme_of(const char *name, size_t n_bytes)
{
	const struct catalog_event *e = catalog_find(name, n_bytes);

	return e ? e->theme : THEME_UNKNOWN;
}

enum catalog_theme catalog_theme_find(const char *name, size_t n_bytes)
{
	for (int t = 0; t < THEME_COUNT; t++) {
		const char *theme = catalog_themes[t].name;
		size_t i = 0;

		if (strlen(theme) != n_bytes)
			continue;
		while (i < n_bytes && (lower(name[i]) == theme[i] ||
				       (theme[i] == ' ' && (name[i] == '_' || name[i] == '-'))))
			i++;
		if (i == n_bytes)
			return (enum catalog_theme)t;
	}
	return THEME_COUNT;
}

const char *catalog_platform_name(enum catalog_platform p)
{
	switch (p) {
	case PLATFORM_ANY: return "any";
	case PLATFORM_UNIX: return "Unix";
	case PLATFORM_LINUX: return "Linux";
	case PLATFORM_BSD: return "BSD";
	case PLATFORM_MACOS: return "macOS";
	case PLATFORM_WINDOWS: return "Windows";
	}
	return "any";
}

size_t catalog_nearest(const char *name, size_t n_bytes, const struct catalog_event **ret,
		       size_t max)
{
	struct nearest near = nearest_to(name, n_bytes, NEAREST_NAME);

	for (size_t i = 0; i < n_catalog_events; i++) {
		const char *const names[] = { catalog_events[i].name, catalog_events[i].alias };
		for (size_t k = 0; k < 2 && names[k]; k++)
			nearest_offer(&near, names[k], strlen(names[k]), i);
	}
	size_t n = near.n < max ? near.n : max;
	for (size_t i = 0; i < n; i++)
		ret[i] = &catalog_events[near.found[i].id];
	return n;
}

unsigned catalog_arg_reading(const struct catalog_event *e, uint32_t arg)
{
	for (uint8_t i = 0; e && i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].arg == arg)
			switch (e->gist_parts[i].reading) {
			case READING_OFLAGS:
			case READING_FAMILY:
			case READING_SOCKTYPE:
			case READING_SIGNAL:
			case READING_ERRNO:
			case READING_FCNTL:
			case READING_FLOCK:
			case READING_LOCKF:
			case READING_MMAP:
			case READING_RLIMIT:
			case READING_SYSLOG:
			case READING_HKEY:
			case READING_OCTAL: return e->gist_parts[i].reading;
			default: break;
			}
	/* permission bits, whether or not the gist mentions them; in other events `mode` is a text
	 * or another number */
	if (e && arg < e->n_args && !strcmp(e->args[arg].name, "mode") && e->args[arg].meaning &&
	    strstr(e->args[arg].meaning, "permission"))
		return READING_OCTAL;
	return READING_VALUE;
}
