/*
 * text_slack: see text_slack.h.
 */
#include "visit/text_slack.h"

#include <elf.h>
#include <string.h>

#include "python/python.h"
#include "system/maps.h"
#include "system/remote_mem.h"

/* The smallest page of any CPU: larger pages have more dead bytes, which are not used. */
#define PAGE 4096u

bool text_slack_find(struct remote_mem *mem, const struct elf_module *module,
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
