/*
 * remote_place: see remote_place.h.
 */
#include "visit/remote_place.h"

#include <elf.h>
#include <poll.h>
#include <string.h>

#include "base/monotonic.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_mem.h"
#include "visit/hold.h"
#include "visit/lazy_link_code.h"
#include "visit/ptrace.h"
#include "visit/remote_target.h"
#include "visit/stub.h"
#include "visit/text_slack.h"
#include "visit/threads_outside.h"
#include "visit/way_back.h"

/* The size of the code that a killed recorder has left in these bytes; 0 none. Before that they
 * were zero, because it chose only such bytes. */
static size_t left_bytes(const uint8_t *bytes)
{
	if (stub_is_at(bytes))
		return stub_bytes();
	return lazy_link_bytes_at(bytes);
}

/* Of a lazy link, the stub is behind the hook. */
static void find_left_back(struct remote_mem *mem, const struct maps *maps, const uint8_t *bytes,
			   size_t n_bytes, struct remote_place *place)
{
	const uint8_t *stub = bytes + n_bytes - stub_bytes();
	if (stub_is_at(stub))
		way_back_find_left(mem, maps, stub, stub_bytes(), place);
}

bool remote_place_can_vanish(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
			     const struct elf_module *module)
{
	uint64_t headers = proc_auxv_value(pid, AT_PHDR), loader = proc_auxv_value(pid, AT_BASE);
	const char *slash = strrchr(module->path, '/');
	if (loader >= module->start.v && loader < module->end.v)
		return false;
	for (size_t i = 0; i < maps->n_modules; i++) {
		const struct elf_module *m = &maps->modules[i];
		bool is_program = (headers >= m->start.v && headers < m->end.v) ||
				  elf_is_executable(mem, m);
		if (is_program && (m->start.v == module->start.v ||
				   elf_needs(mem, m, slash ? slash + 1 : module->path)))
			return false;
	}
	return true;
}

struct err *remote_place_find(pid_t pid, struct remote_mem *mem, const struct maps *maps,
			      raddr prefer, size_t n_bytes, struct remote_place *ret)
{
	CHECK(stub_bytes() <= sizeof(ret->before) && n_bytes <= sizeof(ret->before));
	enum { ASKED_FOR, STAYS, ZERO, ANY, ROUNDS };
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < maps->n_modules; i++) {
			const struct elf_module *module = &maps->modules[i];
			if (round == ASKED_FOR && module->start.v != prefer.v)
				continue;
			for (size_t k = 0; k < maps->n; k++) {
				const struct mapping *m = &maps->v[k];
				raddr at;
				size_t n;
				uint8_t bytes[sizeof(ret->before)] = { 0 };
				if (!m->exec || m->write || m->shared || !m->inode ||
				    m->start < module->start.v || m->start >= module->end.v ||
				    !text_slack_find(mem, module, m, &at, &n) || n < n_bytes ||
				    !remote_mem_read(mem, at, bytes,
						     n < sizeof(bytes) ? n : sizeof(bytes)))
					continue;
				bool zero = true;
				size_t left = left_bytes(bytes);
				for (size_t b = 0; b < n_bytes; b++)
					zero &= bytes[b] == 0;
				if (round < ANY && !zero && !left)
					continue;
				bool stays = !remote_place_can_vanish(pid, remote_mem_reader(mem),
								      maps, module);
				if (round == STAYS && !stays)
					continue;
				ret->is_unloadable = !stays;
				ret->module = *module;
				ret->module.path = "the library in which our code stands";
				ret->code = at;
				ret->is_left = left != 0;
				ret->n_bytes = left > n_bytes ? left : n_bytes;
				memcpy(ret->before, bytes, sizeof(bytes));
				ret->back = RADDR(0);
				if (left) {
					memset(ret->before, 0, sizeof(bytes));
					find_left_back(mem, maps, bytes, left, ret);
				}
				return NULL;
			}
		}
	}
	return err_create(ERR_UNSUPPORTED,
			  "no module of the target has %zu unused bytes behind its code", n_bytes);
}

struct err *remote_place_wait(const struct remote_target *t, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	for (;;) {
		bool outside = false;
		struct err *err = threads_outside_check(
		    t, t->place->code.v, t->place->code.v + t->place->n_bytes, &outside);
		if (!err && outside && t->place->back.v)
			err = threads_outside_check(
			    t, t->place->back.v, t->place->back.v + sizeof(t->place->back_before),
			    &outside);
		if (!err && outside) {
			t->place->is_left = false;
			return NULL;
		}
		if ((err && err->code != ERR_TIMEOUT) || monotonic_ns() >= deadline)
			return err ? err
				   : err_create(ERR_TIMEOUT,
						"a thread of process %d has not come back from an "
						"earlier call",
						(int)t->pid);
		err_destroy(err);
		ptrace_serve();
		hold_poll_pending(); /* it may have stopped on its way */
		poll(NULL, 0, 1);
	}
}

struct err *remote_place_wait_if_left(const struct remote_target *t, uint64_t timeout_ns)
{
	hold_poll_pending(); /* such a thread may be in the code */
	return t->place->is_left ? remote_place_wait(t, timeout_ns) : NULL;
}
