/*
 * action: the table as data, look-up by name.
 */
#include "ui/action.h"

#include <assert.h>
#include <string.h>

#include "base/roff.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "ui/keymap.h"
#include "ui/keys.h"

const struct action_row actions[ACTION_COUNT] = {
#define X(id, name_, group_, arg_, needs_, pane_, does_, doc_)                                     \
	[ACTION_##id] = { name_, doc_, HELP_##group_, TAKES_##arg_, NEEDS_##needs_, PANE_##pane_ },
	ACTIONS(X)
#undef X
};

const char *const action_group_names[] = {
	[HELP_MOVE] = N_("Move"), [HELP_LOOK] = N_("Look"), [HELP_NARROW] = N_("Narrow"),
	[HELP_KEEP] = N_("Keep"), [HELP_LIVE] = N_("Live"), [HELP_SCREEN] = N_("Screen"),
};
static_assert(sizeof(action_group_names) / sizeof(action_group_names[0]) == HELP_GROUP_COUNT,
	      "a group has no name");

enum action action_find(const char *name, size_t n_bytes)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (strlen(actions[i].name) == n_bytes && !memcmp(actions[i].name, name, n_bytes))
			return (enum action)i;
	return ACTION_NONE;
}

void action_manual(struct strbuf *to)
{
	struct keymap *m = NULL;
	struct err *err = keymap_create(&m);
	if (err) {
		err_destroy(err);
		return;
	}
	for (int g = 0; g < HELP_GROUP_COUNT; g++) {
		strbuf_addf(to, ".SS %s\n", action_group_names[g]);
		for (int i = 0; i < ACTION_COUNT; i++) {
			if (actions[i].group != (enum action_group)g)
				continue;
			struct strbuf keys = { 0 };
			for (int p = 0; p <= PANE_COUNT && !keys.n; p++)
				keymap_keys_of(m, p == 0 ? PANE_ANY : (enum pane_id)(p - 1),
					       (enum action)i, &keys);
			strbuf_adds(to, ".TP\n.B ");
			roff_add(to, actions[i].name);
			if (keys.n) {
				strbuf_adds(to, "\\fR (");
				for (size_t k = 0; k < keys.n; k++) {
					if (keys.s[k] == '\\' || keys.s[k] == '-')
						strbuf_addc(to, '\\');
					strbuf_adds(to, keys.s[k] == '\\'
							    ? "(rs"
							    : (char[]){ keys.s[k], 0 });
				}
				strbuf_adds(to, ")");
			}
			strbuf_addc(to, '\n');
			roff_add(to, actions[i].doc);
			strbuf_addc(to, '\n');
			strbuf_fini(&keys);
		}
	}
	keymap_destroy(m);
}
