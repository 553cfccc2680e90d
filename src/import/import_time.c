/*
 * import_time: the times of lines. Our own lines have a wall time and the exact nanoseconds since
 * the start of the capture. Other programs write seconds, milli-, micro- or nanoseconds since the
 * epoch or since some start, or text.
 */
#include "import/import_time.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "import/import_private.h"
#include "import/import_value.h"

#define NS     INT64_C(1000000000)
#define NS_MAX (INT64_MAX / 2)
#define JITTER_NS                                                                                  \
	1000000 /* a float of seconds holds a time of today to 1 µs; calls of two clocks are apart \
		 */

bool import_time_is_key(const struct strbuf *key)
{
	static const char *const names[] = { "time",       "ts_ns",   "timestamp",
					     "ts",         "time_ns", "timestamp_ns",
					     "@timestamp", "asctime", "datetime" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (import_value_is_key(key, names[i]))
			return true;
	return false;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_date(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era = (unsigned)(y - era * 400),
		 of_year = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool digits(const char **p, const char *end, unsigned n, unsigned *ret)
{
	unsigned v = 0;
	for (unsigned i = 0; i < n; i++, ++*p) {
		if (*p >= end || **p < '0' || **p > '9')
			return false;
		v = v * 10 + (unsigned)(**p - '0');
	}
	*ret = v;
	return true;
}

static bool one_of(const char **p, const char *end, const char *chars)
{
	if (*p >= end || !**p || !strchr(chars, **p))
		return false;
	++*p;
	return true;
}

/* 2026-11-22T07:00:00[.fraction|,fraction][Z|±hh[:]mm]; without a zone it is UTC. */
static bool read_iso(const char *p, size_t n, int64_t *ret)
{
	const char *end = p + n;
	unsigned y, mo, d, h, mi, sec, zone_h = 0, zone_m = 0;
	while (p < end && *p == ' ')
		p++;
	if (!digits(&p, end, 4, &y) || !one_of(&p, end, "-/") || !digits(&p, end, 2, &mo) ||
	    !one_of(&p, end, "-/") || !digits(&p, end, 2, &d) || !one_of(&p, end, "Tt ") ||
	    !digits(&p, end, 2, &h) || !one_of(&p, end, ":") || !digits(&p, end, 2, &mi) ||
	    !one_of(&p, end, ":") || !digits(&p, end, 2, &sec) || mo < 1 || mo > 12 || d < 1 ||
	    d > 31 || y < 1970 || y > 2200 || h > 24 || mi > 59 || sec > 60)
		return false;
	int64_t ns = 0, unit = NS / 10;
	if (one_of(&p, end, ".,"))
		for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			ns += (*p - '0') * unit;
	int64_t zone = 0;
	while (p < end && *p == ' ')
		p++;
	if (p < end && (*p == '+' || *p == '-')) {
		int64_t sign = *p++ == '-' ? -1 : 1;
		if (!digits(&p, end, 2, &zone_h))
			return false;
		one_of(&p, end, ":");
		if (p < end && !digits(&p, end, 2, &zone_m))
			return false;
		zone = sign * (int64_t)(zone_h * 3600 + zone_m * 60);
	}
	*ret = (days_from_date(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone) * NS + ns;
	return *ret < days_from_date(2201, 1, 1) * 86400 * NS;
}

/*
 * Seconds, ms, µs or ns since the epoch, told apart by their size (1973 to 5138); a smaller number
 * is seconds since some start. is_ns: the member's name means nanoseconds; below 3 years they count
 * from some start.
 */
static bool place_text(struct line_time *t, const char *s, size_t n, bool is_ns)
{
	char text[48], *end;
	if (!n || n >= sizeof(text) || !memchr("0123456789-", *s, 11))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	errno = 0;
	int64_t whole = strtoll(text, &end, 10), unit = 1;
	bool is_whole = !*end && !errno;
	double v = strtod(text, &end), a = fabs(v);
	if (*end || end == text || !(a < 9e18))
		return false;
	if (!is_whole)
		whole = (int64_t)v;
	if (is_ns ? a < 1e17 : a < 1e8) {
		t->has_ts = true;
		t->ts_ns = is_ns ? whole : llround(v * 1e9);
		return true;
	}
	if (!is_ns)
		unit = a < 1e11 ? NS : a < 1e14 ? NS / 1000 : a < 1e17 ? 1000 : 1;
	if (v < 0 || whole > NS_MAX / unit)
		return false;
	int64_t rest = 0;
	const char *dot = is_whole ? NULL : strchr(text, '.');
	if (dot && !strpbrk(text, "eE")) /* a double does not have all digits */
		for (int64_t digit = unit / 10; *++dot && digit; digit /= 10)
			rest += (*dot - '0') * digit;
	t->has_wall = true;
	t->wall_ns = whole * unit + rest;
	return true;
}

bool import_time_read(struct json *j, const struct strbuf *key, struct strbuf *scratch,
		      struct line_time *ret, bool *ret_is_odd)
{
	struct line_time t = { 0 };
	bool is_ns = key->n > 3 && !memcmp(key->s + key->n - 3, "_ns", 3), ok;
	json_read_space(j);
	*ret_is_odd = false;
	if (j->p < j->end && *j->p == '"') {
		if (!json_read_string(j, scratch))
			return false;
		ok = read_iso(strbuf_str(scratch), scratch->n, &t.wall_ns);
		t.has_wall = ok;
		ok = ok || place_text(&t, strbuf_str(scratch), scratch->n, is_ns);
	} else {
		const char *from = j->p;
		bool is_null = j->p < j->end && *j->p == 'n';
		if (!json_read_skip(j))
			return false;
		ok = is_null || place_text(&t, from, (size_t)(j->p - from), is_ns);
	}
	*ret_is_odd = !ok;
	if (t.has_wall && !ret->has_wall) {
		ret->has_wall = true;
		ret->wall_ns = t.wall_ns;
	}
	if (t.has_ts && (is_ns || !ret->has_ts)) {
		ret->has_ts = true;
		ret->ts_ns = t.ts_ns;
	}
	return true;
}

void import_time_axis_see(struct axis *a, const struct line_time *t)
{
	bool is_pair = t->has_wall && t->has_ts;
	if (is_pair) {
		int64_t pair = t->wall_ns - t->ts_ns;
		a->least_pair = a->has_pair && a->least_pair < pair ? a->least_pair : pair;
		a->has_pair = true;
	}
	if (t->has_wall) {
		a->least_wall = a->has_wall && a->least_wall < t->wall_ns ? a->least_wall
									  : t->wall_ns;
		a->has_wall = true;
	} else if (t->has_ts) {
		a->least_ts = a->has_ts && a->least_ts < t->ts_ns ? a->least_ts : t->ts_ns;
		a->has_ts = true;
	}
}

void import_time_axis_set(struct axis *a)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t nominal = a->has_pair   ? a->least_pair
			  : a->has_wall ? a->least_wall
					: (int64_t)now.tv_sec * NS + now.tv_nsec;
	a->start_ns = nominal;
	if (a->has_wall && a->least_wall < a->start_ns)
		a->start_ns = a->least_wall;
	if (a->has_ts && nominal + a->least_ts < a->start_ns)
		a->start_ns = nominal + a->least_ts;
	if (a->start_ns < 0)
		a->start_ns = 0; /* before 1970 */
	a->ts_shift_ns = nominal - a->start_ns;
}

static int64_t place(const struct axis *a, const struct line_time *t, uint64_t last_ns)
{
	int64_t by_ts = t->ts_ns + a->ts_shift_ns, by_wall = t->wall_ns - a->start_ns,
		ns = (int64_t)last_ns;
	/* The wall time may be rounded; ts comes from one clock, unless its start differs. */
	if (t->has_wall && t->has_ts)
		ns = llabs(by_wall - by_ts) <= JITTER_NS ? by_ts : by_wall;
	else if (t->has_wall)
		ns = by_wall;
	else if (t->has_ts)
		ns = by_ts;
	return ns;
}

uint64_t import_time_axis_place(const struct axis *a, const struct line_time *t, uint64_t last_ns)
{
	int64_t ns = place(a, t, last_ns);
	return ns > 0 ? (uint64_t)ns : 0;
}

bool import_time_axis_is_early(const struct axis *a, const struct line_time *t)
{
	return place(a, t, 0) < -JITTER_NS;
}
