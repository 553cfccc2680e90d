/*
 * keys: the default bindings, and the names of keys.
 */
#include "ui/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

/* clang-format off */
const struct key_row key_defaults[] = {
	/* shown in the last line, in this order */
	{ PANE_ANY, "F1", ACTION_HELP, "help" },
	{ PANE_EVENTS, "C-]", ACTION_TERMINAL, "terminal" },
	{ PANE_EVENTS, "/", ACTION_SEARCH, "search" },
	{ PANE_EVENTS, "f", ACTION_FILTER, "filter" },
	{ PANE_EVENTS, "Enter", ACTION_OPEN, "open" },
	{ PANE_EVENTS, "+", ACTION_INCLUDE, "only this" },
	{ PANE_EVENTS, "-", ACTION_EXCLUDE, "not this" },
	{ PANE_EVENTS, "z", ACTION_FOLD, "fold" },
	{ PANE_EVENTS, "t", ACTION_CALLERS, "tree" },
	{ PANE_EVENTS, "b", ACTION_HOLD_THIS, NULL },
	{ PANE_EVENTS, "s", ACTION_SUMMARY, "summary" },
	{ PANE_EVENTS, "c", ACTION_EXPLAIN, "explain" },
	{ PANE_EVENTS, "*", ACTION_SAME, "same file, host" },
	{ PANE_EVENTS, "m", ACTION_MARK, "mark" },
	{ PANE_EVENTS, "y", ACTION_COPY, "copy" },
	{ PANE_EVENTS, "w", ACTION_WRITE, "write" },
	{ PANE_EVENTS, "Left", ACTION_STORY_PREV, NULL },
	{ PANE_EVENTS, "Right", ACTION_STORY_NEXT, NULL },

	{ PANE_CATEGORIES, "Space", ACTION_TOGGLE, "on/off" },
	{ PANE_CATEGORIES, "+", ACTION_INCLUDE, "only this" },
	{ PANE_CATEGORIES, "-", ACTION_EXCLUDE, "all but this" },
	{ PANE_CATEGORIES, "=", ACTION_FILTER_CLEAR, "all on" },
	{ PANE_CATEGORIES, "Enter", ACTION_OPEN, "open" },
	{ PANE_CATEGORIES, "c", ACTION_EXPLAIN, "explain" },
	{ PANE_CATEGORIES, "b", ACTION_HOLD_THIS, NULL },

	{ PANE_ARGUMENTS, "Enter", ACTION_OPEN, "open" },
	{ PANE_ARGUMENTS, "+", ACTION_INCLUDE, "only this value" },
	{ PANE_ARGUMENTS, "-", ACTION_EXCLUDE, "not this" },
	{ PANE_ARGUMENTS, "y", ACTION_COPY, "copy" },
	{ PANE_ARGUMENTS, "x", ACTION_BYTES, "bytes" },
	{ PANE_ARGUMENTS, "c", ACTION_EXPLAIN, "explain" },
	{ PANE_ARGUMENTS, "*", ACTION_SAME, "same file, host" },
	{ PANE_ARGUMENTS, "b", ACTION_HOLD_THIS, NULL },

	{ PANE_STACK, "o", ACTION_SOURCE_EDIT, "editor" },
	{ PANE_STACK, "+", ACTION_INCLUDE, "only this caller" },
	{ PANE_STACK, "-", ACTION_EXCLUDE, "not this" },
	{ PANE_STACK, "z", ACTION_FOLD, "library frames" },
	{ PANE_STACK, "v", ACTION_STACK_MODE, "python/native/both" },
	{ PANE_STACK, "y", ACTION_COPY, "copy" },
	{ PANE_STACK, "b", ACTION_HOLD_THIS, NULL },

	{ PANE_TIMELINE, "Left", ACTION_LEFT, "← → move" },
	{ PANE_TIMELINE, "Right", ACTION_RIGHT, NULL },
	{ PANE_TIMELINE, "Space", ACTION_TOGGLE, "begin and end" },
	{ PANE_TIMELINE, "Enter", ACTION_OPEN, "only this span" },
	{ PANE_TIMELINE, "z", ACTION_FOLD, "zoom" },
	{ PANE_TIMELINE, "e", ACTION_FIRST_NEXT, "next •" },

	{ PANE_SUMMARY, "Enter", ACTION_OPEN, "these events" },
	{ PANE_SUMMARY, "b", ACTION_GROUP_BY, "by caller/file/…" },
	{ PANE_SUMMARY, "S", ACTION_SORT, "sort" },
	{ PANE_SUMMARY, "+", ACTION_INCLUDE, "only" },
	{ PANE_SUMMARY, "-", ACTION_EXCLUDE, "not" },

	{ PANE_CALLERS, "Enter", ACTION_OPEN, "open" },
	{ PANE_CALLERS, "+", ACTION_INCLUDE, "only below here" },
	{ PANE_CALLERS, "-", ACTION_EXCLUDE, "not" },
	{ PANE_CALLERS, "t", ACTION_CALLERS, "turn over" },
	{ PANE_CALLERS, "z", ACTION_FOLD, "library" },

	{ PANE_INSIDE, "z", ACTION_FOLD, "raw events" },
	{ PANE_INSIDE, "+", ACTION_INCLUDE, "only this module" },
	{ PANE_INSIDE, "S", ACTION_SORT, "sort" },

	{ PANE_IMPORTS, "Enter", ACTION_OPEN, "these events" },
	{ PANE_IMPORTS, "S", ACTION_SORT, "sort, or tree" },
	{ PANE_IMPORTS, "+", ACTION_INCLUDE, "only this module" },
	{ PANE_IMPORTS, "-", ACTION_EXCLUDE, "not this" },

	{ PANE_DIFF, "Enter", ACTION_OPEN, "go there" },
	{ PANE_DIFF, "+", ACTION_INCLUDE, "filter on this" },
	{ PANE_DIFF, "-", ACTION_EXCLUDE, "not this" },
	{ PANE_DIFF, "y", ACTION_COPY, "copy as command" },
	{ PANE_DIFF, "w", ACTION_WRITE, "write as text, JSON" },

	{ PANE_PROCESSES, "Enter", ACTION_OPEN, "events of this" },
	{ PANE_PROCESSES, "+", ACTION_INCLUDE, "only" },
	{ PANE_PROCESSES, "-", ACTION_EXCLUDE, "not" },
	{ PANE_PROCESSES, "Space", ACTION_TOGGLE, "tag" },
	{ PANE_PROCESSES, "C", ACTION_CHILDREN, "follow children" },

	{ PANE_BYTES, "x", ACTION_BYTES, "tree" },
	{ PANE_BYTES, "/", ACTION_SEARCH, "search text or hex 5a 04" },
	{ PANE_BYTES, "y", ACTION_COPY, "copy" },
	{ PANE_BYTES, "w", ACTION_WRITE, "write" },

	{ PANE_MESSAGES, "Enter", ACTION_OPEN, "go to the place" },
	{ PANE_MESSAGES, "y", ACTION_COPY, "copy" },

	{ PANE_MARKS, "Enter", ACTION_OPEN, "go there" },
	{ PANE_MARKS, "Space", ACTION_TOGGLE, "remove" },
	{ PANE_MARKS, "w", ACTION_WRITE, "write" },

	{ PANE_FILTERS, "Enter", ACTION_OPEN, "use" },
	{ PANE_FILTERS, "Space", ACTION_TOGGLE, "on/off" },
	{ PANE_FILTERS, "-", ACTION_EXCLUDE, "forget" },

	{ PANE_HOLDS, "Enter", ACTION_OPEN, "go there" },
	{ PANE_HOLDS, "Space", ACTION_TOGGLE, "on/off" },
	{ PANE_HOLDS, "-", ACTION_EXCLUDE, "remove" },
	{ PANE_HOLDS, "C", ACTION_CONTINUE, "continue" },
	{ PANE_HOLDS, "u", ACTION_STEP, "to its next event" },

	{ PANE_CATALOG, "Enter", ACTION_OPEN, "its events here" },
	{ PANE_CATALOG, "T", ACTION_TRY, "try it now" },
	{ PANE_CATALOG, "/", ACTION_SEARCH, "search" },
	{ PANE_CATALOG, "+", ACTION_INCLUDE, "only" },
	{ PANE_CATALOG, "-", ACTION_EXCLUDE, "not" },

	{ PANE_LESSONS, "Enter", ACTION_OPEN, "begin" },
	{ PANE_LESSON, "Enter", ACTION_OPEN, "answer, next" },
	{ PANE_LESSON, "h", ACTION_HINT, "hint" },
	{ PANE_LESSON, "r", ACTION_TRY, "run again" },
	{ PANE_LESSON, "Esc", ACTION_BACK, "leave, the place is kept" },

	/* while the program has the keys, these follow Ctrl-] */
	{ PANE_TERMINAL, "C-]", ACTION_TERMINAL, "to the events" },
	{ PANE_TERMINAL, "z", ACTION_MAXIMISE, "zoom" },
	{ PANE_TERMINAL, "<", ACTION_NARROWER, "smaller" },
	{ PANE_TERMINAL, ">", ACTION_WIDER, "larger" },
	{ PANE_TERMINAL, "x", ACTION_TERMINAL_CLOSE, "close" },
	{ PANE_TERMINAL, "]", ACTION_TERMINAL_KEY, "send C-]" },

	{ PANE_START, "Enter", ACTION_OPEN, "attach, open, learn" },
	{ PANE_START, "Tab", ACTION_PANE_NEXT, "next list" },
	{ PANE_START, "/", ACTION_NARROW, "narrow" },
	{ PANE_START, "d", ACTION_DOCTOR, "doctor" },
	{ PANE_START, ":", ACTION_COMMAND, "command" },
	{ PANE_START, "q", ACTION_QUIT, "quit" },

	{ PANE_HELP, "/", ACTION_SEARCH, "search" },

	/* pages of text, as in less */
	{ PANE_HELP, "Space", ACTION_PAGE_DOWN, "page" }, { PANE_HELP, "b", ACTION_PAGE_UP, NULL },
	{ PANE_MESSAGES, "Space", ACTION_PAGE_DOWN, NULL }, { PANE_MESSAGES, "b", ACTION_PAGE_UP, NULL },
	{ PANE_BYTES, "Space", ACTION_PAGE_DOWN, NULL }, { PANE_BYTES, "b", ACTION_PAGE_UP, NULL },
	{ PANE_CATALOG, "Space", ACTION_PAGE_DOWN, NULL }, { PANE_CATALOG, "b", ACTION_PAGE_UP, NULL },

	/* the others */
	{ PANE_ANY, "j", ACTION_DOWN, NULL }, { PANE_ANY, "Down", ACTION_DOWN, NULL },
	{ PANE_ANY, "k", ACTION_UP, NULL }, { PANE_ANY, "Up", ACTION_UP, NULL },
	{ PANE_ANY, "PgDn", ACTION_PAGE_DOWN, NULL }, { PANE_ANY, "C-f", ACTION_PAGE_DOWN, NULL },
	{ PANE_ANY, "PgUp", ACTION_PAGE_UP, NULL }, { PANE_ANY, "C-b", ACTION_PAGE_UP, NULL },
	{ PANE_ANY, "C-d", ACTION_HALF_DOWN, NULL }, { PANE_ANY, "C-u", ACTION_HALF_UP, NULL },
	{ PANE_ANY, "g", ACTION_TOP, NULL }, { PANE_ANY, "Home", ACTION_TOP, NULL },
	{ PANE_ANY, "G", ACTION_BOTTOM, NULL }, { PANE_ANY, "End", ACTION_BOTTOM, NULL },
	{ PANE_ANY, "Left", ACTION_LEFT, NULL }, { PANE_ANY, "Right", ACTION_RIGHT, NULL },
	{ PANE_ANY, "[", ACTION_HISTORY_BACK, NULL }, { PANE_ANY, "]", ACTION_HISTORY_FORTH, NULL },
	{ PANE_ANY, "e", ACTION_FIRST_NEXT, NULL }, { PANE_ANY, "E", ACTION_FIRST_PREV, NULL },
	{ PANE_ANY, "Enter", ACTION_OPEN, NULL },
	{ PANE_ANY, "/", ACTION_SEARCH, NULL }, { PANE_ANY, "?", ACTION_SEARCH_BACK, NULL },
	/* as in htop; F1 and F4 have the same meaning there */
	{ PANE_ANY, "F3", ACTION_SEARCH, NULL }, { PANE_ANY, "F5", ACTION_CALLERS, NULL },
	{ PANE_ANY, "F6", ACTION_SORT, NULL }, { PANE_ANY, "F10", ACTION_QUIT, NULL },
	{ PANE_ANY, "n", ACTION_HIT_NEXT, NULL }, { PANE_ANY, "N", ACTION_HIT_PREV, NULL },
	{ PANE_ANY, "f", ACTION_FILTER, NULL }, { PANE_ANY, "F4", ACTION_FILTER, NULL },
	{ PANE_ANY, "+", ACTION_INCLUDE, NULL }, { PANE_ANY, "-", ACTION_EXCLUDE, NULL },
	{ PANE_ANY, "=", ACTION_FILTER_CLEAR, NULL }, { PANE_ANY, "*", ACTION_SAME, NULL },
	{ PANE_ANY, "Space", ACTION_TOGGLE, NULL },
	{ PANE_ANY, "z", ACTION_FOLD, NULL }, { PANE_ANY, "Z", ACTION_FOLD_ALL, NULL },
	{ PANE_ANY, "t", ACTION_CALLERS, NULL }, { PANE_ANY, "s", ACTION_SUMMARY, NULL },
	{ PANE_ANY, "I", ACTION_IMPORTS, NULL }, { PANE_ANY, "P", ACTION_PROCESSES, NULL }, { PANE_ANY, "i", ACTION_TIMELINE, NULL },
	{ PANE_ANY, "@", ACTION_NOW, NULL },
	{ PANE_ANY, "c", ACTION_EXPLAIN, NULL }, { PANE_ANY, "x", ACTION_BYTES, NULL },
	{ PANE_ANY, "o", ACTION_SOURCE_EDIT, NULL },
	{ PANE_ANY, "S", ACTION_SORT, NULL }, { PANE_ANY, "b", ACTION_GROUP_BY, NULL },
	{ PANE_ANY, "T", ACTION_TIME_MODE, NULL }, { PANE_ANY, "v", ACTION_STACK_MODE, NULL },
	{ PANE_ANY, "l", ACTION_FILTERS, NULL },
	{ PANE_ANY, "B", ACTION_HOLDS, NULL }, { PANE_ANY, "u", ACTION_STEP, NULL },
	{ PANE_ANY, "m", ACTION_MARK, NULL }, { PANE_ANY, "M", ACTION_NOTE, NULL },
	{ PANE_ANY, "'", ACTION_MARK_NEXT, NULL }, { PANE_ANY, "\"", ACTION_MARKS, NULL },
	{ PANE_ANY, "y", ACTION_COPY, NULL }, { PANE_ANY, "Y", ACTION_COPY_COMMAND, NULL },
	{ PANE_ANY, "w", ACTION_WRITE, NULL }, { PANE_ANY, "W", ACTION_DUMP, NULL },
	{ PANE_ANY, "p", ACTION_FREEZE, NULL }, { PANE_ANY, "R", ACTION_ATTACH, NULL },
	{ PANE_ANY, "D", ACTION_DETACH, NULL }, { PANE_ANY, "H", ACTION_PAUSE, NULL },
	{ PANE_ANY, "C", ACTION_CHILDREN, NULL }, { PANE_ANY, "d", ACTION_DOCTOR, NULL },
	{ PANE_ANY, "Tab", ACTION_PANE_NEXT, NULL }, { PANE_ANY, "S-Tab", ACTION_PANE_PREV, NULL },
	{ PANE_ANY, "<", ACTION_NARROWER, NULL }, { PANE_ANY, ">", ACTION_WIDER, NULL },
	{ PANE_ANY, "\\", ACTION_MAXIMISE, NULL }, { PANE_ANY, "|", ACTION_ROTATE, NULL },
	{ PANE_ANY, ":", ACTION_COMMAND, NULL }, { PANE_ANY, "h", ACTION_HELP, NULL },
	{ PANE_ANY, "!", ACTION_MESSAGES, NULL }, { PANE_ANY, "C-l", ACTION_REDRAW, NULL },
	{ PANE_ANY, "C-]", ACTION_TERMINAL, NULL },
	{ PANE_ANY, "C-z", ACTION_SUSPEND, NULL }, { PANE_ANY, "Esc", ACTION_CANCEL, NULL },
	{ PANE_ANY, "Bksp", ACTION_BACK, NULL },
	{ PANE_ANY, "F", ACTION_FOLLOW, "follow" },
	{ PANE_ANY, "q", ACTION_BACK, "back" },
	{ PANE_ANY, "Q", ACTION_QUIT, NULL }, { PANE_ANY, "C-c", ACTION_QUIT, NULL },
};
/* clang-format on */
const size_t n_key_defaults = ARRAY_LEN(key_defaults);

static const struct {
	const char *name;
	int key;
} key_names[] = {
	{ "Up", KEY_UP_ },       { "Down", KEY_DOWN_ },   { "Left", KEY_LEFT_ },
	{ "Right", KEY_RIGHT_ }, { "PgUp", KEY_PGUP_ },   { "PgDn", KEY_PGDN_ },
	{ "Home", KEY_HOME_ },   { "End", KEY_END_ },     { "Bksp", KEY_BKSP_ },
	{ "Del", KEY_DEL_ },     { "Ins", KEY_INS_ },     { "Tab", KEY_TAB_ },
	{ "S-Tab", KEY_STAB_ },  { "Enter", KEY_ENTER_ }, { "Esc", KEY_ESC_ },
	{ "Space", KEY_SPACE_ },
};

int key_parse(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < ARRAY_LEN(key_names); i++)
		if (!strcmp(key_names[i].name, name))
			return key_names[i].key;
	if (name[0] == 'F' && n > 1) {
		char *end;
		long k = strtol(name + 1, &end, 10);
		if (!*end && k >= 1 && k <= 12)
			return KEY_F1_ + (int)k - 1;
	}
	if (name[0] == 'C' && name[1] == '-' && n == 3)
		return KEY_CTRL(name[2]);
	if (n == 0)
		return 0;
	size_t used;
	uint32_t cp = utf8_decode(name, n, &used);
	return used == n && utf8_width(cp) > 0 ? (int)cp : 0;
}

const char *key_name(int key)
{
	static char text[16];
	for (size_t i = 0; i < ARRAY_LEN(key_names); i++)
		if (key_names[i].key == key)
			return key_names[i].name;
	if (key >= KEY_F1_ && key <= KEY_F12_)
		snprintf(text, sizeof(text), "F%d", key - KEY_F1_ + 1);
	else if (key > 0 && key < 32)
		snprintf(text, sizeof(text), "C-%c", key <= 26 ? key + 'a' - 1 : key + '@');
	else if (key > 0 && key < KEY_SPECIAL) {
		struct strbuf b = { 0 };
		strbuf_add_utf8(&b, (uint32_t)key);
		snprintf(text, sizeof(text), "%s", strbuf_str(&b));
		strbuf_fini(&b);
	} else
		snprintf(text, sizeof(text), "?");
	return text;
}
