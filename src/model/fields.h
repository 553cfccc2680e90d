/*
 * fields: the properties of an event that a display filter can test. One row per field in fields.c.
 *
 * The names are those of filters (filter.h), and of `stat --by` for the fields that are groups.
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
	FIELD_TASK,
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

/* What the value of a field depends on, cheapest first. A filter computes its answer once for each
 * distinct value of that, not for each event. */
enum field_domain {
	DOMAIN_NAME,   /* the event's name */
	DOMAIN_THREAD, /* thread, interpreter, process */
	DOMAIN_EVENT,  /* the event itself: a number of its own */
	DOMAIN_STACK,  /* the stack */
	/* the arguments; for args.NAME, file, peer, port and command also the event's name */
	DOMAIN_ARGS,
	DOMAIN_COUNT
};

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_NANOSECONDS, /* a number; literals without unit are seconds */
	FIELD_VERSION,     /* 3.12, 3.12.1: compared part by part, up to the shorter one */
	FIELD_BOOL,
	FIELD_VALUES, /* arguments of any type */
	FIELD_FRAMES, /* a frame, or several; it has the members MEMBER_FUNC … MEMBER_PACKAGE */
	FIELD_TASKS   /* a task; without a member it is the name of the task */
};

enum frame_member {
	MEMBER_NONE,
	MEMBER_FUNC,
	MEMBER_FILE,
	MEMBER_LINE,
	MEMBER_MODULE,
	MEMBER_PACKAGE,
	/* of a task */
	MEMBER_ID,
	MEMBER_AWAITED_BY,
	MEMBER_COUNT
};

struct field {
	const char *name;
	enum field_domain domain;
	enum field_type type;
	bool is_group;   /* many events share a value: `stat --by` counts by it (group_words.h) */
	const char *doc; /* what it is, in a few words; for tr() */
	const char *example; /* a filter that uses it */
};

extern const struct field fields[FIELD_COUNT];
extern const char *const frame_members[MEMBER_COUNT]; /* [MEMBER_NONE] is NULL */

/* The field of this name, which need not be terminated; FIELD_COUNT if there is none. */
enum field_id field_find(const char *name, size_t n_bytes);
/* The member of this name, of whatever field; MEMBER_COUNT if there is none. */
enum frame_member field_member_find(const char *name, size_t n_bytes);

/* Does the field have this member? False for MEMBER_NONE and MEMBER_COUNT. */
bool field_has_member(enum field_id field, enum frame_member member);

/* Append the fields, the ready filters and the operators as lines of text in the reader's language,
 * for --list-fields and the help. */
void fields_list(struct strbuf *to);
