/*
 * translate: a value as the probe writes it → the same value as the capture keeps it.
 *
 * Addresses of direct arguments become slots (VALUE_OBJECT), so that two events that differ only in
 * an object's identity share one entry; deeper ones stay inline. Containers that are worth it
 * become entries of their own (VALUE_REF). Secrets are left out if there is a redactor (redact.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redactor;
struct strbuf;
struct writer;

#define TRANSLATE_MAX_OBJECTS 256u

struct translation {
	uint64_t objects[TRANSLATE_MAX_OBJECTS];
	uint32_t n_objects;
};

/* Check and translate the one TUPLE value in bytes[0 … n), the arguments of `event` (NULL:
 * unknown); append to `to`. False if the bytes are not one well-formed value: `to` is then as
 * before. redactor: NULL keeps secrets in. */
bool translate_args(struct writer *w, struct redactor *redactor, const char *event,
		    const uint8_t *bytes, size_t n, struct strbuf *to, struct translation *ret);

/* Check the one DICT value in bytes[0 … n), the local variables of a frame (python/locals.h), and
 * append it without its secrets: what a name says of its value, and the form of a value, decide as
 * for arguments. False: it is not well-formed, and `to` is as before. */
bool translate_locals(struct redactor *redactor, const uint8_t *bytes, size_t n, struct strbuf *to);
