#include "base/value_add.h"

#include "base/strbuf.h"

void value_add_str(struct strbuf *to, const char *text, size_t n_bytes)
{
	strbuf_addc(to, VALUE_STR);
	strbuf_add_varint(to, n_bytes);
	strbuf_add(to, text, n_bytes);
}

void value_add_container(struct strbuf *to, enum value_tag tag, uint64_t n_full, uint64_t n_kept,
			 const struct strbuf *items)
{
	strbuf_addc(to, (char)tag);
	strbuf_add_varint(to, n_full);
	strbuf_add_varint(to, n_kept);
	strbuf_add(to, strbuf_str(items), items->n);
	to->failed |= items->failed;
}
