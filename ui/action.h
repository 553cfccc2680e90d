/*
 * action: everything that can be done, one row each.
 *
 *   X(ID, "name", GROUP, ARG, NEEDS, PANE, does, "doc")
 *
 *   name   as `:` and the config file spell it
 *   GROUP  the group of enum action_group that it is listed under in help
 *   ARG    what may follow it on the `:` line
 *   NEEDS  SESSION: nothing is done while the start page is all there is; NOTHING: it always
 *          works; FIRST: likewise, and the focused pane is not asked first
 *   PANE   the pane that it opens or that does it; NONE
 *   does   the function act_<does>() of app_actions.c, called if the focused pane does not do the
 *          action itself. `focused`: only the focused pane does it; `list`: PANE does it wherever
 *          the focus is; `page`: PANE is opened, or closed if it is the page on top
 *
 * To add an action: one row here; a row in keys.c if it has a key; a function in app_actions.c, or
 * a case in the act function of the pane that does it. Help, completion, the last line and the
 * manual's table are made from these rows; tests/tui/test_ui.c proves that no row is missing
 * anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ui/pane_id.h"

struct strbuf;

/* clang-format off */
#define ACTIONS(X)                                                                                                                          \
	X(DOWN,          "down",          MOVE,   COUNT,  SESSION, NONE,      focused,      "line down")                                    \
	X(UP,            "up",            MOVE,   COUNT,  SESSION, NONE,      focused,      "line up")                                      \
	X(PAGE_DOWN,     "page-down",     MOVE,   COUNT,  SESSION, NONE,      focused,      "page down")                                    \
	X(PAGE_UP,       "page-up",       MOVE,   COUNT,  SESSION, NONE,      focused,      "page up")                                      \
	X(HALF_DOWN,     "half-down",     MOVE,   COUNT,  SESSION, NONE,      focused,      "half a page down")                             \
	X(HALF_UP,       "half-up",       MOVE,   COUNT,  SESSION, NONE,      focused,      "half a page up")                               \
	X(TOP,           "top",           MOVE,   NONE,   SESSION, NONE,      focused,      "first")                                        \
	X(BOTTOM,        "bottom",        MOVE,   NONE,   SESSION, NONE,      focused,      "last")                                         \
	X(LEFT,          "left",          MOVE,   COUNT,  SESSION, NONE,      focused,      "left, or close")                               \
	X(RIGHT,         "right",         MOVE,   COUNT,  SESSION, NONE,      focused,      "right, or open")                               \
	X(GOTO,          "goto",          MOVE,   TEXT,   SESSION, NONE,      goto,         "to an event: 17, 12.5s or 50%")                \
	X(HISTORY_BACK,  "history-back",  MOVE,   NONE,   SESSION, NONE,      history,      "where you were before")                        \
	X(HISTORY_FORTH, "history-forth", MOVE,   NONE,   SESSION, NONE,      history,      "where you were after")                         \
	X(FIRST_NEXT,    "first-next",    MOVE,   COUNT,  SESSION, EVENTS,    list,         "next first of its kind")                       \
	X(FIRST_PREV,    "first-prev",    MOVE,   COUNT,  SESSION, EVENTS,    list,         "previous first of a kind")                     \
	X(STORY_NEXT,    "story-next",    MOVE,   COUNT,  SESSION, EVENTS,    list,         "next, same thread")                            \
	X(STORY_PREV,    "story-prev",    MOVE,   COUNT,  SESSION, EVENTS,    list,         "previous, same thread")                        \
	X(OPEN,          "open",          LOOK,   NONE,   SESSION, NONE,      focused,      "open, drill down")                             \
	X(BACK,          "back",          LOOK,   NONE,   NOTHING, NONE,      back,         "back")                                         \
	X(FOLD,          "fold",          LOOK,   NONE,   SESSION, NONE,      focused,      "fold or unfold")                               \
	X(FOLD_ALL,      "fold-all",      LOOK,   NONE,   SESSION, EVENTS,    list,         "fold or unfold all")                           \
	X(CALLERS,       "callers",       LOOK,   NONE,   SESSION, CALLERS,   page,         "tree: who causes what")                        \
	X(SUMMARY,       "summary",       LOOK,   GROUP,  SESSION, SUMMARY,   summary,      "summary, as top")                              \
	X(DIFF,          "diff",          LOOK,   FILE,   SESSION, DIFF,      diff,         "what this does that another capture does not") \
	X(IMPORTS,       "imports",       LOOK,   NONE,   SESSION, IMPORTS,   page,         "imports: cost by module")                      \
	X(PROCESSES,     "processes",     LOOK,   NONE,   SESSION, PROCESSES, page,         "processes and threads")                        \
	X(NOW,           "now",           LOOK,   NONE,   SESSION, NOW,       page,         "what threads do now")                          \
	X(TIMELINE,      "timeline",      LOOK,   NONE,   SESSION, TIMELINE,  page,         "timeline: rate by theme")                      \
	X(EXPLAIN,       "explain",       LOOK,   EVENT,  SESSION, CATALOG,   catalog,      "explain this event")                           \
	X(BYTES,         "bytes",         LOOK,   NONE,   SESSION, BYTES,     page,         "bytes of this value")                          \
	X(SOURCE_EDIT,   "edit",          LOOK,   NONE,   SESSION, NONE,      edit,         "$EDITOR at the line")                          \
	X(SOURCE_DIR,    "source",        LOOK,   FILE,   SESSION, NONE,      source_dir,   "look for source files in this folder too")     \
	X(SORT,          "sort",          LOOK,   NONE,   SESSION, NONE,      focused,      "sort by the next column")                      \
	X(GROUP_BY,      "by",            LOOK,   GROUP,  SESSION, SUMMARY,   summary,      "group by the next field")                      \
	X(TIME_MODE,     "time",          LOOK,   NONE,   SESSION, NONE,      time,         "time: start/delta/clock")                      \
	X(STACK_MODE,    "frames",        LOOK,   NONE,   SESSION, NONE,      focused,      "python or native frames")                      \
	X(FILTER,        "filter",        NARROW, FILTER, SESSION, NONE,      filter,       "edit the filter")                              \
	X(FILTER_CLEAR,  "filter-clear",  NARROW, NONE,   SESSION, NONE,      filter_clear, "show all again")                               \
	X(FILTER_SAVE,   "filter-save",   NARROW, TEXT,   SESSION, NONE,      filter_save,  "keep the filter under a name")                 \
	X(FILTERS,       "filters",       NARROW, NONE,   SESSION, FILTERS,   page,         "filters and summaries, ready and kept")        \
	X(INCLUDE,       "include",       NARROW, NONE,   SESSION, NONE,      term,         "only this")                                    \
	X(EXCLUDE,       "exclude",       NARROW, NONE,   SESSION, NONE,      term,         "not this")                                     \
	X(SAME,          "same",          NARROW, NONE,   SESSION, NONE,      same,         "same file, host, command")                     \
	X(TOGGLE,        "toggle",        NARROW, NONE,   SESSION, NONE,      focused,      "toggle, or tag")                               \
	X(SEARCH,        "search",        NARROW, TEXT,   FIRST,   NONE,      search,       "search, all columns")                          \
	X(SEARCH_BACK,   "search-back",   NARROW, TEXT,   FIRST,   NONE,      search,       "search backwards")                             \
	X(HIT_NEXT,      "next",          NARROW, COUNT,  NOTHING, NONE,      hit,          "next hit")                                     \
	X(HIT_PREV,      "previous",      NARROW, COUNT,  NOTHING, NONE,      hit,          "previous hit")                                 \
	X(NARROW,        "narrow",        NARROW, TEXT,   NOTHING, NONE,      focused,      "show only lines with this text")               \
	X(MARK,          "mark",          KEEP,   NONE,   SESSION, NONE,      mark,         "mark this event")                              \
	X(NOTE,          "note",          KEEP,   TEXT,   SESSION, NONE,      note,         "note at this event")                           \
	X(MARK_NEXT,     "mark-next",     KEEP,   COUNT,  SESSION, NONE,      mark_next,    "to the next mark")                             \
	X(MARKS,         "marks",         KEEP,   NONE,   SESSION, MARKS,     page,         "marks and notes")                              \
	X(COPY,          "copy",          KEEP,   NONE,   NOTHING, NONE,      copy,         "copy this line")                               \
	X(COPY_COMMAND,  "copy-command",  KEEP,   NONE,   SESSION, NONE,      copy_command, "copy as a command")                            \
	X(WRITE,         "write",         KEEP,   WRITE,  SESSION, NONE,      write,        "write events to a file")                       \
	X(DUMP,          "dump",          KEEP,   FILE,   SESSION, NONE,      dump,         "write what --keep keeps")                      \
	X(FOLLOW,        "follow",        LIVE,   NONE,   SESSION, EVENTS,    list,         "follow new events")                            \
	X(FREEZE,        "freeze",        LIVE,   NONE,   SESSION, NONE,      freeze,       "freeze the view")                              \
	X(PAUSE,         "pause",         LIVE,   NONE,   SESSION, NONE,      pause,        "pause or resume tracing")                      \
	X(DETACH,        "detach",        LIVE,   NONE,   SESSION, NONE,      detach,       "detach from the target")                       \
	X(ATTACH,        "attach",        LIVE,   NONE,   SESSION, NONE,      attach,       "attach again")                                 \
	X(CONTINUE,      "continue",      LIVE,   NONE,   SESSION, NONE,      continue_held, "continue the threads that are held")           \
	X(HOLD,          "hold",          LIVE,   FILTER, SESSION, NONE,      hold,         "hold threads before such an event happens")    \
	X(HOLD_THIS,     "hold-this",     LIVE,   NONE,   SESSION, NONE,      hold_this,    "hold such an event before it happens")         \
	X(HOLDS,         "holds",         LIVE,   NONE,   SESSION, HOLDS,     page,         "what is held, and which threads")              \
	X(HOLD_IGNORE,   "ignore",        LIVE,   TEXT,   SESSION, NONE,      hold_ignore,  "do not hold the next N matches")               \
	X(UNHOLD,        "unhold",        LIVE,   TEXT,   SESSION, NONE,      unhold,       "remove a hold by its number, or all")          \
	X(STEP,          "step",          LIVE,   NONE,   SESSION, NONE,      step,         "continue to the next event of this thread")    \
	X(UNTIL,         "until",         LIVE,   FILTER, SESSION, NONE,      until,        "continue until such an event")                 \
	X(CHILDREN,      "children",      LIVE,   NONE,   SESSION, NONE,      children,     "follow children, or not")                      \
	X(DOCTOR,        "doctor",        LIVE,   NONE,   SESSION, NONE,      doctor,       "can it be attached to")                        \
	X(TERMINAL,      "terminal",      LIVE,   NONE,   SESSION, TERMINAL,  terminal,     "the program's terminal")                       \
	X(TERMINAL_CLOSE, "terminal-close", LIVE, NONE,   SESSION, NONE,      terminal_close, "close the program's terminal")               \
	X(TERMINAL_KEY,  "terminal-key",  LIVE,   NONE,   SESSION, NONE,      focused,      "send Ctrl-] to the program")                   \
	X(TRY,           "try",           LIVE,   NONE,   SESSION, NONE,      focused,      "run the event's example")                      \
	X(PANE_NEXT,     "pane-next",     SCREEN, NONE,   SESSION, NONE,      pane,         "next pane")                                    \
	X(PANE_PREV,     "pane-prev",     SCREEN, NONE,   SESSION, NONE,      pane,         "previous pane")                                \
	X(NARROWER,      "narrower",      SCREEN, COUNT,  SESSION, NONE,      width,        "smaller")                                      \
	X(WIDER,         "wider",         SCREEN, COUNT,  SESSION, NONE,      width,        "larger")                                       \
	X(MAXIMISE,      "maximise",      SCREEN, NONE,   SESSION, NONE,      maximise,     "this pane alone")                              \
	X(ROTATE,        "rotate",        SCREEN, NONE,   SESSION, NONE,      rotate,       "details below or beside")                      \
	X(COMMAND,       "command",       SCREEN, NONE,   NOTHING, NONE,      command,      "command line")                                 \
	X(HELP,          "help",          SCREEN, NONE,   NOTHING, HELP,      help,         "help")                                         \
	X(CATALOG,       "catalogue",     SCREEN, EVENT,  NOTHING, CATALOG,   catalog,      "catalogue of events")                          \
	X(LESSONS,       "lessons",       SCREEN, NONE,   NOTHING, LESSONS,   page,         "learn")                                        \
	X(HINT,          "hint",          SCREEN, NONE,   SESSION, NONE,      focused,      "hint of the lesson")                           \
	X(MESSAGES,      "messages",      SCREEN, NONE,   NOTHING, MESSAGES,  page,         "messages")                                     \
	X(THEME,         "theme",         SCREEN, THEME,  NOTHING, NONE,      theme,        "colours: dark light cb mono")                  \
	X(SET,           "set",           SCREEN, SET,    NOTHING, NONE,      set,          "change a setting; --save keeps it")           \
	X(COLUMNS,       "columns",       SCREEN, COLUMNS, SESSION, NONE,      columns,      "columns of the list")                          \
	X(MOUSE,         "mouse",         SCREEN, NONE,   NOTHING, NONE,      mouse,        "mouse on or off")                              \
	X(REDRAW,        "redraw",        SCREEN, NONE,   NOTHING, NONE,      redraw,       "redraw the screen")                            \
	X(SUSPEND,       "suspend",       SCREEN, NONE,   NOTHING, NONE,      suspend,      "suspend; fg returns")                          \
	X(CANCEL,        "cancel",        SCREEN, NONE,   NOTHING, NONE,      cancel,       "leave, stop work")                             \
	X(QUIT,          "quit",          SCREEN, NONE,   NOTHING, NONE,      quit,         "quit")
/* clang-format on */

enum action {
#define X(id, name, group, arg, needs, pane, does, doc) ACTION_##id,
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

/* What may follow an action on the `:` line; this decides how it is completed. */
enum action_arg {
	TAKES_NONE,
	TAKES_COUNT, /* a number that is typed before the key: how often */
	TAKES_TEXT,
	TAKES_FILTER,
	TAKES_THEME,
	TAKES_FILE,
	TAKES_EVENT,
	TAKES_GROUP,  /* a field to group by */
	TAKES_WRITE,  /* shown|marked|all FILE */
	TAKES_SET,    /* NAME VALUE [--save] */
	TAKES_COLUMNS /* names of columns */
};

enum action_needs {
	NEEDS_SESSION,
	NEEDS_NOTHING,
	NEEDS_FIRST /* nothing, and the focused pane is not asked first */
};

struct action_row {
	const char *name, *doc;
	enum action_group group;
	enum action_arg arg;
	enum action_needs needs;
	enum pane_id pane; /* PANE_NONE */
};

extern const struct action_row actions[ACTION_COUNT];
extern const char *const action_group_names[HELP_GROUP_COUNT];

enum action action_find(const char *name, size_t n_bytes); /* ACTION_NONE if there is none */
/* The table of keys and actions as roff, for the manual page. */
void action_manual(struct strbuf *to);
