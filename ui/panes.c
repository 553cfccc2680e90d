/*
 * panes: the table.
 */
#include "ui/panes.h"

#include <assert.h>
#include <string.h>

/* clang-format off */
const struct pane_row panes[PANE_COUNT] = {
	[PANE_EVENTS]     = { "events", "Events", &pane_events_ops, .is_page = false },
	[PANE_CATEGORIES] = { "categories", "Categories", &pane_categories_ops, .is_page = false },
	[PANE_ARGUMENTS]  = { "arguments", "Arguments", &pane_arguments_ops, .is_page = false },
	[PANE_STACK]      = { "stack", "Stack", &pane_stack_ops, .is_page = false },
	[PANE_TIMELINE]   = { "timeline", "Timeline", &pane_timeline_ops, .is_page = false },
	[PANE_SUMMARY]    = { "summary", "Summary", &pane_summary_ops, .is_page = true, .may_dock = true },
	[PANE_CALLERS]    = { "callers", "Callers", &pane_callers_ops, .is_page = true, .may_dock = true },
	[PANE_INSIDE]     = { "inside", "Inside", &pane_inside_ops, .is_page = true },
	[PANE_DIFF]       = { "diff", "Diff", &pane_diff_ops, .is_page = true },
	[PANE_PROCESSES]  = { "processes", "Processes", &pane_processes_ops, .is_page = true, .may_dock = true },
	[PANE_BYTES]      = { "bytes", "Bytes", &pane_bytes_ops, .is_page = true },
	[PANE_MESSAGES]   = { "messages", "Messages", &pane_messages_ops, .is_page = true },
	[PANE_MARKS]      = { "marks", "Marks", &pane_marks_ops, .is_page = true },
	[PANE_FILTERS]    = { "filters", "Filters", &pane_filters_ops, .is_page = true },
	[PANE_CATALOG]    = { "catalogue", "Catalogue", &pane_catalog_ops, .is_page = true },
	[PANE_LESSONS]    = { "lessons", "Learn", &pane_lessons_ops, .is_page = true },
	[PANE_LESSON]     = { "lesson", "Lesson", &pane_lesson_ops, .is_page = true },
	[PANE_TERMINAL]   = { "terminal", "Terminal", &pane_terminal_ops, .is_page = true, .may_dock = true },
	[PANE_START]      = { "start", "Python processes", &pane_start_ops, .is_page = true },
	[PANE_HELP]       = { "help", "Help", &pane_help_ops, .is_page = true },
};

static const struct {
	enum action action;
	enum pane_id pane;
} openers[] = {
	{ ACTION_SUMMARY, PANE_SUMMARY },   { ACTION_CALLERS, PANE_CALLERS }, { ACTION_PROCESSES, PANE_PROCESSES },
	{ ACTION_TIMELINE, PANE_TIMELINE }, { ACTION_BYTES, PANE_BYTES },     { ACTION_MESSAGES, PANE_MESSAGES },
	{ ACTION_MARKS, PANE_MARKS },       { ACTION_FILTERS, PANE_FILTERS }, { ACTION_TERMINAL, PANE_TERMINAL },
	{ ACTION_DIFF, PANE_DIFF },         { ACTION_LESSONS, PANE_LESSONS },   { ACTION_CATALOG, PANE_CATALOG }, { ACTION_HELP, PANE_HELP },
};
/* clang-format on */

enum pane_id pane_find(const char *name)
{
	for (int i = 0; i < PANE_COUNT; i++)
		if (!strcmp(panes[i].name, name))
			return (enum pane_id)i;
	return PANE_NONE;
}

enum pane_id pane_of_action(enum action action)
{
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++)
		if (openers[i].action == action)
			return openers[i].pane;
	return PANE_NONE;
}
