/*
 * keymap: which action a key has in a pane: the defaults of keys.h and the user's bindings.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "ui/action.h"
#include "ui/keys.h"
#include "ui/pane_id.h"

struct strbuf;

struct keymap; /* the defaults and the user's rows */

MUST_CHECK struct err *keymap_create(struct keymap **ret);
void keymap_destroy(struct keymap *m);
DEFINE_CLEANUP(keymap);
/* Bind a key; ACTION_NONE unbinds it. Errors: ERR_SYNTAX for an unknown key name. */
MUST_CHECK struct err *keymap_bind(struct keymap *m, enum pane_id pane, const char *key,
				   enum action action);
enum action keymap_find(const struct keymap *m, enum pane_id pane, int key);
/* The same among the rows of the pane alone; ACTION_NONE if only the rows for all panes have it. */
enum action keymap_find_own(const struct keymap *m, enum pane_id pane, int key);

/* Call fn for the rows that apply in a pane, in table order, the pane's own first. Rows that others
 * override are left out. */
void keymap_each(const struct keymap *m, enum pane_id pane,
		 void (*fn)(void *ctx, const struct key_row *row), void *ctx);
/* Append the keys of an action in a pane, "f F4"; "" if it has none. */
void keymap_keys_of(const struct keymap *m, enum pane_id pane, enum action action,
		    struct strbuf *to);
