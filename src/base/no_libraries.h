/*
 * no_libraries: what dlopen(3) and its like are in a static program.
 *
 * SQLite's library calls them for extensions, which are never asked for. The C library's would load
 * what they find, and that may need a C library of another version. Only a static program is linked
 * with this file, by "ld --wrap": a call of dlopen() arrives in __wrap_dlopen().
 */
#pragma once

/* Nothing is loaded and nothing found: NULL, -1, and the reason as a static text. */
void *__wrap_dlopen(const char *path, int mode);
void *__wrap_dlsym(void *library, const char *name);
int __wrap_dlclose(void *library);
char *__wrap_dlerror(void);
