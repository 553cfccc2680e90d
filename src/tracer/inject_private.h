/*
 * inject_private: what attaching and leaving share.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#define CALL_TIMEOUT_NS 2000000000ull

struct elf_module;
struct link;
struct maps;
struct remote_call_stats;
struct remote_program;
struct remote_target;

unsigned link_seccomp_mode(pid_t pid); /* of /proc/PID/status: 0 none, 1 strict, 2 filter */
void link_note_pause(struct link *l, const struct remote_call_stats *stats); /* keep the longest */
void link_unmap_program(const struct link *l, struct remote_program *p);     /* munmap of the whole reservation */
/* The executable mapping of the module that holds the runtime, into t. */
void link_text_range(const struct maps *maps, const struct elf_module *module, struct remote_target *t);
