/*
 * id_map: see id_map.h.
 */
#include "merge/id_map.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct id_map *m)
{
	for (size_t i = 0; i < m->n_directory; i++) {
		free(m->pages[i]);
		m->pages[i] = NULL;
	}
	m->pool->n_pages -= m->n_pages;
	m->n_pages = 0;
}

void id_map_init(struct id_map *m, struct id_pool *pool)
{
	*m = (struct id_map){ .pool = pool, .next = pool->maps };
	pool->maps = m;
}

void id_map_fini(struct id_map *m)
{
	struct id_map **link = m->pool ? &m->pool->maps : NULL;
	if (!m->pool)
		return;
	while (*link && *link != m)
		link = &(*link)->next;
	if (*link)
		*link = m->next;
	forget(m);
	free(m->pages);
	*m = (struct id_map){ 0 };
}

static struct id_map *largest(const struct id_pool *pool)
{
	struct id_map *found = pool->maps;
	for (struct id_map *m = pool->maps; m; m = m->next)
		if (m->n_pages > found->n_pages)
			found = m;
	return found;
}

bool id_map_set(struct id_map *m, uint32_t id, uint32_t to)
{
	size_t page = id >> ID_MAP_PAGE_SHIFT;
	if (page >= m->n_directory) {
		size_t n = page + 1 + page / 2;
		uint32_t **bigger = realloc(m->pages, n * sizeof(*bigger));
		if (!bigger)
			return false;
		memset(bigger + m->n_directory, 0, (n - m->n_directory) * sizeof(*bigger));
		m->pages = bigger;
		m->n_directory = n;
	}
	if (!m->pages[page]) {
		if (m->pool->n_pages >= m->pool->n_pages_max)
			forget(largest(m->pool));
		m->pages[page] = calloc(ID_MAP_PAGE, sizeof(uint32_t));
		if (!m->pages[page])
			return false;
		m->n_pages++;
		m->pool->n_pages++;
	}
	m->pages[page][id & (ID_MAP_PAGE - 1)] = to;
	return true;
}
