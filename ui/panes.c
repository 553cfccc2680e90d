/*
 * panes: the functions of all panes.
 */
#include "ui/panes.h"

const struct pane_ops *const pane_functions[PANE_COUNT] = {
#define X(id, file, name, title, flags) [PANE_##id] = &pane_##file##_ops,
	PANES(X)
#undef X
};
