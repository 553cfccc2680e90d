/*
 * action: everything that can be done, one row each.
 *
 * To add an action: one row here (name as `:` and the config file spell it, the group it stands
 * under in help, what its argument is, one line of doc); a row in keys.c if it has a key; a case in
 * the act function of the pane that does it or in ui_act() (app_actions.c). Help, completion, the
 * last line and the manual's table are made from these rows; tests/unit/test_ui_keys.c proves that
 * no row is missing anywhere.
 *
 *   X(ID, "name", GROUP, ARG, "doc")
 */
#pragma once

#include <stddef.h>

struct strbuf;

/* clang-format off */
#define ACTIONS(X)                                                                                          \
	X(DOWN,          "down",          MOVE,   COUNT,  "line down")                                      \
	X(UP,            "up",            MOVE,   COUNT,  "line up")                                        \
	X(PAGE_DOWN,     "page-down",     MOVE,   COUNT,  "page down")                                      \
	X(PAGE_UP,       "page-up",       MOVE,   COUNT,  "page up")                                        \
	X(HALF_DOWN,     "half-down",     MOVE,   COUNT,  "half a page down")                               \
	X(HALF_UP,       "half-up",       MOVE,   COUNT,  "half a page up")                                 \
	X(TOP,           "top",           MOVE,   NONE,   "first")                                          \
	X(BOTTOM,        "bottom",        MOVE,   NONE,   "last")                                           \
	X(LEFT,          "left",          MOVE,   COUNT,  "left, or close")                                 \
	X(RIGHT,         "right",         MOVE,   COUNT,  "right, or open")                                 \
	X(GOTO,          "goto",          MOVE,   TEXT,   "to an event: 17, 12.5s or 50%")                  \
	X(HISTORY_BACK,  "history-back",  MOVE,   NONE,   "where you were before")                          \
	X(HISTORY_FORTH, "history-forth", MOVE,   NONE,   "where you were after")                           \
	X(FIRST_NEXT,    "first-next",    MOVE,   COUNT,  "next first of its kind")                         \
	X(FIRST_PREV,    "first-prev",    MOVE,   COUNT,  "first of its kind before")                       \
	X(STORY_NEXT,    "story-next",    MOVE,   COUNT,  "next, same thread")                              \
	X(STORY_PREV,    "story-prev",    MOVE,   COUNT,  "before, same thread")                            \
	X(OPEN,          "open",          LOOK,   NONE,   "open, drill down")                               \
	X(BACK,          "back",          LOOK,   NONE,   "back")                                           \
	X(FOLD,          "fold",          LOOK,   NONE,   "fold or unfold")                                 \
	X(FOLD_ALL,      "fold-all",      LOOK,   NONE,   "fold or unfold all")                             \
	X(CALLERS,       "callers",       LOOK,   NONE,   "tree: who causes what")                          \
	X(SUMMARY,       "summary",       LOOK,   TEXT,   "summary, as top")                                \
	X(DIFF,          "diff",          LOOK,   FILE,   "what this does that another capture does not")  \
	X(PROCESSES,     "processes",     LOOK,   NONE,   "processes and threads")                          \
	X(TIMELINE,      "timeline",      LOOK,   NONE,   "timeline: rate by theme")                        \
	X(EXPLAIN,       "explain",       LOOK,   EVENT,  "what is this event")                             \
	X(BYTES,         "bytes",         LOOK,   NONE,   "bytes of this value")                            \
	X(SOURCE_EDIT,   "edit",          LOOK,   NONE,   "$EDITOR at the line")                            \
	X(SOURCE_DIR,    "source",        LOOK,   FILE,   "look for source files in this folder too")       \
	X(SORT,          "sort",          LOOK,   NONE,   "sort by the next column")                        \
	X(GROUP_BY,      "by",            LOOK,   GROUP,  "group by the next field")                        \
	X(TIME_MODE,     "time",          LOOK,   NONE,   "time: start/delta/clock")                        \
	X(STACK_MODE,    "frames",        LOOK,   NONE,   "python, native frames")                          \
	X(FILTER,        "filter",        NARROW, FILTER, "edit the filter")                                \
	X(FILTER_CLEAR,  "filter-clear",  NARROW, NONE,   "show all again")                                 \
	X(FILTER_SAVE,   "filter-save",   NARROW, TEXT,   "keep the filter under a name")                   \
	X(FILTERS,       "filters",       NARROW, NONE,   "kept filters")                                   \
	X(INCLUDE,       "include",       NARROW, NONE,   "only this")                                      \
	X(EXCLUDE,       "exclude",       NARROW, NONE,   "not this")                                       \
	X(TOGGLE,        "toggle",        NARROW, NONE,   "toggle, or tag")                                 \
	X(SEARCH,        "search",        NARROW, TEXT,   "search, all columns")                            \
	X(SEARCH_BACK,   "search-back",   NARROW, TEXT,   "search backwards")                               \
	X(HIT_NEXT,      "next",          NARROW, COUNT,  "next hit")                                       \
	X(HIT_PREV,      "previous",      NARROW, COUNT,  "hit before")                                     \
	X(MARK,          "mark",          KEEP,   NONE,   "mark this event")                                \
	X(NOTE,          "note",          KEEP,   TEXT,   "a note at this event")                           \
	X(MARK_NEXT,     "mark-next",     KEEP,   COUNT,  "to the next mark")                               \
	X(MARKS,         "marks",         KEEP,   NONE,   "marks and notes")                                \
	X(COPY,          "copy",          KEEP,   NONE,   "copy this line")                                 \
	X(COPY_COMMAND,  "copy-command",  KEEP,   NONE,   "copy as a command")                              \
	X(WRITE,         "write",         KEEP,   WRITE,  "write a file")                                   \
	X(FOLLOW,        "follow",        LIVE,   NONE,   "follow new events")                              \
	X(FREEZE,        "freeze",        LIVE,   NONE,   "freeze the view")                                \
	X(PAUSE,         "pause",         LIVE,   NONE,   "stop tracing, or go on")                         \
	X(DETACH,        "detach",        LIVE,   NONE,   "leave the target alone")                         \
	X(ATTACH,        "attach",        LIVE,   NONE,   "attach again")                                   \
	X(CHILDREN,      "children",      LIVE,   NONE,   "follow children, or not")                        \
	X(DOCTOR,        "doctor",        LIVE,   NONE,   "can it be attached to")                          \
	X(TERMINAL,      "terminal",      LIVE,   NONE,   "the program's terminal")                         \
	X(TRY,           "try",           LIVE,   NONE,   "raise it: run the example")                      \
	X(PANE_NEXT,     "pane-next",     SCREEN, NONE,   "next pane")                                      \
	X(PANE_PREV,     "pane-prev",     SCREEN, NONE,   "pane before")                                    \
	X(NARROWER,      "narrower",      SCREEN, COUNT,  "smaller")                                        \
	X(WIDER,         "wider",         SCREEN, COUNT,  "larger")                                         \
	X(MAXIMISE,      "maximise",      SCREEN, NONE,   "this pane alone")                                \
	X(ROTATE,        "rotate",        SCREEN, NONE,   "turn the details")                               \
	X(COMMAND,       "command",       SCREEN, NONE,   "command line")                                   \
	X(HELP,          "help",          SCREEN, NONE,   "help")                                           \
	X(CATALOG,       "catalogue",     SCREEN, EVENT,  "catalogue of events")                            \
	X(LESSONS,       "lessons",       SCREEN, NONE,   "learn")                                          \
	X(HINT,          "hint",          SCREEN, NONE,   "hint of the lesson")                             \
	X(MESSAGES,      "messages",      SCREEN, NONE,   "messages")                                       \
	X(THEME,         "theme",         SCREEN, THEME,  "colours: dark light cb mono")                    \
	X(COLUMNS,       "columns",       SCREEN, TEXT,   "columns of the list")                            \
	X(MOUSE,         "mouse",         SCREEN, NONE,   "mouse on or off")                                \
	X(REDRAW,        "redraw",        SCREEN, NONE,   "paint the screen anew")                          \
	X(SUSPEND,       "suspend",       SCREEN, NONE,   "to the shell, fg returns")                       \
	X(CANCEL,        "cancel",        SCREEN, NONE,   "leave, stop work")                               \
	X(QUIT,          "quit",          SCREEN, NONE,   "quit")
/* clang-format on */

enum action {
#define X(id, name, group, arg, doc) ACTION_##id,
	ACTIONS(X)
#undef X
	    ACTION_COUNT,
	ACTION_NONE = ACTION_COUNT
};

enum action_group {
	HELP_MOVE,
	HELP_LOOK,
	HELP_NARROW,
	HELP_KEEP,
	HELP_LIVE,
	HELP_SCREEN,
	HELP_GROUP_COUNT
};

/* What may stand behind an action on the `:` line, and so how it is completed. */
enum action_arg {
	TAKES_NONE,
	TAKES_COUNT, /* how often; before the key */
	TAKES_TEXT,
	TAKES_FILTER,
	TAKES_THEME,
	TAKES_FILE,
	TAKES_EVENT,
	TAKES_GROUP, /* a field to group by */
	TAKES_WRITE  /* shown|marked|all FILE */
};

struct action_row {
	const char *name, *doc;
	enum action_group group;
	enum action_arg arg;
};

extern const struct action_row actions[ACTION_COUNT];
extern const char *const action_group_names[HELP_GROUP_COUNT];

enum action action_find(const char *name, size_t n_bytes); /* ACTION_NONE if there is none */
/* The table of keys and actions as roff, for the manual page. */
void actions_manual(struct strbuf *to);
