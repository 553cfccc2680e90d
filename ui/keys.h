/*
 * keys: which key does what in which pane.
 *
 * To bind a key, add a row to key_defaults[] (keys.c). A user's bindings come from the config file
 * ("bind KEY ACTION", "bind PANE KEY ACTION") and precede the defaults. The order of the rows is
 * the order of the last line.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/action.h"
#include "ui/input.h"
#include "ui/pane_id.h"

struct key_row {
	enum pane_id pane; /* PANE_ANY: all panes that have no row of their own for this key */
	const char *key;   /* as key_parse() reads it */
	enum action action;
	const char *label; /* shown in the last line; NULL: not shown there */
};

extern const struct key_row key_defaults[];
extern const size_t n_key_defaults;

/* "j" "C-l" "F1" "PgUp" "Space" … → key; 0 if the name is not known. */
int key_parse(const char *name);
/* The name of a key, as help prints it. Valid until the next call. */
const char *key_name(int key);
