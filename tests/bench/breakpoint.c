/*
 * breakpoint N [PAUSE_US]: what a stop at a breakpoint costs a process. A child gets SIGTRAP N
 * times, with so many microseconds of sleep before each, and its tracer continues it each time,
 * which is all that a debugger must do. It sends the signal itself, which adds one system call to
 * what a trap instruction costs, and is the same on each CPU. Prints the times between before and
 * after each, in ns, a line each.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	useconds_t pause_us = argc > 2 ? (useconds_t)strtoul(argv[2], NULL, 10) : 0;
	uint64_t *took = mmap(NULL, n * sizeof(*took), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	if (took == MAP_FAILED)
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
			_exit(1);
		for (size_t i = 0; i < n; i++) {
			if (pause_us)
				usleep(pause_us);
			uint64_t begin = now_ns();
			raise(SIGTRAP);
			took[i] = now_ns() - begin;
		}
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		if (ptrace(PTRACE_CONT, pid, 0, 0) != 0)
			return 1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		printf("%llu\n", (unsigned long long)took[i]);
	return 0;
}
