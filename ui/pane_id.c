/*
 * pane_id: the table as data, look-up by name. The functions of the panes are in panes.c, so that
 * what only needs a name does not need all panes.
 */
#include "ui/pane_id.h"

#include <string.h>

const struct pane_row panes[PANE_COUNT] = {
#define X(id, file, name_, title_, flags_) [PANE_##id] = { name_, title_, flags_ },
	PANES(X)
#undef X
};

enum pane_id pane_find(const char *name)
{
	for (int i = 0; i < PANE_COUNT; i++)
		if (!strcmp(panes[i].name, name))
			return (enum pane_id)i;
	return PANE_NONE;
}
