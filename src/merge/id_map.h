/*
 * id_map: ids of one capture → ids of another, for a copy between them.
 *
 * Maps are a cache with a bound, which those of one pool share: when it is reached, the largest map
 * forgets everything. An id that is asked for again is then copied again, and the writer finds the
 * same entry or adds an equal one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_MAP_PAGE_SHIFT 10
#define ID_MAP_PAGE       (1u << ID_MAP_PAGE_SHIFT)
/* for n_pages_max: 32 MiB, ids of some 50 M events */
#define ID_POOL_PAGES 8192u

struct id_map;
struct id_pool { /* ready for use with n_pages_max set and the rest 0 */
	struct id_map *maps;
	size_t n_pages, n_pages_max; /* a page takes 4 KiB */
};
struct id_map {
	struct id_pool *pool;
	struct id_map *next;
	uint32_t **pages;
	size_t n_directory, n_pages;
};
/* The pool must outlive the map. */
void id_map_init(struct id_map *m, struct id_pool *pool);
void id_map_fini(struct id_map *m);

/* 0 if it is not known. */
static inline uint32_t id_map_get(const struct id_map *m, uint32_t id)
{
	size_t page = id >> ID_MAP_PAGE_SHIFT;
	return page < m->n_directory && m->pages[page] ? m->pages[page][id & (ID_MAP_PAGE - 1)] : 0;
}
/* False if memory is short; nothing is remembered then. */
bool id_map_set(struct id_map *m, uint32_t id, uint32_t to);
