/*
 * value_add: parts of an encoded value (base/value.h), appended to a text.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/value.h"

struct strbuf;

/* A STR. The text is WTF-8. */
void value_add_str(struct strbuf *to, const char *text, size_t n_bytes);
/* A container, whose items are encoded already: how many there were, how many are kept. If they
 * could not be kept, `to` has failed, too. */
void value_add_container(struct strbuf *to, enum value_tag tag, uint64_t n_full, uint64_t n_kept,
			 const struct strbuf *items);
