/*
 * no_libraries: see the header.
 */
#include "base/no_libraries.h"

#include <stddef.h>

void *__wrap_dlopen(const char *path, int mode)
{
	(void)path;
	(void)mode;
	return NULL;
}

void *__wrap_dlsym(void *library, const char *name)
{
	(void)library;
	(void)name;
	return NULL;
}

int __wrap_dlclose(void *library)
{
	(void)library;
	return -1;
}

char *__wrap_dlerror(void)
{
	static char why[] = "a static program loads no library";
	return why;
}
