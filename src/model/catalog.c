/*
 * catalog: look-ups in the generated tables.
 *
 * The tables are sorted by name, so a find is a binary search of some eight comparisons; wrong names of the docs are so
 * few that they are searched one by one, after a miss. Nearest names: Damerau distance of the whole, or of the part
 * after the last dot, whichever is smaller, since people know "Popen" before they know "subprocess.Popen".
 */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "model/catalog.h"

#define NAME_MAX_BYTES 64 /* longer names are near to nothing */

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

/* Edits (insert, delete, replace, swap neighbours) from a to b, letter case ignored; both at most NAME_MAX_BYTES. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t row[3][NAME_MAX_BYTES + 1]; /* the rows i - 2, i - 1 and i of the usual table, in turn */

	for (size_t j = 0; j <= n_b; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);
			size_t best = last[j - 1] + !same;

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n_a % 3][n_b];
}

static bool contains(const char *hay, const char *needle, size_t n_needle)
{
	for (; *hay; hay++) {
		size_t i = 0;

		while (i < n_needle && hay[i] && lower(hay[i]) == lower(needle[i]))
			i++;
		if (i == n_needle)
			return true;
	}
	return false;
}

/* 0 is the same; small is near; SIZE_MAX is not near at all. */
static size_t remoteness(const char *name, size_t n_bytes, const char *entry)
{
	const char *last_dot = strrchr(entry, '.');
	size_t n_entry = strlen(entry);
	size_t best;

	if (n_entry > NAME_MAX_BYTES)
		return SIZE_MAX;
	best = 2 * edit_distance(name, n_bytes, entry, n_entry);
	if (last_dot) {
		size_t tail = 2 * edit_distance(name, n_bytes, last_dot + 1, strlen(last_dot + 1)) + 1;

		if (tail < best)
			best = tail;
	}
	if (n_bytes >= 3 && contains(entry, name, n_bytes) && best > 3)
		best = 3;
	/* A third of the letters may differ: more is another word. */
	return best > 3 && best > 2 * ((n_bytes + 2) / 3) + 1 ? SIZE_MAX : best;
}

/* Digits only, and few enough to be a position; -1 otherwise. */
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

const char *catalog_arg_key(const struct catalog_event *e, int minor, size_t index, char buf[CATALOG_KEY_BYTES])
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

	/* ".x" has no part before its dot: the whole stands for it, so that no category is without a name. */
	return dot && dot > name ? (size_t)(dot - name) : n_bytes;
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

const char *catalog_reading_name(enum catalog_reading r)
{
	static const char *const names[READING_KIND_COUNT] = {
		[READING_VALUE] = "value",   [READING_PATH] = "path",         [READING_URL] = "url",
		[READING_TEXT] = "text",     [READING_ARGV] = "argv",         [READING_HOSTPORT] = "hostport",
		[READING_CALL] = "call",     [READING_CODE] = "code",         [READING_CALLABLE] = "callable",
		[READING_TYPE] = "type",     [READING_OBJECT] = "object",     [READING_LEN] = "len",
		[READING_COUNT] = "count",   [READING_SIZE] = "size",         [READING_HEX] = "hex",
		[READING_OCTAL] = "octal",   [READING_FD] = "fd",             [READING_OPTION] = "option",
		[READING_OFLAGS] = "oflags", [READING_FAMILY] = "family",     [READING_SOCKTYPE] = "socktype",
		[READING_SIGNAL] = "signal", [READING_ERRNO] = "errno",       [READING_FCNTL] = "fcntl",
		[READING_FLOCK] = "flock",   [READING_LOCKF] = "lockf",       [READING_MMAP] = "mmap",
		[READING_RLIMIT] = "rlimit", [READING_SYSLOG] = "syslog",     [READING_HKEY] = "hkey",
	};

	return r < READING_KIND_COUNT ? names[r] : "value";
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

size_t catalog_nearest(const char *name, size_t n_bytes, const struct catalog_event **ret, size_t max)
{
	size_t n = 0, best[8];

	if (max > ARRAY_LEN(best))
		max = ARRAY_LEN(best);
	if (n_bytes == 0 || n_bytes > NAME_MAX_BYTES || max == 0)
		return 0;
	for (size_t i = 0; i < n_catalog_events; i++) {
		size_t d = remoteness(name, n_bytes, catalog_events[i].name);
		size_t at = n;

		if (catalog_events[i].alias) {
			size_t d_alias = remoteness(name, n_bytes, catalog_events[i].alias);

			d = d_alias < d ? d_alias : d;
		}
		if (d == SIZE_MAX)
			continue;
		while (at > 0 && best[at - 1] > d)
			at--;
		if (at == max)
			continue;
		if (n < max)
			n++;
		memmove(&best[at + 1], &best[at], (n - 1 - at) * sizeof(*best));
		memmove(&ret[at + 1], &ret[at], (n - 1 - at) * sizeof(*ret));
		best[at] = d;
		ret[at] = &catalog_events[i];
	}
	return n;
}
