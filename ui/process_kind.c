/*
 * process_kind: see process_kind.h.
 */
#include "ui/process_kind.h"

#include <string.h>

#include "base/framework.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/trace.h"
#include "model/value_iter.h"

/* The first words of a command line, each with a NUL at its end. */
static void add_words(struct strbuf *to, struct trace *t, uint32_t argv)
{
	enum { WORDS_MAX = 32 };
	struct value_iter it;
	struct value_node node;
	value_iter_init(&it, t, argv, NULL, 0);
	if (!argv || !value_iter_next(&it, &node) || node.tag != VALUE_LIST)
		return;
	for (unsigned i = 0; i < WORDS_MAX && value_iter_next(&it, &node); i++)
		if (node.tag == VALUE_STR && !memchr(node.bytes, 0, node.n_bytes)) {
			strbuf_add(to, node.bytes, node.n_bytes);
			strbuf_addc(to, 0);
		}
}

/* Its number among the children of its parent that run the same command; 0: the parent does not. */
static unsigned worker_number(struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);
	uint32_t parent = trace_process_parent(t, process);
	unsigned number = 1;
	if (parent == UINT32_MAX || !p->name || trace_process(t, parent)->name != p->name)
		return 0;
	/* No later process had the parent's pid before this one began, so its other children are
	 * those that name that pid since. */
	for (uint32_t i = parent + 1; i < process; i++) {
		const struct process_info *other = trace_process(t, i);
		number += other->name == p->name && other->ppid == p->ppid &&
			  other->host == p->host;
	}
	return number;
}

bool process_kind_add_worker(struct strbuf *to, struct trace *t, uint32_t process)
{
	struct strbuf words = { 0 };
	const char *name, *role;
	unsigned number = worker_number(t, process);
	if (!number)
		return false;
	add_words(&words, t, trace_process(t, process)->argv);
	bool is_known = framework_find(strbuf_str(&words), words.n, &name, &role);
	if (is_known)
		strbuf_adds(to, name);
	strbuf_addf(to, is_known ? tr(" worker %u") : tr("worker %u"), number);
	strbuf_fini(&words);
	return true;
}

void process_kind_add(struct strbuf *to, struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);
	struct strbuf words = { 0 };
	const char *name, *role;
	size_t n, n_exe;
	unsigned number = worker_number(t, process);
	add_words(&words, t, p->argv);
	if (framework_find(strbuf_str(&words), words.n, &name, &role)) {
		strbuf_addf(to, ", %s", name);
		if (*role) {
			strbuf_addc(to, ' ');
			utf8_escape(to, role, strlen(role), 0);
		}
	} else if (number) {
		strbuf_addc(to, ',');
	}
	if (number)
		strbuf_addf(to, tr(" worker %u"), number);
	const char *text = trace_string(t, p->exe, &n_exe);
	char exe[1024];
	if (n_exe < sizeof(exe) && words.n) {
		memcpy(exe, text, n_exe);
		exe[n_exe] = 0;
		const char *venv = framework_venv(words.s, words.n, exe, &n);
		if (n) {
			strbuf_adds(to, tr(", virtual environment "));
			utf8_escape(to, venv, n, 0);
		}
	}
	strbuf_fini(&words);
}
