/*
 * project: the folder of the project that a program is part of, by what developers keep at its top.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/* Where to look: the folder of the script that a command line runs, or `cwd` if it runs a module
 * (-m), code (-c), or a launcher: a script without ".py" in a folder of commands, such as
 * /usr/bin/pytest or .venv/bin/gunicorn. words: as in /proc/PID/cmdline, each with a NUL at its
 * end. False: it cannot be said; *to is then as before. */
bool project_start(const char *words, size_t n_bytes, const char *cwd, struct strbuf *to);
/* The nearest folder at or above `start` that has one of pyproject.toml, setup.py, setup.cfg,
 * manage.py, tox.ini, .git, .hg; never "/". It is appended to *to, without a slash at its end.
 * Returns false if there is none. In a confined process (base/confine.h). */
bool project_find(int root_fd, const char *start, struct strbuf *to);
