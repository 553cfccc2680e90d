/*
 * merge: see merge.h. One pass over the native frames, innermost first; Python frames and anchors
 * are consumed in order.
 */
#include "stacks/merge.h"

struct merge {
	const struct merge_input *in;
	struct merge_item *items;
	size_t n;
	uint32_t python; /* next Python frame */
	uint32_t anchor; /* next anchor */
	uint32_t flags;
};

static void put(struct merge *m, enum merge_kind kind, uint32_t index)
{
	m->items[m->n++] = (struct merge_item){ .kind = (uint8_t)kind, .index = index };
}

/* Put Python frames up to `end`; false if there were none. */
static bool put_python(struct merge *m, uint32_t end)
{
	uint32_t first = m->python;
	if (end > m->in->n_python)
		end = m->in->n_python;
	while (m->python < end)
		put(m, MERGE_PYTHON, m->python++);
	return m->python > first;
}

static uint64_t anchor_address(const struct merge *m)
{
	return m->in->sp + m->in->anchors[m->anchor].sp_off;
}

/* Put the Python frames of the evaluator run in native frame k. False: the frame is not an
 * evaluator run, or none of its Python frames were recorded. */
static bool put_run(struct merge *m, uint32_t k)
{
	const struct merge_input *in = m->in;
	if (!in->has_anchors)
		return (in->classes[k] & MERGE_EVALUATOR) && put_python(m, m->python + 1);
	/* The extent of the last native frame is unknown unless it is the outermost frame. If it is
	 * not, only an evaluator takes an anchor there, and only one. */
	bool is_last = k + 1 == in->n_native, bounded = !is_last || in->stop == UNWIND_COMPLETE;
	uint64_t end = is_last ? UINT64_MAX : in->native[k + 1].sp;
	bool any = false;
	while (m->anchor < in->n_anchors && anchor_address(m) >= in->native[k].sp &&
	       anchor_address(m) < end && (bounded || (in->classes[k] & MERGE_EVALUATOR))) {
		any |= put_python(m, in->anchors[m->anchor].frames_end);
		m->anchor++;
		if (!bounded)
			break;
	}
	return any;
}

/* Does frame k hold the next anchor? */
static bool holds_anchor(const struct merge *m, uint32_t k)
{
	const struct merge_input *in = m->in;
	return m->anchor < in->n_anchors && k + 1 < in->n_native &&
	       anchor_address(m) >= in->native[k].sp && anchor_address(m) < in->native[k + 1].sp;
}

/* Anchors further in than frame k that no frame owned. Their Python frames are put here. */
static void put_missed(struct merge *m, uint32_t k)
{
	while (m->in->has_anchors && m->anchor < m->in->n_anchors &&
	       anchor_address(m) < m->in->native[k].sp) {
		if (put_python(m, m->in->anchors[m->anchor].frames_end))
			m->flags |= MERGE_UNMERGED;
		m->anchor++;
	}
}

static bool python_used_up(const struct merge *m)
{
	const struct merge_input *in = m->in;
	return in->n_python && !in->python_cut && m->python == in->n_python &&
	       m->anchor == (in->has_anchors ? in->n_anchors : 0);
}

size_t merge_stacks(const struct merge_input *in, struct merge_item *items, uint32_t *ret_flags)
{
	struct merge m = { .in = in, .items = items };
	bool in_greenlet = false, left = false;
	for (uint32_t k = 0; k < in->n_native && !left; k++) {
		uint8_t class = in->classes[k];
		put_missed(&m, k);
		if ((class & MERGE_HANDLER) && holds_anchor(&m, k + 1))
			continue;
		if (put_run(&m, k))
			continue;
		/* Beyond a greenlet's outermost Python frame are the functions that started the
		 * greenlet. The frames of their callers have been overwritten since. */
		left = in_greenlet && !(class & MERGE_GREENLET);
		in_greenlet |= (class & MERGE_GREENLET) && python_used_up(&m);
		put(&m, left ? MERGE_MARK : MERGE_NATIVE, left ? MERGE_MARK_GREENLET : k);
	}
	if (!left && in->stop != UNWIND_COMPLETE) {
		m.flags |= MERGE_CUT;
		put(&m, MERGE_MARK, MERGE_MARK_STOP);
	}
	if (m.python < in->n_python) {
		if (left || in->stop == UNWIND_COMPLETE) {
			m.flags |= MERGE_UNMERGED;
			put(&m, MERGE_MARK, MERGE_MARK_UNPLACED);
		}
		put_python(&m, in->n_python);
	}
	*ret_flags = m.flags;
	return m.n;
}
