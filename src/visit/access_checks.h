/*
 * access_checks: what doctor says of the rights to a process, and of what is in it. The verdict is
 * that of access.h.
 */
#pragma once

struct check;

/* The machine. */
extern const struct check access_checks_yama, access_checks_capabilities;
/* One process. */
extern const struct check access_checks_process, access_checks_permission, access_checks_user,
    access_checks_dumpable, access_checks_tracer, access_checks_python, access_checks_layout,
    access_checks_room;
