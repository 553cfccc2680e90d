/*
 * tr: texts in the reader's language.
 *
 * tr("English text") is that text in the chosen language, or the English text itself. Texts are
 * found by their English wording, as in gettext. The translations are data/po/LANGUAGE.po;
 * data/gen/gen_po.py checks them and makes the tables below at build time, so that a program of
 * one file has them too. Nothing allocates, nothing fails; what is returned lives forever.
 *
 * A literal that is translated later, where it is shown, is marked by N_("..."). Names of events,
 * fields, options, commands and keys are never translated, nor is output that programs read.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define N_(text) text

struct tr_text {
	const char *english, *translation;
};
struct tr_language {
	const char *name;            /* "de", "zh_CN" */
	const struct tr_text *texts; /* by english, bytewise */
	size_t n;
};
extern const struct tr_language tr_languages[]; /* the last has no name */

/* The locale of messages, from LC_ALL, LC_MESSAGES or LANG in this order; NULL if none is set. */
const char *tr_locale(void);

/* Does a locale name UTF-8 as its character set ("zh_CN.UTF-8", "C.utf8")? NULL: no. */
bool tr_is_utf8(const char *locale);

/* Choose the language of a locale, whatever its character set; with `preferred` the first one of
 * that list which exists ("zh_CN:en", of $LANGUAGE; NULL or "": not given), unless the locale is C.
 * English if none is known. Both are only read. To be called once, before the first tr(). */
void tr_choose(const char *locale, const char *preferred);

/* NULL stays NULL. */
const char *tr(const char *english) __attribute__((format_arg(1)));
