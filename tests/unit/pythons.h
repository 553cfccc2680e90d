/*
 * pythons: the Pythons that tests/pythons.sh finds, for tests that need real ones.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_python {
	char version[32]; /* "3.13.15t" */
	unsigned minor;
	char program[512];
};

#define TEST_PYTHONS_MAX 40

/* Fill list[]; returns how many were found. tests/unit/meson.build sets $SOURCE_ROOT. arguments:
 * for pythons.sh. */
static inline size_t test_pythons_find(struct test_python list[TEST_PYTHONS_MAX],
				       const char *arguments)
{
	const char *source = getenv("SOURCE_ROOT");
	char command[1024], line[600];
	size_t n = 0;
	snprintf(command, sizeof(command), "'%s/tests/pythons.sh' %s 2>/dev/null",
		 source ? source : ".", arguments);
	FILE *f = popen(command, "r");
	while (f && n < TEST_PYTHONS_MAX && fgets(line, sizeof(line), f)) {
		struct test_python *p = &list[n];
		if (sscanf(line, "%31[^\t]\t%511[^\n]", p->version, p->program) == 2 &&
		    sscanf(p->version, "%*u.%u", &p->minor) == 1)
			n++;
	}
	if (f)
		pclose(f);
	return n;
}
