/*
 * fields: the properties of an event that a display filter can test. One row per field in fields.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;
struct trace;

enum field_id {
	FIELD_EVENT,
	FIELD_CATEGORY,
	FIELD_THEME,
	FIELD_DOCUMENTED,
	FIELD_PID,
	FIELD_PPID,
	FIELD_TID,
	FIELD_THREAD,
	FIELD_INTERP,
	FIELD_PYTHON,
	FIELD_PROCESS,
	FIELD_HOST,
	FIELD_CHILDREN,
	FIELD_SEQ,
	FIELD_TIME,
	FIELD_CUT,
	FIELD_DESCRIPTOR,
	FIELD_ARGS,
	FIELD_FILE,
	FIELD_PEER,
	FIELD_PORT,
	FIELD_COMMAND,
	FIELD_STACK,
	FIELD_TOP,
	FIELD_CALLER,
	FIELD_DEPTH,
	FIELD_PACKAGE,
	FIELD_COUNT
};

/* What the answer depends on, cheapest first. It is computed once per distinct value of that, not
 * per event. */
enum field_domain {
	DOMAIN_NAME,   /* the event's name */
	DOMAIN_THREAD, /* thread, interpreter, process */
	DOMAIN_EVENT,  /* the event itself: a number of its own */
	DOMAIN_STACK,  /* the stack */
	DOMAIN_ARGS,   /* the arguments (and, for args.NAME and file, the event's name) */
	DOMAIN_COUNT
};

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_NANOSECONDS, /* a number; literals without unit are seconds */
	FIELD_VERSION,     /* 3.12, 3.12.1: compared part by part, up to the shorter one */
	FIELD_BOOL,
	FIELD_VALUES, /* arguments of any type */
	FIELD_FRAMES  /* has members */
};

enum frame_member {
	MEMBER_NONE,
	MEMBER_FUNC,
	MEMBER_FILE,
	MEMBER_LINE,
	MEMBER_MODULE,
	MEMBER_PACKAGE,
	MEMBER_COUNT
};

struct field {
	const char *name;
	enum field_domain domain;
	enum field_type type;
	const char *doc;
	const char *example;
};

extern const struct field fields[FIELD_COUNT];
extern const char *const frame_members[MEMBER_COUNT]; /* [MEMBER_NONE] is NULL */

enum field_id field_find(const char *name, size_t n_bytes); /* FIELD_COUNT if there is none */
/* MEMBER_COUNT if there is none */
enum frame_member field_member_find(const char *name, size_t n_bytes);

/* The table and the operators as text, for --list-fields and the help. */
void fields_list(struct strbuf *to);
