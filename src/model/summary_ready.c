/*
 * summary_ready: see summary_ready.h.
 *
 * To add one: a row here, its name in the text of --by (options.c), and a row in data/filters.md;
 * the test of `tests/filter/commands.py` runs each.
 */
#include "model/summary_ready.h"

#include <string.h>

/* clang-format off */
const struct ready_summary ready_summaries[READY_SUMMARIES] = {
	{ "files-written", "files that were written, by path", "files-written", "file" },
	{ "files-read", "files that were read, by path", "files-read", "file" },
	{ "hosts-contacted", "hosts, by address and port", "network-out", "peer" },
	{ "names-looked-up", "names of hosts that were looked up", "names-looked-up", "peer" },
	{ "commands-run", "programs started, by command line", "commands-run", "command" },
	{ "modules-imported", "imports, by module", "import", "module" },
	{ "code-from-strings", "code from strings, by caller", "code-from-strings", "caller" },
	{ "libraries-loaded", "libraries of machine code, by name", "native-loaded", "what" },
	{ "objects-unpickled", "classes, functions that pickles name", "objects-unpickled", "what" },
	{ "my-code", "what your own code does, by line", "only-my-code", "caller" },
};
/* clang-format on */

const struct ready_summary *ready_summary_find(const char *name)
{
	for (size_t i = 0; i < READY_SUMMARIES; i++)
		if (!strcmp(ready_summaries[i].name, name))
			return &ready_summaries[i];
	return NULL;
}
