/*
 * lock_holder: which process holds flock(2) on a file, and does it matter?
 *
 * Any process that can read a file can lock it, so a lock alone is no reason to leave the file
 * alone.
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

/* Another process has locked the open file: is it writing it, or about to replace it? The answer is
 * yes if the lock was taken by a process of root, of our user, or of the file's owner (*ret_pid),
 * if any process has the file open for writing, or if nothing can be found out (*ret_pid is 0 in
 * both cases). Otherwise the process reads the file and keeps us away. `fd` must be open for
 * reading only, else the answer is always yes. */
bool lock_holder_is_writer(int fd, pid_t *ret_pid);
