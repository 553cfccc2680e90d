/*
 * namer_child: the process of a namer. See namer.h.
 *
 * It loads the C++ library, gives up its rights, and then answers. From then on only the system
 * calls of allowed[] work; every other call fails with EPERM, which libdw handles like any failed
 * system call.
 */
#ifndef STATIC_PROGRAM
#include <dlfcn.h>
#endif
#include <errno.h>
#include <elfutils/libdw.h>
#include <grp.h>
#include <libelf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arch_audit.h"
#include "arch_calls.h"
#include "stacks/namer_child.h"

/* of address space, in addition to what is mapped at the start */
#define MEMORY_BYTES (1ull << 30)
/* CPU time for one question; SIGPROF then ends the process */
#define QUESTION_CPU_US      600000
#define CPU_S                120          /* CPU time for its whole life */
#define MAX_LINES_FILE_BYTES (1ull << 30) /* limits the memory used: libdw reads whole sections */
#define MAX_UNITS_SCANNED    20000u       /* in a file without .debug_aranges */
#define NOBODY               65534u

struct lines_file {
	uint64_t id; /* 0: not in use */
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	bool tried;
};

/* Itanium C++ ABI, 3.4 (cxxabi.h). */
typedef char *demangle_fn(const char *mangled, char *to, size_t *n, int *status);

#ifdef HAVE_DEMANGLER
demangle_fn __cxa_demangle;
#endif

static demangle_fn *demangler;
static struct lines_file files[NAMER_MAX_FILES];
static unsigned next_file;

/* ---- give up all rights ---- */

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define HAS_SHADOW_MEMORY 1
#endif
#endif

#ifndef HAS_SHADOW_MEMORY
static uint64_t mapped_bytes(void)
{
	/* proc(5): the first number of statm is the size of the address space, in pages. */
	char text[64] = "";
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	if (f && fgets(text, sizeof(text), f))
		pages = strtoul(text, NULL, 10);
	if (f)
		fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
#endif

static void limit(int which, uint64_t value)
{
	struct rlimit r = { .rlim_cur = value, .rlim_max = value };
	(void)setrlimit((__rlimit_resource_t)which,
			&r); /* if the present limit is lower, it stays */
}

static void limit_all(void)
{
#ifndef HAS_SHADOW_MEMORY /* the address space of such a build has 20 TB and more */
	limit(RLIMIT_AS, mapped_bytes() + MEMORY_BYTES);
#endif
	limit(RLIMIT_CPU, CPU_S);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
}

/* Any user but root will do. Without the right to change it, the user stays the caller's. */
static void give_up_user(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(1);
}

static void give_up_system_calls(void)
{
	static const int allowed[] = {
		SYS_recvmsg,       SYS_sendto,      SYS_pread64,      SYS_read,
		SYS_lseek,         SYS_fstat,       SYS_newfstatat,   SYS_close,
		SYS_mmap,          SYS_munmap,      SYS_mremap,       SYS_brk,
		SYS_madvise,       SYS_futex,       SYS_fcntl,        SYS_setitimer,
		SYS_exit,          SYS_exit_group,  SYS_rt_sigreturn, SYS_rt_sigprocmask,
		SYS_getpid,        SYS_gettid,      SYS_tgkill,       SYS_rt_sigaction,
		SYS_clock_gettime, SYS_sched_yield,
#ifdef HAS_SHADOW_MEMORY
		SYS_write,         SYS_sigaltstack, SYS_mprotect,     SYS_openat,
		SYS_readlink,      SYS_readlinkat,  SYS_getrlimit,    SYS_prlimit64,
#endif
	};
	enum { HEAD = 4, TAIL = 2 };
	struct sock_filter code[HEAD + ARRAY_LEN(allowed) + TAIL] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_AUDIT_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	size_t n = ARRAY_LEN(allowed);
	for (size_t i = 0; i < n; i++)
		code[HEAD + i] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], (uint8_t)(n - i), 0);
	code[HEAD + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[HEAD + n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = (unsigned short)ARRAY_LEN(code), .filter = code };
	/* If the kernel has no seccomp, the other limits still apply. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void reset_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN); /* Ctrl-C is meant for the owner, which closes the socket */
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void give_up(int fd)
{
	(void)prctl(PR_SET_NAME, "auditview names");
	(void)setsid();
	reset_signals();
	(void)dup2(fd, 0);
	for (int i = 1; i < 3; i++)
		close(i);
	(void)close_range(3, ~0u, 0);
	if (chdir("/") < 0)
		_exit(1);
	limit_all();
	give_up_user();
	(void)prctl(PR_SET_DUMPABLE, 0);
	give_up_system_calls();
}

/* ---- answers ---- */

static void demangle(const struct namer_request *r, struct namer_answer *to)
{
	int status = -1;
	char *text = demangler ? demangler(r->text, NULL, NULL, &status) : NULL;
	size_t n = text ? strnlen(text, NAMER_TEXT_BYTES) : NAMER_TEXT_BYTES;
	if (n < NAMER_TEXT_BYTES) {
		memcpy(to->text, text, n + 1);
		to->n_text = (uint32_t)n + 1;
		to->is_found = true;
	}
	free(text);
}

static void file_close(struct lines_file *f)
{
	if (f->dwarf)
		dwarf_end(f->dwarf);
	if (f->elf)
		elf_end(f->elf);
	if (f->id)
		close(f->fd);
	*f = (struct lines_file){ 0 };
}

static void file_take(uint64_t id, int fd)
{
	struct lines_file *f = &files[next_file++ % NAMER_MAX_FILES];
	if (fd < 0)
		return;
	file_close(f);
	*f = (struct lines_file){ .id = id, .fd = fd };
}

static Dwarf *file_dwarf(struct lines_file *f)
{
	struct stat st;
	if (f->tried)
		return f->dwarf;
	f->tried = true;
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size > MAX_LINES_FILE_BYTES)
		return NULL;
	elf_version(EV_CURRENT);
	/* Read, do not map: a file that shrinks while it is mapped would end this process. */
	f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	if (f->elf)
		f->dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
	return f->dwarf;
}

static bool unit_at(Dwarf *dwarf, uint64_t vaddr, Dwarf_Die *ret)
{
	Dwarf_Aranges *aranges;
	size_t n = 0;
	if (dwarf_getaranges(dwarf, &aranges, &n) == 0 && n)
		return dwarf_addrdie(dwarf, vaddr, ret) != NULL;
	/* clang writes no .debug_aranges */
	Dwarf_CU *cu = NULL;
	for (unsigned k = 0;
	     k < MAX_UNITS_SCANNED && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, ret, NULL) == 0;
	     k++)
		if (dwarf_haspc(ret, vaddr) > 0)
			return true;
	return false;
}

static void find_line(const struct namer_request *r, struct namer_answer *to)
{
	struct lines_file *f = NULL;
	for (unsigned i = 0; i < NAMER_MAX_FILES; i++)
		if (files[i].id == r->file_id)
			f = &files[i];
	Dwarf *dwarf = f ? file_dwarf(f) : NULL;
	Dwarf_Die unit;
	int line;
	if (!dwarf || !unit_at(dwarf, r->vaddr, &unit))
		return;
	Dwarf_Line *l = dwarf_getsrc_die(&unit, r->vaddr);
	const char *path = l ? dwarf_linesrc(l, NULL, NULL) : NULL;
	if (!path || dwarf_lineno(l, &line) != 0 || line <= 0)
		return;
	size_t n = strlen(path);
	if (n >= NAMER_TEXT_BYTES) { /* the end of a path is more useful than its beginning */
		path += n - (NAMER_TEXT_BYTES - 1);
		n = NAMER_TEXT_BYTES - 1;
	}
	memcpy(to->text, path, n + 1);
	to->n_text = (uint32_t)n + 1;
	to->line = (uint32_t)line;
	to->is_found = true;
}

/* ---- questions ---- */

/* Returns false if the owner has gone. *ret_fd: the descriptor that came with the message, -1
 * none. */
static bool receive(struct namer_request *r, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = r, .iov_len = sizeof(*r) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control.bytes) };
	*ret_fd = -1;
	if (recvmsg(0, &m, MSG_CMSG_CLOEXEC) < (ssize_t)offsetof(struct namer_request, text))
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return true;
}

static void find_demangler(void)
{
#if defined(HAVE_DEMANGLER) /* linked, because a static program must not load a library */
	demangler = __cxa_demangle;
#elif !defined(STATIC_PROGRAM)
	void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
	void *function = library ? dlsym(library, "__cxa_demangle") : NULL;
	memcpy(&demangler, &function, sizeof(demangler));
#endif
}

void namer_child_run(int fd)
{
	find_demangler();
	give_up(fd);
	static struct namer_request r;
	int with;
	while (receive(&r, &with)) {
		static struct namer_answer a;
		struct itimerval question = { .it_value.tv_usec = QUESTION_CPU_US },
				 none = { .it_value.tv_usec = 0 };
		a = (struct namer_answer){ .n_text = 1 };
		if (r.kind == NAMER_OPEN) {
			file_take(r.file_id, with);
			continue;
		}
		(void)setitimer(ITIMER_PROF, &question, NULL);
		if (r.kind == NAMER_DEMANGLE)
			demangle(&r, &a);
		else
			find_line(&r, &a);
		(void)setitimer(ITIMER_PROF, &none, NULL);
		if (send(0, &a, offsetof(struct namer_answer, text) + a.n_text, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}
