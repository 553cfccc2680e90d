/*
 * code_path: what the path of a file of code says about it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Is it the path of a command that runs code of others: a script without ".py" in a folder
 * bin, sbin or Scripts, as /usr/bin/pytest and .venv/bin/gunicorn? */
bool code_path_is_launcher(const char *path, size_t n_bytes);
/* The bytes of the path up to the end of the first folder that is called site-packages or
 * dist-packages, without the slash behind it; 0 if it is in none. */
size_t code_path_site(const char *path, size_t n_bytes);
/* The same for the last folder of that name, which may be the path itself: packages can contain
 * virtual environments. */
size_t code_path_last_site(const char *path, size_t n_bytes);
/* Is it such a folder itself? Without a slash at its end. */
bool code_path_is_site(const char *path, size_t n_bytes);
