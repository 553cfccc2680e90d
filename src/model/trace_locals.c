/*
 * trace_locals: see trace_locals.h.
 */
#include "model/trace_locals.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/trace_private.h"
#include "model/value_iter.h"
#include "model/value_text.h"

enum { LITERAL_BYTES = 2000 };

uint32_t trace_locals(const struct trace *t, uint64_t seq)
{
	return hash_map_get(&t->locals, seq);
}

void trace_locals_add(struct strbuf *to, struct value_iter *it, const struct value_node *dict,
		      const char *indent)
{
	struct value_node node;
	for (uint64_t n = dict->n_children / 2; n && value_iter_next(it, &node); n--) {
		struct strbuf name = { 0 };
		value_text_plain(&name, it, &node);
		if (value_iter_next(it, &node)) {
			strbuf_adds(to, indent);
			utf8_escape(to, strbuf_str(&name), name.n, 0);
			strbuf_adds(to, " = ");
			value_text_literal(to, it, &node, LITERAL_BYTES);
			strbuf_addc(to, '\n');
		}
		strbuf_fini(&name);
	}
}

static bool is_key(const struct value_node *n, const char *word)
{
	return n->tag == VALUE_STR && n->n_bytes == strlen(word) &&
	       !memcmp(n->bytes, word, n->n_bytes);
}

/* The iterator is behind the node of a frame. Members that are not known are skipped. */
static void frame_read(struct value_iter *it, const struct value_node *frame, const char *indent,
		       struct trace_locals_frame *ret, struct strbuf *to)
{
	struct value_node key, value;
	*ret = (struct trace_locals_frame){ .function = "", .file = "" };
	for (uint32_t n = frame->n_children / 2; n && value_iter_next(it, &key); n--) {
		value_iter_skip(it, &key);
		if (!value_iter_next(it, &value))
			return;
		if (is_key(&key, "vars") && value.tag == VALUE_DICT && !ret->is_readable) {
			ret->is_readable = true;
			if (to) {
				trace_locals_add(to, it, &value, indent);
				continue;
			}
		} else if (is_key(&key, "func") && value.tag == VALUE_STR) {
			ret->function = (const char *)value.bytes;
			ret->n_function = value.n_bytes;
		} else if (is_key(&key, "file") && value.tag == VALUE_STR) {
			ret->file = (const char *)value.bytes;
			ret->n_file = value.n_bytes;
		} else if (is_key(&key, "line") && value.tag == VALUE_INT && value.i > 0 &&
			   value.i <= INT32_MAX) {
			ret->line = (uint32_t)value.i;
		}
		value_iter_skip(it, &value);
	}
}

bool trace_locals_frame(struct trace *t, uint64_t seq, uint32_t number, const char *indent,
			struct trace_locals_frame *ret, struct strbuf *to)
{
	struct value_iter it;
	struct value_node list, frame;
	uint32_t value = trace_locals(t, seq);
	if (!value)
		return false;
	value_iter_init(&it, t, value, NULL, 0);
	if (!value_iter_next(&it, &list) || list.tag != VALUE_LIST || number >= list.n_children)
		return false;
	for (uint32_t i = 0; value_iter_next(&it, &frame); i++) {
		if (i < number) {
			value_iter_skip(&it, &frame);
			continue;
		}
		if (frame.tag != VALUE_DICT)
			return false;
		frame_read(&it, &frame, indent, ret, to);
		return true;
	}
	return false;
}
