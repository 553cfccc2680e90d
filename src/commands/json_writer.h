/*
 * json_writer: a JSON document for people and programs, two spaces per level.
 *
 *     struct json_writer json = { .to = &text };
 *     json_writer_open(&json, NULL, '{');
 *     json_writer_text(&json, "name", name);
 *     json_writer_close(&json, '}');
 *
 * A member has a key, an element of an array has the key NULL. Nothing is checked but memory:
 * text.failed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strbuf;

struct json_writer { /* zeroed but for `to` */
	struct strbuf *to;
	unsigned depth;
	bool is_after; /* a member or element was written at this level */
};

void json_writer_open(struct json_writer *p, const char *key, char bracket);
void json_writer_close(struct json_writer *p, char bracket);
/* A string; what is not UTF-8 is escaped as for the screen. */
void json_writer_text(struct json_writer *p, const char *key, const char *text);
void json_writer_number(struct json_writer *p, const char *key, int64_t value);
/* true, false, null */
void json_writer_word(struct json_writer *p, const char *key, const char *word);
/* An array of strings that ends with NULL. */
void json_writer_texts(struct json_writer *p, const char *key, const char *const *list);
