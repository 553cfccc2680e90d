/*
 * descriptors: see descriptors.h.
 */
#include "base/descriptors.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"

enum { DESCRIPTORS_RESERVED = 12, DESCRIPTORS_NEEDED = 8 };

static int held[DESCRIPTORS_RESERVED]; /* descriptor + 1; 0: none */
static bool is_short;

/* Of no file: an empty container has no /dev. */
static void hold(int *place)
{
	if (!*place)
		*place = eventfd(0, EFD_CLOEXEC) + 1;
}

void descriptors_reserve(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	is_short = false;
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		hold(&held[i]);
		is_short |= !held[i];
	}
}

struct err *descriptors_check(void)
{
	struct rlimit limit = { 0 };
	int more[DESCRIPTORS_NEEDED] = { 0 }, sys = 0;
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		hold(&more[i]);
		sys = sys ? sys : more[i] ? 0 : errno;
	}
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		if (more[i])
			close(more[i] - 1);
	getrlimit(RLIMIT_NOFILE, &limit);
	return sys ? err_with_hint(err_sys(sys, "too few files may be opened"),
				   "at most %llu may be open (ulimit -n), and some %d must be free",
				   (unsigned long long)limit.rlim_cur,
				   DESCRIPTORS_RESERVED + DESCRIPTORS_NEEDED)
		   : NULL;
}

unsigned descriptors_lend(unsigned n)
{
	int sys = errno;
	unsigned n_lent = 0;
	for (size_t i = 0; n_lent < n && i < ARRAY_LEN(held); i++)
		if (held[i]) {
			close(held[i] - 1);
			held[i] = 0;
			n_lent++;
		}
	errno = sys;
	return n_lent;
}

void descriptors_take_back(unsigned n)
{
	int sys = errno;
	for (size_t i = 0; n && i < ARRAY_LEN(held); i++)
		if (!held[i]) {
			hold(&held[i]);
			is_short |= !held[i];
			n--;
		}
	errno = sys;
}

bool descriptors_are_short(void)
{
	return is_short;
}

void descriptors_release(void)
{
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i])
			close(held[i] - 1);
		held[i] = 0;
	}
}
