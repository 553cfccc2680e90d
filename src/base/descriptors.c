/*
 * descriptors: see descriptors.h.
 */
#include "base/descriptors.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/attr.h"

enum { DESCRIPTORS_RESERVED = 12 };

static int held[DESCRIPTORS_RESERVED]; /* descriptor + 1; 0: none */

void descriptors_reserve(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		if (!held[i])
			held[i] = open("/dev/null", O_RDONLY | O_CLOEXEC) + 1;
}

void descriptors_release(void)
{
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i])
			close(held[i] - 1);
		held[i] = 0;
	}
}
