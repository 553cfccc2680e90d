/*
 * mem_read: read bytes of an address space: a live process, an ELF file, a snapshot, or a byte
 * array in a test.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address in the target. It cannot be dereferenced or added to a local pointer by accident. */
typedef struct {
	uint64_t v;
} raddr;

#define RADDR(x) ((raddr){ (uint64_t)(x) })
static inline raddr raddr_add(raddr a, uint64_t n)
{
	return RADDR(a.v + n);
}

struct mem_reader {
	/* Copy exactly n_bytes from `from` to `to`; false if any byte cannot be read (`to` is then
	 * undefined). */
	bool (*read)(void *ctx, raddr from, void *to, size_t n_bytes);
	void *ctx;
};

static inline bool mem_read(const struct mem_reader *m, raddr from, void *to, size_t n_bytes)
{
	return m->read(m->ctx, from, to, n_bytes);
}

static inline bool mem_read_u64(const struct mem_reader *m, raddr from, uint64_t *ret)
{
	return m->read(m->ctx, from, ret, sizeof(*ret));
}

/* A NUL-terminated string of at most cap - 1 bytes into to[cap]; false if unreadable or longer. */
bool mem_read_cstr(const struct mem_reader *m, raddr from, char *to, size_t cap);
