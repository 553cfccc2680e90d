/*
 * proc_name: names that tell people, and us, what a process is: its command, its container, whether
 * its program is a Python. Texts alone; nothing is read here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The name of a process for people, from the n bytes of /proc/PID/cmdline (NULs between words;
 * cmdline[n] must be NUL too): "app.py --fast", "-m http.server 8080", "gunicorn shop:app". "" if
 * there are no words. At most cap - 1 bytes; a cut name ends in "…". */
void proc_command_name(const char *cmdline, size_t n, char *to, size_t cap);

/* "docker 3f2a9c1b04d5", "podman …", "kubernetes …", "lxc web1" from the text of /proc/PID/cgroup;
 * false if it names none. */
bool proc_container_name(const char *cgroup, char *to, size_t cap);

/* The last part of a path; a path that ends in "/" as a whole. Borrowed from it. */
const char *proc_base_name(const char *path);
/* "python", "python3.12", "pypy3", "python3.13t", "python3-dbg", "Python"; not "pythonista.sh". */
bool proc_name_is_python(const char *name);
/* "libpython3.12.so.1.0", "python3.12", ".../3.12.1/bin/python3": the longest "3.N[.M]" of the
 * path; "" if there is none. */
void proc_name_version(const char *path, char *to, size_t cap);
