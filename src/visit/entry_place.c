/*
 * entry_place: see entry_place.h.
 */
#include "visit/entry_place.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc_status.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/proc_file.h"

enum { PLACE_BYTES = sizeof(struct entry_place), SPACING_BYTES = 64 };

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *file_name(const struct elf_module *m)
{
	const char *slash = strrchr(m->path, '/');
	return slash ? slash + 1 : m->path;
}

/* In one build of 128 .bss ends too close to the end of a page for the entry; then libc's slack is
 * used. ld.so's is never used, because its early malloc uses it (glibc 2.36
 * elf/dl-minimal-malloc.c). */
static void slack_of_libc(const struct mem_reader *mem, const struct maps *maps,
			  struct python_runtime *rt)
{
	for (size_t i = 0; i < maps->n_modules && !rt->slack_bytes; i++) {
		const char *name = file_name(&maps->modules[i]);
		if (!begins(name, "libc.so") && !begins(name, "libc-2."))
			continue;
		if (!elf_slack_find(mem, &maps->modules[i], &rt->slack, &rt->slack_bytes,
				    &rt->slack_is_used))
			rt->slack_bytes = 0;
	}
}

/* Is there a C library that is not glibc? A static program has none. */
static bool has_other_libc(const struct mem_reader *mem, const struct maps *maps)
{
	bool other = false;
	for (size_t i = 0; i < maps->n_modules; i++) {
		const char *name = file_name(&maps->modules[i]);
		raddr at;
		uint64_t size;
		if (!begins(name, "libc.") && !begins(name, "libc-") && !begins(name, "ld-musl"))
			continue;
		if (elf_symbol_find(mem, &maps->modules[i], "gnu_get_libc_version", &at, &size))
			return false;
		other = other ||
			elf_symbol_find(mem, &maps->modules[i], "__libc_start_main", &at, &size);
	}
	return other;
}

/* The address of the strings of argv when the program was started: proc(5), /proc/PID/stat, field
 * 48. */
static uint64_t arg_start(pid_t pid)
{
	char text[1024];
	pid_t tid = proc_living_thread(pid); /* the file of a thread that has ended shows 0 */
	ssize_t n = proc_file_read(tid ? tid : pid, "stat", text, sizeof(text));
	char *at = n > 0 ? strrchr(text, ')') : NULL; /* the end of field 2 */
	for (unsigned field = 2; at && field < 48; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static void gap_of_stack(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
			 struct python_runtime *rt)
{
	uint64_t platform = proc_auxv_value(pid, AT_PLATFORM), end = arg_start(pid);
	const struct mapping *m = platform ? maps_find(maps, RADDR(platform)) : NULL;
	char name[16];
	uint8_t bytes[SPACING_BYTES];
	rt->slack_bytes = 0;
	if (!m || strcmp(m->path, "[stack]") != 0 || !m->write || end <= platform || end > m->end ||
	    !mem_read(mem, RADDR(platform), name, sizeof(name)) || !memchr(name, 0, sizeof(name)))
		return;
	uint64_t at = ((platform + strlen(name) + 1 + 15) & ~15ull) + i * SPACING_BYTES;
	if (at + SPACING_BYTES > end || !mem_read(mem, RADDR(at), bytes, sizeof(bytes)))
		return;
	/* An earlier probe may have left its entry; the bytes behind it must be as the kernel made
	 * them. */
	for (size_t k = PLACE_BYTES; k < sizeof(bytes); k++)
		if (bytes[k])
			return;
	rt->slack = RADDR(at);
	rt->slack_bytes = PLACE_BYTES;
	rt->slack_is_used = false;
	for (size_t k = 0; k < PLACE_BYTES; k++)
		rt->slack_is_used |= bytes[k] != 0;
}

void entry_place_find(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
		      struct python_runtime *rt)
{
	if (has_other_libc(mem, maps))
		gap_of_stack(pid, mem, maps, i, rt);
	else
		slack_of_libc(mem, maps, rt);
}
