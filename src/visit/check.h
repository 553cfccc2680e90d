/*
 * check: one row of what doctor reports.
 *
 * The mechanism that a row is about owns it: what is found, how it is said, what helps. doctor.c
 * only puts the rows in their order, and makes text or JSON of them. To add a check: export a
 * `const struct check` from the file of the mechanism, and name it in machine_checks[] or
 * target_checks[] of commands/doctor.c.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

struct access;
struct access_facts;
struct proc_status;
struct trial;

enum check_kind { CHECK_OK, CHECK_NOTE, CHECK_NO, CHECK_KIND_COUNT };

struct finding {
	enum check_kind kind;
	char text[400]; /* "": nothing to report, the row is left out */
	char cure[600];
};

/* What a check may look at; all of it is borrowed. */
struct check_facts {
	const struct trial *trial;        /* of this machine; only for its checks */
	const struct access_facts *facts; /* of the target; of ourselves for the machine */
	const struct access *access;      /* only for checks of a target */
	const struct proc_status *own;
};

struct check {
	const char *name;
	/* Fills a zeroed finding. Stops and changes nothing in a target. */
	void (*look)(const struct check_facts *p, struct finding *f);
};

void PRINTF_LIKE(3, 4) check_say(struct finding *f, enum check_kind kind, const char *fmt, ...);
void PRINTF_LIKE(2, 3) check_cure(struct finding *f, const char *fmt, ...);
#define CHECK_CAP_SYS_PTRACE 19 /* linux/capability.h */
/* Do we have this capability in effect? */
bool check_has_cap(const struct check_facts *p, int cap);
/* Is the target a process, and does it have memory? */
bool check_is_there(const struct check_facts *p);
/* What to do about a container that forbids ptrace. */
extern const char check_cure_in_container[];
