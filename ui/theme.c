/*
 * theme: the built-in themes. Every indexed colour keeps a contrast of 4.5:1 on common backgrounds;
 * the five hues of the cb themes differ for deutan, protan and tritan eyes. Colour is never the
 * only sign of a meaning: each kind of ink has a text form too.
 */
#include "ui/theme.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define PLAIN { COLOR_NONE, COLOR_NONE, 0 }
#define FG(n) { (n), COLOR_NONE, 0 }
#define FG_WITH(n, a) { (n), COLOR_NONE, (a) }
#define ATTR(a) { COLOR_NONE, COLOR_NONE, (a) }
/* clang-format on */

/* clang-format off */
#define FEW_DARK {                                                                                  \
	[ROLE_TEXT] = PLAIN, [ROLE_DIM] = PLAIN, [ROLE_NETWORK] = FG(6), [ROLE_FILES] = FG(2),      \
	[ROLE_PROCESS] = FG_WITH(5, STYLE_BOLD), [ROLE_CODE] = FG(3),                               \
	[ROLE_BELOW] = FG_WITH(3, STYLE_BOLD), [ROLE_INSIDE] = PLAIN,                               \
	[ROLE_FOCUS] = ATTR(STYLE_BOLD), [ROLE_HIT] = ATTR(STYLE_BOLD | STYLE_UNDERLINE),           \
	[ROLE_TROUBLE] = ATTR(STYLE_REVERSE) }
#define FEW_LIGHT {                                                                                 \
	[ROLE_TEXT] = PLAIN, [ROLE_DIM] = PLAIN, [ROLE_NETWORK] = FG(4), [ROLE_FILES] = PLAIN,      \
	[ROLE_PROCESS] = FG(5), [ROLE_CODE] = ATTR(STYLE_BOLD), [ROLE_BELOW] = FG(1),               \
	[ROLE_INSIDE] = PLAIN, [ROLE_FOCUS] = ATTR(STYLE_BOLD),                                     \
	[ROLE_HIT] = ATTR(STYLE_BOLD | STYLE_UNDERLINE), [ROLE_TROUBLE] = ATTR(STYLE_REVERSE) }
#define MONO {                                                                                      \
	[ROLE_TEXT] = PLAIN, [ROLE_DIM] = PLAIN, [ROLE_NETWORK] = PLAIN, [ROLE_FILES] = PLAIN,      \
	[ROLE_PROCESS] = PLAIN, [ROLE_CODE] = PLAIN, [ROLE_BELOW] = ATTR(STYLE_UNDERLINE),          \
	[ROLE_INSIDE] = PLAIN, [ROLE_FOCUS] = ATTR(STYLE_BOLD), [ROLE_HIT] = ATTR(STYLE_UNDERLINE), \
	[ROLE_TROUBLE] = ATTR(STYLE_REVERSE) }

const struct theme themes[] = {
	{ "dark", "for dark backgrounds", false,
	  .full = { [ROLE_TEXT] = FG(252), [ROLE_DIM] = FG(247), [ROLE_NETWORK] = FG(75), [ROLE_FILES] = FG(114),
		    [ROLE_PROCESS] = FG(176), [ROLE_CODE] = FG(221), [ROLE_BELOW] = FG(209), [ROLE_INSIDE] = FG(80),
		    [ROLE_FOCUS] = FG_WITH(255, STYLE_BOLD), [ROLE_HIT] = FG_WITH(228, STYLE_UNDERLINE),
		    [ROLE_TROUBLE] = FG_WITH(210, STYLE_REVERSE) },
	  .few = FEW_DARK, .bar = { COLOR_NONE, 236, 0 }, .bar_few = ATTR(STYLE_REVERSE) },
	{ "light", "for light backgrounds", true,
	  .full = { [ROLE_TEXT] = FG(235), [ROLE_DIM] = FG(240), [ROLE_NETWORK] = FG(25), [ROLE_FILES] = FG(22),
		    [ROLE_PROCESS] = FG(90), [ROLE_CODE] = FG(94), [ROLE_BELOW] = FG(124), [ROLE_INSIDE] = FG(23),
		    [ROLE_FOCUS] = FG_WITH(16, STYLE_BOLD), [ROLE_HIT] = FG_WITH(16, STYLE_UNDERLINE),
		    [ROLE_TROUBLE] = FG_WITH(124, STYLE_REVERSE) },
	  .few = FEW_LIGHT, .bar = { COLOR_NONE, 254, 0 }, .bar_few = ATTR(STYLE_REVERSE) },
	{ "cb-dark", "hues apart for colour-blind eyes, dark background", false,
	  .full = { [ROLE_TEXT] = FG(252), [ROLE_DIM] = FG(247), [ROLE_NETWORK] = FG(153), [ROLE_FILES] = FG(121),
		    [ROLE_PROCESS] = FG(177), [ROLE_CODE] = FG(221), [ROLE_BELOW] = FG(173), [ROLE_INSIDE] = FG(252),
		    [ROLE_FOCUS] = FG_WITH(255, STYLE_BOLD), [ROLE_HIT] = FG_WITH(228, STYLE_UNDERLINE),
		    [ROLE_TROUBLE] = FG_WITH(231, STYLE_REVERSE) },
	  .few = FEW_DARK, .bar = { COLOR_NONE, 236, 0 }, .bar_few = ATTR(STYLE_REVERSE) },
	{ "cb-light", "hues apart for colour-blind eyes, light background", true,
	  .full = { [ROLE_TEXT] = FG(235), [ROLE_DIM] = FG(240), [ROLE_NETWORK] = FG(20), [ROLE_FILES] = FG(23),
		    [ROLE_PROCESS] = FG(91), [ROLE_CODE] = FG(94), [ROLE_BELOW] = FG(52), [ROLE_INSIDE] = FG(235),
		    [ROLE_FOCUS] = FG_WITH(16, STYLE_BOLD), [ROLE_HIT] = FG_WITH(16, STYLE_UNDERLINE),
		    [ROLE_TROUBLE] = FG_WITH(16, STYLE_REVERSE) },
	  .few = FEW_LIGHT, .bar = { COLOR_NONE, 254, 0 }, .bar_few = ATTR(STYLE_REVERSE) },
	{ "mono", "no colour at all", false,
	  .full = MONO, .few = MONO, .bar = ATTR(STYLE_REVERSE), .bar_few = ATTR(STYLE_REVERSE) },
};
/* clang-format on */
const size_t n_themes = ARRAY_LEN(themes);

static const char *const role_names[] = {
	[ROLE_TEXT] = "text",   [ROLE_DIM] = "dim",         [ROLE_NETWORK] = "network",
	[ROLE_FILES] = "files", [ROLE_PROCESS] = "process", [ROLE_CODE] = "code",
	[ROLE_BELOW] = "below", [ROLE_INSIDE] = "inside",   [ROLE_FOCUS] = "focus",
	[ROLE_HIT] = "hit",     [ROLE_TROUBLE] = "trouble",
};
static_assert(ARRAY_LEN(role_names) == ROLE_COUNT, "a role has no name");

const struct theme *theme_find(const char *name, bool is_light)
{
	if (!strcmp(name, "auto"))
		name = is_light ? "light" : "dark";
	if (!strcmp(name, "cb"))
		name = is_light ? "cb-light" : "cb-dark";
	for (size_t i = 0; i < n_themes; i++)
		if (!strcmp(themes[i].name, name))
			return &themes[i];
	return NULL;
}

static struct err *style_parse(const char *text, struct style *ret)
{
	static const struct {
		const char *word;
		unsigned attr;
	} words[] = {
		{ "bold", STYLE_BOLD },
		{ "underline", STYLE_UNDERLINE },
		{ "reverse", STYLE_REVERSE },
		{ "dim", STYLE_DIM },
		{ "normal", 0 },
	};
	struct style style = { COLOR_NONE, COLOR_NONE, 0 };
	bool on = false;
	char copy[128], *save = NULL;
	if (strlen(text) >= sizeof(copy))
		return err_create(ERR_SYNTAX, "a style is at most %zu characters",
				  sizeof(copy) - 1);
	strcpy(copy, text);
	for (char *word = strtok_r(copy, " ,\t", &save); word;
	     word = strtok_r(NULL, " ,\t", &save)) {
		char *end;
		long n = strtol(word, &end, 10);
		if (end != word && !*end) {
			if (n < 0 || n > 255)
				return err_create(ERR_SYNTAX, "colour %ld: expected 0 to 255", n);
			*(on ? &style.bg : &style.fg) = (short)n;
			on = false;
			continue;
		}
		if (!strcmp(word, "on")) {
			on = true;
			continue;
		}
		size_t i = 0;
		while (i < ARRAY_LEN(words) && strcmp(words[i].word, word))
			i++;
		if (i == ARRAY_LEN(words))
			return err_create(ERR_SYNTAX,
					  "style \"%s\": expected a colour 0 to 255, on, bold, "
					  "underline, reverse or dim",
					  word);
		style.attrs |= words[i].attr;
	}
	*ret = style;
	return NULL;
}

struct err *theme_set(struct theme *theme, const char *role, const char *text)
{
	struct style style;
	struct err *err = style_parse(text, &style);
	if (err)
		return err;
	if (!strcmp(role, "bar")) {
		theme->bar = theme->bar_few = style;
		return NULL;
	}
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!strcmp(role_names[i], role)) {
			theme->full[i] = theme->few[i] = style;
			return NULL;
		}
	return err_create(
	    ERR_SYNTAX,
	    "no such role \"%s\": expected text dim network files process code below inside "
	    "focus hit trouble or bar",
	    role);
}
