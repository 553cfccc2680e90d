/*
 * when: see when.h.
 */
#include "commands/when.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "options.h"

/* ".5" in ns; further digits than nine are ignored. */
static uint64_t fraction_parse(const char **p)
{
	uint64_t ns = 0, unit = 100000000;
	if (**p != '.' && **p != ',')
		return 0;
	for (++*p; isdigit((unsigned char)**p); ++*p, unit /= 10)
		ns += (uint64_t)(**p - '0') * unit;
	return ns;
}

/* "Z", "+02:00", "-0530" or nothing: seconds to subtract. */
static bool zone_parse(const char *p, int64_t *ret)
{
	*ret = 0;
	if (*p == 'Z' || *p == 'z')
		return !p[1];
	if (!*p)
		return true;
	int sign = *p == '+' ? 1 : *p == '-' ? -1 : 0;
	int digits[4], n = 0;
	for (p++; sign && *p && n < 4; p++)
		if (isdigit((unsigned char)*p))
			digits[n++] = *p - '0';
		else if (*p != ':' || n != 2)
			return false;
	if (n != 4 || *p)
		return false;
	*ret = sign * ((digits[0] * 10 + digits[1]) * 3600 + (digits[2] * 10 + digits[3]) * 60);
	return true;
}

static bool wall_parse(const char *text, uint64_t *ret)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { 0 };
		int64_t zone;
		const char *rest = strptime(text, forms[i], &tm);
		if (!rest)
			continue;
		uint64_t ns = fraction_parse(&rest);
		if (!zone_parse(rest, &zone))
			continue;
		int64_t seconds = (int64_t)timegm(&tm) - zone;
		if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / 1000000000u - 1)
			return false;
		*ret = (uint64_t)seconds * 1000000000u + ns;
		return true;
	}
	return false;
}

struct err *when_parse(const char *option, const char *text, uint64_t wall_anchor_ns, uint64_t *ret)
{
	uint64_t wall;
	bool is_epoch = *text == '@' && isdigit((unsigned char)text[strlen(text) - 1]);
	if (!is_epoch && options_number_parse(text, OPTION_DURATION, ret))
		return NULL;
	if (is_epoch ? !options_number_parse(text + 1, OPTION_DURATION, &wall)
		     : !wall_parse(text, &wall))
		return err_create(ERR_USAGE,
				  "cannot use \"%s\" for %s: expected a time since the start, such "
				  "as 2.5s or 10m, a date such as 2026-11-22T07:00:00Z, or "
				  "@1763794800",
				  text, option);
	*ret = wall > wall_anchor_ns ? wall - wall_anchor_ns : 0;
	return NULL;
}
