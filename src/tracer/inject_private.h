/*
 * inject_private: what attaching and leaving share.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#define CALL_TIMEOUT_NS 2000000000ull
#define CALL_GRACE_NS 200000000ull /* for a thread on its way out of our code */

struct elf_module;
struct link;
struct maps;
struct remote_call_stats;
struct remote_mem;
struct remote_program;
struct remote_target;

unsigned link_seccomp_mode(pid_t pid); /* of /proc/PID/status: 0 none, 1 strict, 2 filter */
void link_note_pause(struct link *l, const struct remote_call_stats *stats); /* keep the longest */
void link_unmap_program(const struct link *l, struct remote_program *p);     /* munmap of the whole reservation */
/* The reservation could not be unmapped: note it in the mailbox for the next auditview. */
void link_keep_orphan(const struct link *l, struct remote_mem *mem);
/* Fill our entry and put it first: cannot fail half-way. */
void link_program(const struct link *l, struct remote_program *p);
/* The executable mapping of the module that holds the runtime, into t. */
void link_text_range(const struct maps *maps, const struct elf_module *module, struct remote_target *t);
