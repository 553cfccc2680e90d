/*
 * task_record: see task_record.h. The bytes come from the target, and nothing in them is believed.
 */
#include "recorder/task_record.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/value_add.h"
#include "capture/writer.h"
#include "recorder/redact.h"

struct cursor {
	const uint8_t *p, *end;
	struct redactor *redactor;
};

static bool take_byte(struct cursor *c, uint8_t value)
{
	return c->p < c->end && *c->p++ == value;
}

static bool take_varint(struct cursor *c, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; c->p < c->end && shift < 64; shift += 7) {
		*ret |= (uint64_t)(*c->p & 0x7f) << shift;
		if (!(*c->p++ & 0x80))
			return true;
	}
	return false;
}

static bool take_name(struct cursor *c, struct strbuf *to)
{
	uint64_t n = 0, n_points;
	uint8_t tag = c->p < c->end ? *c->p++ : VALUE_TAG_COUNT;
	bool is_cut = tag == VALUE_STR_CUT;
	if (tag == VALUE_UNREADABLE) {
		value_add_str(to, "", 0);
		return true;
	}
	if ((tag != VALUE_STR && !is_cut) || (is_cut && !take_varint(c, &n_points)) ||
	    !take_varint(c, &n) || n > (uint64_t)(c->end - c->p))
		return false;
	struct strbuf text = { 0 };
	if (!c->redactor ||
	    !redact_text(c->redactor, NULL, (const char *)c->p, (size_t)n, is_cut, &text))
		strbuf_add(&text, c->p, (size_t)n);
	if (is_cut)
		strbuf_adds(&text, "\u2026");
	value_add_str(to, strbuf_str(&text), text.n);
	to->failed |= text.failed;
	strbuf_fini(&text);
	c->p += n;
	return true;
}

static bool take_task(struct cursor *c, struct strbuf *to)
{
	struct strbuf names = { 0 };
	uint64_t address, n = 0, kept;
	strbuf_addc(to, VALUE_LIST);
	strbuf_add_varint(to, 3);
	strbuf_add_varint(to, 3);
	bool ok = take_byte(c, VALUE_LIST) && take_byte(c, 3) && take_byte(c, 3) &&
		  take_name(c, to) && take_byte(c, VALUE_INT) && take_varint(c, &address);
	if (!ok)
		return false;
	strbuf_addc(to, VALUE_INT);
	strbuf_add_varint(to, address);
	ok = take_byte(c, VALUE_LIST) && take_varint(c, &n) && take_varint(c, &kept) && n == kept &&
	     n <= TASK_WAITERS;
	for (uint64_t i = 0; ok && i < n; i++)
		ok = take_name(c, &names);
	ok = ok && c->p == c->end;
	if (ok)
		value_add_container(to, VALUE_LIST, n, n, &names);
	strbuf_fini(&names);
	return ok;
}

bool task_record_keep(struct task_record *t, const uint8_t *bytes, size_t n)
{
	t->value = t->n = 0;
	if (n > sizeof(t->bytes))
		return false;
	memcpy(t->bytes, bytes, n);
	t->n = (uint32_t)n;
	return true;
}

bool task_record_value(struct task_record *t, struct writer *w, struct redactor *redactor,
		       uint32_t *ret)
{
	struct strbuf value = { 0 };
	struct cursor c = { t->bytes, t->bytes + t->n, redactor };
	bool ok = t->value || !t->n || take_task(&c, &value);
	if (ok && value.n && !value.failed)
		t->value = writer_value(w, value.s, value.n);
	strbuf_fini(&value);
	if (ok)
		*ret = t->value;
	return ok;
}

void task_record_turn(struct task_record *t)
{
	t->value = 0;
}
