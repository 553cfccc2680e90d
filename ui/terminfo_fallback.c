/*
 * terminfo_fallback: see the header.
 */
#include "ui/terminfo_fallback.h"

#include <stddef.h>
#include <string.h>

const char *terminfo_fallback_find(const char *name)
{
	for (const struct terminfo_fallback *t = terminfo_fallbacks; name && t->name; t++)
		if (!strcmp(t->name, name))
			return t->entry;
	return NULL;
}
