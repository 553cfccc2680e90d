/*
 * read_stacks: read the stacks of a process again and again, for tests.
 *
 *     read_stacks PID TIMES
 *
 * For each reading and thread a line "kind|state|gil|name|wait|n_frames|whole", a tab, then the
 * frames, innermost first, as "function|file|line" with tabs between them. "-" after each reading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stacks/snapshot.h"
#include "visit/target_facts.h"

static void print_thread(const struct snapshot_thread *t)
{
	static const char kinds[] = { [SNAPSHOT_STACK] = 'S',
				      [SNAPSHOT_RUNS] = 'R',
				      [SNAPSHOT_NATIVE] = 'N',
				      [SNAPSHOT_ENDED] = 'E' };
	printf("%c|%c|%s|%s|%s|%u|%d", kinds[t->kind], t->state ? t->state : '?',
	       t->holds_gil       ? "holds"
	       : t->waits_for_gil ? "waits"
				  : "-",
	       t->name, t->wait, t->n_frames, !t->is_broken);
	for (unsigned i = 0; i < t->n_shown; i++)
		printf("\t%s|%s|%u", t->frames[i].function, t->frames[i].file, t->frames[i].line);
	putchar('\n');
}

static int fail(struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	err_destroy(err);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pid_t pid = (pid_t)atoi(argv[1]);
	CLEANUP(target_facts) struct target_facts *facts = NULL;
	struct err *err = target_facts_read(pid, NULL, &facts);
	if (err)
		return fail(err);
	for (long i = atol(argv[2]); i > 0; i--) {
		CLEANUP(snapshot) struct snapshot *s = NULL;
		err = snapshot_take(pid, facts->runtimes, facts->n_runtimes, false, &s);
		if (err)
			return fail(err);
		for (size_t k = 0; k < s->n_threads; k++)
			print_thread(&s->threads[k]);
		puts("-");
	}
	return 0;
}
