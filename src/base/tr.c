#include "base/tr.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct tr_language *chosen; /* NULL: English */

const char *tr_locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	return NULL;
}

bool tr_is_utf8(const char *locale)
{
	const char *dot = locale ? strchr(locale, '.') : NULL;

	return dot &&
	       (strncasecmp(dot + 1, "utf-8", 5) == 0 || strncasecmp(dot + 1, "utf8", 4) == 0);
}

/* "zh_CN" of "zh_CN.UTF-8@x": the language with its country; n_bytes is its length. A language
 * without a country serves all countries; one with a country serves no other: the characters of
 * zh_TW are not those of zh_CN. */
static const struct tr_language *find(const char *name, size_t n_bytes)
{
	size_t n_language = strcspn(name, "_");

	for (const struct tr_language *l = tr_languages; l->name; l++) {
		size_t n = strlen(l->name);

		if (strncmp(l->name, name, n) == 0 && (n == n_bytes || n == n_language))
			return l;
	}
	return NULL;
}

void tr_choose(const char *locale, const char *preferred)
{
	chosen = NULL;
	size_t n = locale ? strcspn(locale, ".@") : 0;

	if (n == 0 || (n == 1 && locale[0] == 'C') || (n == 5 && strncmp(locale, "POSIX", n) == 0))
		return;
	while (preferred && *preferred) {
		size_t n_preferred = strcspn(preferred, ":"), n_name = strcspn(preferred, ":.@");

		chosen = find(preferred, n_name);
		if (chosen || strncmp(preferred, "en", 2) == 0)
			return;
		preferred += n_preferred + (preferred[n_preferred] == ':');
	}
	chosen = find(locale, n);
}

const char *tr(const char *english)
{
	size_t low = 0, high = chosen ? chosen->n : 0;

	while (english && low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(english, chosen->texts[middle].english);

		if (order == 0)
			return chosen->texts[middle].translation;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return english;
}
