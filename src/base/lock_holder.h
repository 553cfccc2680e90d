/*
 * lock_holder: who holds flock(2) on a file, and does it matter?
 *
 * Everybody who can read a file can lock it, so a lock alone is no reason to leave the file alone.
 */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct proc_status;

/* Is `line` of /proc/locks a flock(2) of this file? *ret: the process that took it, in the pid
 * namespace of the mount of /proc; 0 or less: it has none there. */
bool lock_holder_parse(const char *line, const struct stat *file, pid_t *ret);

/* Are all user ids of a process root's, ours, or `also`? */
bool lock_holder_is_trusted(const struct proc_status *status, uid_t also);

/* The open file is locked by somebody else: is that one writing it, or about to replace it? So it
 * is if a process of root, of ours, or of the file's owner took the lock (*ret_pid), or if somebody
 * has the file open for writing (*ret_pid is 0, as when nothing can be found out). Otherwise it is
 * a reader that wants to keep us away. `fd` is open for reading only, else the answer is yes. */
bool lock_holder_is_writer(int fd, pid_t *ret_pid);
