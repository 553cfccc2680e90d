/*
 * remote_place: find a place where the stub can be written: see remote_call.h.
 */
#include <elf.h>
#include <string.h>

#include "visit/lazy_link.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/remote_call.h"
#include "system/remote_mem.h"

/* made from arch/x86_64/stub.S; its last 16 bytes are the saved rip and rsp */
extern const uint8_t stub_blob[];
extern const size_t stub_blob_bytes;

#define PAGE 4096u

/* The bytes between the end of the executable segment that `m` maps and the end of its last
 * page. */
static bool text_slack(struct remote_mem *mem, const struct elf_module *module,
		       const struct mapping *m, raddr *ret_at, size_t *ret_n)
{
	Elf64_Ehdr eh;
	if (!remote_mem_read(mem, module->start, &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum > 64)
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		if (!remote_mem_read(mem, raddr_add(module->start, eh.e_phoff + i * sizeof(ph)),
				     &ph, sizeof(ph)))
			return false;
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || ph.p_memsz != ph.p_filesz)
			continue;
		uint64_t end = module->base.v + ph.p_vaddr + ph.p_memsz;
		uint64_t page_end = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		if (end <= m->start || page_end > m->end)
			continue;
		end = (end + 15) & ~15ull;
		*ret_at = RADDR(end);
		*ret_n = page_end > end ? page_end - end : 0;
		return true;
	}
	return false;
}

/* The size of the code that a killed recorder has left in these bytes; 0 none. Before that they
 * were zero, because it chose only such bytes. */
static size_t left_bytes(const uint8_t *bytes)
{
	if (memcmp(bytes, stub_blob, stub_blob_bytes - 16) == 0)
		return stub_blob_bytes;
	return lazy_link_bytes_at(bytes);
}

bool module_is_unloadable(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
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
	CHECK(stub_blob_bytes <= sizeof(ret->before) && n_bytes <= sizeof(ret->before));
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
				    !text_slack(mem, module, m, &at, &n) || n < n_bytes ||
				    !remote_mem_read(mem, at, bytes,
						     n < sizeof(bytes) ? n : sizeof(bytes)))
					continue;
				bool zero = true;
				size_t left = left_bytes(bytes);
				for (size_t b = 0; b < n_bytes; b++)
					zero &= bytes[b] == 0;
				if (round < ANY && !zero && !left)
					continue;
				bool stays = !module_is_unloadable(pid, remote_mem_reader(mem),
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
				if (left)
					memset(ret->before, 0, sizeof(bytes));
				return NULL;
			}
		}
	}
	return err_create(ERR_UNSUPPORTED,
			  "no module of the target has %zu unused bytes behind its code", n_bytes);
}
