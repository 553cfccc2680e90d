/*
 * redact_names: names whose values are secrets. The words are those of data/redaction.rec, which
 * says what each list does.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "recorder/redact.h"
#include "recorder/redact_tables.h"

enum { NAME_MAX_BYTES = 128, PARTS_MAX = 16 };

struct part {
	char s[NAME_MAX_BYTES]; /* in small letters, without digits at its end */
	size_t n;
};

struct parts {
	struct part v[PARTS_MAX];
	size_t n;
	bool is_upper; /* the name has no small letter */
};

static bool is_in(enum redact_list list, const char *s, size_t n)
{
	for (const char *const *w = redact_lists[list]; *w; w++)
		if (strlen(*w) == n && !strncasecmp(*w, s, n))
			return true;
	return false;
}

static bool ends_in(enum redact_list list, const char *s, size_t n)
{
	for (const char *const *w = redact_lists[list]; *w; w++) {
		size_t n_word = strlen(*w);
		if (n >= n_word && !memcmp(*w, s + n - n_word, n_word))
			return true;
	}
	return false;
}

/* Does a new word begin at s[i], which follows a letter? clientSecret, APIKey. */
static bool begins_word(const char *s, size_t n, size_t i)
{
	bool upper = isupper((unsigned char)s[i]);
	return upper && (!isupper((unsigned char)s[i - 1]) ||
			 (i + 1 < n && islower((unsigned char)s[i + 1])));
}

static bool take_apart(const char *s, size_t n, struct parts *ret)
{
	ret->n = 0;
	ret->is_upper = true;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && (!s[i] || !strchr("_-.[]:@$", s[i])))
			return false; /* a name is one word, not a line of code that ends in "pass"
				       */
		ret->is_upper = ret->is_upper && !islower((unsigned char)s[i]);
	}
	for (size_t i = 0; i < n && ret->n < PARTS_MAX;) {
		struct part *p = &ret->v[ret->n];
		p->n = 0;
		for (size_t start = i;
		     i < n && isalnum((unsigned char)s[i]) && (i == start || !begins_word(s, n, i));
		     i++)
			p->s[p->n++] = (char)tolower((unsigned char)s[i]);
		size_t n_letters = p->n;
		while (n_letters && isdigit((unsigned char)p->s[n_letters - 1]))
			n_letters--;
		p->n = n_letters;
		ret->n += n_letters > 0;
		i += i < n && !isalnum((unsigned char)s[i]);
	}
	return ret->n > 0;
}

static bool part_is(enum redact_list list, const struct part *p)
{
	return is_in(list, p->s, p->n);
}

static bool tells(const struct parts *p, size_t i)
{
	const struct part *part = &p->v[i], *before = i ? &p->v[i - 1] : NULL;
	if (part->n == 3 && !memcmp(part->s, "pwd", 3))
		return before &&
		       !(before->n == 3 &&
			 !memcmp(before->s, "old", 3)); /* MYSQL_PWD, but not PWD itself */
	if (part_is(REDACT_TELLS, part) || ends_in(REDACT_TELLS_END, part->s, part->n))
		return true;
	bool is_key = (part->n == 3 && !memcmp(part->s, "key", 3)) ||
		      (part->n == 4 && !memcmp(part->s, "keys", 4));
	if (!is_key || !before)
		return false;
	return part_is(REDACT_KEY_OF, before) ||
	       (p->is_upper && part->n == 3 && !part_is(REDACT_KEY_OPEN, before));
}

bool redact_is_secret(const char *name, size_t n_bytes)
{
	struct parts p;
	while (n_bytes && *name == '-')
		name++, n_bytes--;
	while (n_bytes && (name[n_bytes - 1] == ':' || name[n_bytes - 1] == '='))
		n_bytes--;
	if (n_bytes == 0 || n_bytes > NAME_MAX_BYTES)
		return false;
	if (is_in(REDACT_TELLS_NAME, name, n_bytes))
		return true;
	if (!take_apart(name, n_bytes, &p) || part_is(REDACT_ABOUT, &p.v[p.n - 1]))
		return false;
	bool is_open = p.n > 1 && part_is(REDACT_BEFORE, &p.v[0]);
	for (size_t i = 0; !is_open && i < p.n; i++)
		if (tells(&p, i) && !(i && part_is(REDACT_BEFORE, &p.v[i - 1])))
			return true;
	return false;
}

bool redact_is_open_value(const char *name, size_t n_name, const char *value, size_t n_value)
{
	static const char *const switches[] = { "***", "true", "false", "none", "null",
						"nil", "yes",  "no",    "on",   "off" };
	size_t n_digits = 0;
	while (n_digits < n_value && isdigit((unsigned char)value[n_digits]))
		n_digits++;
	if (n_value == 0 || (n_value == 1 && n_digits))
		return true;
	if (n_digits == n_value && n_name >= 6 && !strncasecmp(name + n_name - 6, "tokens", 6))
		return true; /* how many of a language model */
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strlen(switches[i]) == n_value && !strncasecmp(switches[i], value, n_value))
			return true;
	if (n_name < 11 || (*value != '/' && *value != '~' && *value != '.'))
		return false;
	/* GOOGLE_APPLICATION_CREDENTIALS: the path of a file */
	for (size_t i = 0; i < n_value; i++)
		if (!isalnum((unsigned char)value[i]) && (!value[i] || !strchr("/._-~ ", value[i])))
			return false;
	for (size_t i = 0; i + 11 <= n_name; i++)
		if (!strncasecmp(name + i, "credentials", 11))
			return true;
	return false;
}
