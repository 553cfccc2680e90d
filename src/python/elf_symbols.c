/*
 * elf_symbols: see elf_symbols.h. Formats: System V ABI (gABI) chapters 4 and 5; DT_GNU_HASH as in
 * glibc 2.36 elf/dl-lookup.c, do_lookup_x.
 */
#include "python/elf_symbols.h"

#include <elf.h>
#include <string.h>

#include "python/python.h"

#define CHAIN_MAX                                                                                  \
	1024u /* symbols walked in one hash chain before it counts as broken; linkers make them a  \
		 few symbols long */
#define RELA_MAX 400000u

static bool inside(const struct elf_symbols *s, uint64_t address, uint64_t n_bytes)
{
	return address >= s->start && address < s->end && n_bytes <= s->end - address;
}

static bool read_inside(const struct elf_symbols *s, uint64_t address, void *to, size_t n_bytes)
{
	return inside(s, address, n_bytes) && mem_read(s->mem, RADDR(address), to, n_bytes);
}

/* glibc relocates the addresses in PT_DYNAMIC on x86-64; musl and the vdso do not. */
static uint64_t dynamic_address(const struct elf_symbols *s, uint64_t value)
{
	return inside(s, value, 1) ? value : s->base + value;
}

static bool read_dynamic(struct elf_symbols *s, uint64_t address, uint64_t n_bytes)
{
	Elf64_Dyn dyn[64];
	if (n_bytes > 64 * sizeof(dyn))
		n_bytes = 64 * sizeof(dyn);
	for (uint64_t at = 0; at < n_bytes; at += sizeof(dyn)) {
		size_t n = n_bytes - at < sizeof(dyn) ? (size_t)(n_bytes - at) : sizeof(dyn);
		n -= n % sizeof(dyn[0]);
		if (!n || !read_inside(s, address + at, dyn, n))
			break;
		for (size_t i = 0; i < n / sizeof(dyn[0]); i++) {
			uint64_t value = dyn[i].d_un.d_val;
			switch (dyn[i].d_tag) {
			case DT_NULL: return s->symtab && s->strtab;
			case DT_SYMTAB: s->symtab = dynamic_address(s, value); break;
			case DT_STRTAB: s->strtab = dynamic_address(s, value); break;
			case DT_STRSZ: s->strtab_bytes = value; break;
			case DT_HASH: s->sysv_hash = dynamic_address(s, value); break;
			case DT_GNU_HASH: s->gnu_hash = dynamic_address(s, value); break;
			case DT_RELA: s->rela = dynamic_address(s, value); break;
			case DT_RELASZ: s->rela_bytes = value; break;
			case DT_RELACOUNT: s->n_relative = value; break;
			/* binutils since 2.26, lld, mold */
			case DT_FLAGS_1: s->is_executable |= (value & DF_1_PIE) != 0; break;
			case DT_NEEDED:
				if (s->n_needed < sizeof(s->needed) / sizeof(s->needed[0]))
					s->needed[s->n_needed++] = value;
				break;
			default: break;
			}
		}
	}
	return s->symtab && s->strtab;
}

bool elf_symbols_open(const struct mem_reader *mem, const struct elf_module *module,
		      struct elf_symbols *ret)
{
	struct elf_symbols *s = ret;
	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->base = module->base.v;
	s->start = module->start.v;
	s->end = module->end.v;
	Elf64_Ehdr eh;
	if (s->start >= s->end || !read_inside(s, s->start, &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    eh.e_phnum > 128)
		return false;
	s->is_executable = eh.e_type == ET_EXEC;
	s->e_machine = eh.e_machine;
	uint64_t dynamic = 0, dynamic_bytes = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		if (eh.e_phoff > s->end - s->start ||
		    !read_inside(s, s->start + eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return false;
		if (ph.p_type == PT_DYNAMIC) {
			dynamic = s->base + ph.p_vaddr;
			dynamic_bytes = ph.p_memsz;
		} else if (ph.p_type == PT_LOAD &&
			   s->n_loads < sizeof(s->loads) / sizeof(s->loads[0])) {
			s->loads[s->n_loads++] = (struct elf_segment){
				.vaddr = ph.p_vaddr,
				.memsz = ph.p_memsz,
				.filesz = ph.p_filesz,
				.flags = ph.p_flags,
			};
		}
	}
	return dynamic && read_dynamic(s, dynamic, dynamic_bytes);
}

bool elf_is_executable(const struct mem_reader *mem, const struct elf_module *module)
{
	struct elf_symbols s;
	return elf_symbols_open(mem, module, &s) && s.is_executable;
}

bool elf_needs(const struct mem_reader *mem, const struct elf_module *module, const char *file_name)
{
	struct elf_symbols s;
	char text[256];
	size_t n = strlen(file_name) + 1;
	if (n > sizeof(text) || !elf_symbols_open(mem, module, &s))
		return false;
	for (size_t i = 0; i < s.n_needed; i++)
		if (s.needed[i] <= s.strtab_bytes && n <= s.strtab_bytes - s.needed[i] &&
		    read_inside(&s, s.strtab + s.needed[i], text, n) &&
		    memcmp(text, file_name, n) == 0)
			return true;
	return false;
}

static bool symbol_is(const struct elf_symbols *s, uint32_t index, const char *name,
		      struct elf_found *ret)
{
	Elf64_Sym sym;
	if (!read_inside(s, s->symtab + (uint64_t)index * sizeof(sym), &sym, sizeof(sym)))
		return false;
	unsigned type = ELF64_ST_TYPE(sym.st_info);
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS || sym.st_value == 0 ||
	    type == STT_TLS || type == STT_GNU_IFUNC)
		return false;
	size_t n = strlen(name) + 1;
	char text[128];
	if (n > sizeof(text) || sym.st_name > s->strtab_bytes ||
	    n > s->strtab_bytes - sym.st_name ||
	    !read_inside(s, s->strtab + sym.st_name, text, n) || memcmp(text, name, n) != 0)
		return false;
	uint64_t address = s->base + sym.st_value;
	if (!inside(s, address, 1))
		return false;
	ret->address = address;
	ret->size = sym.st_size > s->end - address ? s->end - address : sym.st_size;
	ret->index = index;
	return true;
}

static bool find_gnu(const struct elf_symbols *s, const char *name, struct elf_found *ret)
{
	uint32_t hash = 5381;
	for (const char *c = name; *c; c++)
		hash = hash * 33 + (uint8_t)*c;
	struct {
		uint32_t n_buckets, first_symbol, n_bloom, bloom_shift;
	} head;
	if (!read_inside(s, s->gnu_hash, &head, sizeof(head)) || !head.n_buckets)
		return false;
	uint64_t buckets = s->gnu_hash + sizeof(head) + 8ull * head.n_bloom;
	uint64_t chains = buckets + 4ull * head.n_buckets;
	uint32_t index, link;
	if (!read_inside(s, buckets + 4ull * (hash % head.n_buckets), &index, sizeof(index)) ||
	    index < head.first_symbol)
		return false;
	for (uint32_t i = 0; i < CHAIN_MAX; i++, index++) {
		if (!read_inside(s, chains + 4ull * (index - head.first_symbol), &link,
				 sizeof(link)))
			return false;
		if ((link | 1) == (hash | 1) && symbol_is(s, index, name, ret))
			return true;
		if (link & 1)
			return false;
	}
	return false;
}

static bool find_sysv(const struct elf_symbols *s, const char *name, struct elf_found *ret)
{
	uint32_t hash = 0;
	for (const char *c = name; *c; c++) {
		hash = (hash << 4) + (uint8_t)*c;
		hash = (hash ^ ((hash & 0xf0000000u) >> 24)) & 0x0fffffffu;
	}
	uint32_t head[2], index; /* n_buckets, n_chains */
	if (!read_inside(s, s->sysv_hash, head, sizeof(head)) || !head[0] ||
	    !read_inside(s, s->sysv_hash + 8 + 4ull * (hash % head[0]), &index, sizeof(index)))
		return false;
	uint64_t chains = s->sysv_hash + 8 + 4ull * head[0];
	for (uint32_t i = 0; i < CHAIN_MAX && index; i++) {
		if (index >= head[1])
			return false;
		if (symbol_is(s, index, name, ret))
			return true;
		if (!read_inside(s, chains + 4ull * index, &index, sizeof(index)))
			return false;
	}
	return false;
}

bool elf_symbols_find(const struct elf_symbols *s, const char *name, struct elf_found *ret)
{
	if (!s->symtab || !s->strtab)
		return false;
	return s->gnu_hash ? find_gnu(s, name, ret) : s->sysv_hash && find_sysv(s, name, ret);
}

/* The relocation that puts the address of a variable into the GOT; 0: unknown CPU. */
static uint32_t got_relocation(uint16_t e_machine)
{
	return e_machine == EM_X86_64    ? R_X86_64_GLOB_DAT
	       : e_machine == EM_AARCH64 ? R_AARCH64_GLOB_DAT
					 : 0;
}

void elf_symbols_resolve(const struct elf_symbols *s, struct elf_found *found, size_t n_found)
{
	Elf64_Rela rela[256];
	if (s->rela_bytes / sizeof(rela[0]) > RELA_MAX || s->n_relative > RELA_MAX)
		return;
	for (uint64_t at = s->n_relative * sizeof(rela[0]); at < s->rela_bytes;
	     at += sizeof(rela)) {
		size_t n = s->rela_bytes - at < sizeof(rela) ? (size_t)(s->rela_bytes - at)
							     : sizeof(rela);
		if (!read_inside(s, s->rela + at, rela, n))
			return;
		for (size_t i = 0; i < n / sizeof(rela[0]); i++) {
			uint64_t value;
			if (ELF64_R_TYPE(rela[i].r_info) != got_relocation(s->e_machine))
				continue;
			for (size_t k = 0; k < n_found; k++)
				/* 0 or a small number: ld.so has not relocated it yet. */
				if (found[k].index &&
				    found[k].index == ELF64_R_SYM(rela[i].r_info) &&
				    read_inside(s, s->base + rela[i].r_offset, &value,
						sizeof(value)) &&
				    value >= 4096)
					found[k].address = value;
		}
	}
}

bool elf_symbols_slack(const struct elf_symbols *s, uint64_t *ret_address, uint64_t *ret_bytes)
{
	uint64_t last = 0, bytes = 0;
	for (size_t i = 0; i < s->n_loads; i++)
		if ((s->loads[i].flags & PF_W) && s->loads[i].vaddr + s->loads[i].memsz > last)
			last = s->loads[i].vaddr + s->loads[i].memsz;
	uint64_t from = (s->base + last + 15) & ~15ull;
	bytes = (4096 - from % 4096) % 4096;
	char probe;
	if (!last || bytes < 32 || !inside(s, from - 16, 1) ||
	    !mem_read(s->mem, RADDR(from + bytes - 1), &probe, 1))
		return false;
	*ret_address = from;
	*ret_bytes = bytes;
	return true;
}

bool elf_symbol_find(const struct mem_reader *mem, const struct elf_module *module,
		     const char *name, raddr *ret_address, uint64_t *ret_size)
{
	struct elf_symbols s;
	struct elf_found found;
	if (!elf_symbols_open(mem, module, &s) || !elf_symbols_find(&s, name, &found))
		return false;
	*ret_address = RADDR(found.address);
	*ret_size = found.size;
	return true;
}
