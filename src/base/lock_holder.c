/*
 * lock_holder: see lock_holder.h.
 */
#include "base/lock_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc_status.h"

enum { MAX_LOCK_LINES = 20000 }; /* of /proc/locks: any user can make it long */

/* "1: FLOCK  ADVISORY  WRITE 4711 00:15:8123 0 EOF" (kernel fs/locks.c, lock_get_status). The
 * kernel leaves out the locks of processes that have no pid in the namespace. */
bool lock_holder_parse(const char *line, const struct stat *file, pid_t *ret)
{
	int pid;
	unsigned dev_major, dev_minor;
	uint64_t inode;
	if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &dev_major, &dev_minor,
		   &inode) != 4)
		return false;
	*ret = pid;
	return dev_major == major(file->st_dev) && dev_minor == minor(file->st_dev) &&
	       inode == file->st_ino;
}

bool lock_holder_is_trusted(const struct proc_status *status, uid_t also)
{
	for (unsigned i = 0; i < 3; i++)
		if (status->uid[i] && status->uid[i] != geteuid() && status->uid[i] != also)
			return false;
	return true;
}

static bool is_process_trusted(pid_t pid, uid_t owner)
{
	char path[48];
	struct proc_status status;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return proc_status_read_path(path, &status) && lock_holder_is_trusted(&status, owner);
}

/* The kernel refuses a read lease with EAGAIN if a process has the file open for writing (fcntl(2),
 * F_SETLEASE). If a process opens it for writing while we have the lease, we get SIGIO, which would
 * end us. */
static bool is_open_for_writing(int fd)
{
	sigset_t set, old;
	siginfo_t info;
	const struct timespec now = { 0 };
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, &old);
	bool is_leased = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
	if (is_leased) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		while (sigtimedwait(&set, &info, &now) > 0)
			;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return !is_leased; /* or it cannot be told: the file system has no leases */
}

bool lock_holder_is_writer(int fd, pid_t *ret_pid)
{
	struct stat file;
	char line[256];
	*ret_pid = 0;
	if (fstat(fd, &file) != 0)
		return true;
	FILE *locks = io_fopen_now("/proc/locks");
	for (unsigned i = 0; locks && i < MAX_LOCK_LINES && fgets(line, sizeof(line), locks); i++) {
		pid_t pid;
		if (!lock_holder_parse(line, &file, &pid) || pid <= 0 ||
		    !is_process_trusted(pid, file.st_uid))
			continue;
		*ret_pid = pid;
		break;
	}
	if (locks)
		fclose(locks);
	return *ret_pid || is_open_for_writing(fd);
}
