/*
 * embed_host: an application that embeds Python, controlled line by line on stdin. It reaches
 * libpython only by dlopen, so one build serves every version, several of them at once.
 *
 *   load ID global|local|own PATH   dlopen(PATH) with RTLD_GLOBAL or RTLD_LOCAL, or dlmopen into a
 *                                   namespace of its own
 *   unload ID                       dlclose
 *   cover ID                        dlclose, then memory of the host's own, filled with a pattern,
 *                                   where libraries were that dlclose removed
 *   intact ID                       check that the pattern is unchanged, and unmap the memory
 *   patient                         from now on it waits for its lines in an epoll_wait() of many
 *                                   seconds
 *   init ID                         the reference hook, then Py_InitializeEx(0)
 *   run ID CODE                     PyRun_SimpleString
 *   final ID                        Py_FinalizeEx
 *   lives ID N CODE                 N times init, run and final, without a pause
 *   fill ID N                       Py_AtExit, N times, with a function that does nothing
 *   slow ID                         the next final, after its last event, prints {"done": "slow",
 *                                   …} and waits for a line
 *   end                             exit status 7
 *
 * Each line is answered by one line of JSON: {"done": the line, "ok": false if it failed, "pid": …,
 * "seen": {event: how often}} with what the hooks of all runtimes have seen so far. A hook is added
 * with PySys_AddAuditHook() while no interpreter runs, so it sees each life from its first event to
 * its last.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/* there is no room after the code for code of others, as in about one program of ten */
#ifdef FULL_TEXT
__asm__(".section full_text, \"ax\", @progbits\n.balign 4096\n.fill 4000, 1, 0xcc\n.text\n");
#endif

enum { RUNTIMES = 8, NAMES = 512, PATTERN = 0x3c };

static struct runtime {
	void *handle;
	int (*add_hook)(int (*hook)(const char *, void *, void *), void *);
	void (*initialize)(int);
	int (*run)(const char *);
	int (*finalize)(void);
	int (*at_exit)(void (*)(void));
	bool is_slow;
	void *(*save_thread)(void);
	void (*restore_thread)(void *);
	void *saved; /* its thread state, while another runtime or the host itself runs */
} runtimes[RUNTIMES];

static int patience = -1; /* epoll's descriptor */

static struct {
	char *name;
	unsigned long n;
} seen[NAMES];

static void answer(const char *line, bool ok);

static void nothing(void)
{
}

static void wait_for_line(void)
{
	static char line[16];
	answer("slow", true);
	if (!fgets(line, sizeof(line), stdin))
		abort();
}

/* Called with the interpreter's lock held, or by the only thread. Two runtimes never run at the
 * same time. */
static int count(const char *event, void *args, void *user)
{
	struct runtime *r = user;
	(void)args;
	/* The functions of Py_AtExit are called last in, first out: this one is called before those
	 * that are registered already. */
	if (r->is_slow && strcmp(event, "cpython._PySys_ClearAuditHooks") == 0) {
		r->is_slow = false;
		if (r->at_exit(wait_for_line))
			abort();
	}
	for (size_t i = 0; i < NAMES; i++) {
		if (!seen[i].name)
			seen[i].name = strdup(event);
		if (strcmp(seen[i].name, event) == 0) {
			seen[i].n++;
			return 0;
		}
	}
	abort();
}

static bool load(struct runtime *r, const char *how, const char *path)
{
	int flags = RTLD_NOW | (strcmp(how, "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL);
	r->handle = strcmp(how, "own") == 0 ? dlmopen(LM_ID_NEWLM, path, flags)
					    : dlopen(path, flags);
	if (!r->handle) {
		fprintf(stderr, "%s\n", dlerror());
		return false;
	}
	*(void **)&r->add_hook = dlsym(r->handle, "PySys_AddAuditHook");
	*(void **)&r->initialize = dlsym(r->handle, "Py_InitializeEx");
	*(void **)&r->run = dlsym(r->handle, "PyRun_SimpleString");
	*(void **)&r->finalize = dlsym(r->handle, "Py_FinalizeEx");
	*(void **)&r->at_exit = dlsym(r->handle, "Py_AtExit");
	*(void **)&r->save_thread = dlsym(r->handle, "PyEval_SaveThread");
	*(void **)&r->restore_thread = dlsym(r->handle, "PyEval_RestoreThread");
	return r->add_hook && r->initialize && r->run && r->finalize && r->at_exit &&
	       r->save_thread && r->restore_thread;
}

static bool init(struct runtime *r)
{
	if (r->add_hook(count, r))
		return false;
	r->initialize(0);
	r->saved = r->save_thread();
	return true;
}

static bool run(struct runtime *r, const char *code)
{
	r->restore_thread(r->saved);
	bool ok = r->run(code) == 0;
	r->saved = r->save_thread();
	return ok;
}

static bool final(struct runtime *r)
{
	r->restore_thread(r->saved);
	return r->finalize() == 0;
}

static bool unload(struct runtime *r)
{
	void *handle = r->handle;
	*r = (struct runtime){ 0 };
	return dlclose(handle) == 0;
}

/* Pages of code and data of libraries; after dlclose() those of them that we have covered. */
static unsigned char *pages[65536];
static size_t n_pages;

static void list_pages(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long long before = 0;
	n_pages = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long start, end;
		if (sscanf(line, "%llx-%llx", &start, &end) != 2 ||
		    !(strstr(line, ".so") || (start == before && !strpbrk(line, "/["))))
			continue;
		before = end; /* .bss has no name and follows */
		for (; start < end && n_pages < sizeof(pages) / sizeof(pages[0]); start += 4096)
			pages[n_pages++] = (unsigned char *)(uintptr_t)start;
	}
	if (f)
		fclose(f);
}

/* Unload libpython, and the libraries that it loaded. */
static bool cover(struct runtime *r)
{
	size_t n = 0;
	list_pages();
	bool ok = unload(r);
	for (size_t i = 0; ok && i < n_pages; i++) {
		if (mmap(pages[i], 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != pages[i])
			continue; /* still mapped */
		memset(pages[i], PATTERN, 4096);
		pages[n++] = pages[i];
	}
	n_pages = n;
	return n > 256;
}

static bool intact(void)
{
	size_t n = 0;
	for (size_t k = 0; k < n_pages; k++) {
		for (size_t i = 0; i < 4096; i++)
			if (pages[k][i] != PATTERN && n++ < 4)
				fprintf(stderr, "the byte at %p is %#x\n", (void *)(pages[k] + i),
					pages[k][i]);
		munmap(pages[k], 4096);
	}
	n_pages = 0;
	return n == 0;
}

/* Return the next line, read after a wait in a call that a stop would end early. */
static char *get_line(char *line, int n_bytes)
{
	struct epoll_event event = { .events = EPOLLIN };
	if (patience < 0)
		return fgets(line, n_bytes, stdin);
	for (int i = 0; i < n_bytes - 1; i++) {
		while (epoll_wait(patience, &event, 1, 600000) < 1)
			;
		if (read(0, line + i, 1) != 1)
			return NULL;
		line[i + 1] = 0;
		if (line[i] == '\n')
			break;
	}
	return line;
}

static bool be_patient(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	setvbuf(stdin, NULL, _IONBF, 0);
	patience = epoll_create1(EPOLL_CLOEXEC);
	return patience >= 0 && epoll_ctl(patience, EPOLL_CTL_ADD, 0, &event) == 0;
}

/* false if the line is unknown, or its command failed */
static bool obey(char *line)
{
	char *save = NULL, *what = strtok_r(line, " ", &save), *id = strtok_r(NULL, " ", &save);
	unsigned long n = id ? strtoul(id, NULL, 10) : RUNTIMES;
	struct runtime *r = n < RUNTIMES ? &runtimes[n] : NULL;
	if (what && strcmp(what, "patient") == 0)
		return be_patient();
	if (!what || !r)
		return false;
	if (strcmp(what, "load") == 0) {
		char *how = strtok_r(NULL, " ", &save);
		return how && save && load(r, how, save);
	}
	if (strcmp(what, "intact") == 0)
		return intact();
	if (!r->handle)
		return false;
	if (strcmp(what, "unload") == 0)
		return unload(r);
	if (strcmp(what, "cover") == 0)
		return cover(r);
	if (strcmp(what, "init") == 0)
		return init(r);
	if (strcmp(what, "run") == 0)
		return run(r, save);
	if (strcmp(what, "final") == 0)
		return final(r);
	if (strcmp(what, "slow") == 0)
		return r->is_slow = true;
	if (strcmp(what, "fill") == 0) {
		bool ok = true;
		for (unsigned long i = strtoul(save, NULL, 10); ok && i > 0; i--)
			ok = r->at_exit(nothing) == 0;
		return ok;
	}
	if (strcmp(what, "lives") == 0) {
		char *times = strtok_r(NULL, " ", &save);
		bool ok = times;
		for (unsigned long i = 0; ok && i < strtoul(times, NULL, 10); i++)
			ok = init(r) && run(r, save) && final(r);
		return ok;
	}
	return false;
}

static void answer(const char *line, bool ok)
{
	printf("{\"done\": \"");
	for (const char *c = line; *c; c++)
		printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	printf("\", \"ok\": %s, \"pid\": %d, \"seen\": {", ok ? "true" : "false", (int)getpid());
	for (size_t i = 0; i < NAMES && seen[i].name; i++)
		printf("%s\"%s\": %lu", i ? ", " : "", seen[i].name, seen[i].n);
	printf("}}\n");
	fflush(stdout);
}

int main(void)
{
	static char line[4096], copy[4096];
	answer("start", true);
	while (get_line(line, sizeof(line))) {
		line[strcspn(line, "\n")] = 0;
		if (strcmp(line, "end") == 0)
			return 7;
		strcpy(copy, line);
		answer(copy, obey(line));
	}
	return 1;
}
