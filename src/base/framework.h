/*
 * framework: what kind of program a command line starts: "pytest", "gunicorn", "celery worker",
 * "django runserver".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The framework that the n bytes of words start, which each end with a NUL, as in
 * /proc/PID/cmdline; also of a process that renamed itself ("gunicorn: worker [shop]"). *ret is a
 * constant; *ret_role is a text in words or a constant, "" if there is none (what follows manage.py
 * or celery; "worker"). False: none that is known. */
bool framework_find(const char *words, size_t n_bytes, const char **ret, const char **ret_role);
/* The folder of the virtual environment that a command line names by its Python
 * ("/srv/env/bin/python"), if exe is a Python of another folder; length 0: none. Borrowed. */
const char *framework_venv(const char *words, size_t n_bytes, const char *exe, size_t *ret_n);
