/*
 * deferred: see deferred.h.
 */
#include "recorder/deferred.h"

#include <string.h>

#include "base/vec.h"

bool deferred_add(struct deferred_stops *list, pid_t tid, int status)
{
	struct deferred_stop s = { tid, status };
	return vec_push(list, s);
}

bool deferred_has(const struct deferred_stops *list, pid_t tid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tid == tid)
			return true;
	return false;
}

void deferred_forget(struct deferred_stops *list, pid_t tid)
{
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tid != tid)
			list->v[n++] = list->v[i];
	list->n = n;
}

static struct deferred_stop take_at(struct deferred_stops *list, size_t i)
{
	struct deferred_stop s = list->v[i];
	list->n--;
	memmove(&list->v[i], &list->v[i + 1], (list->n - i) * sizeof(list->v[0]));
	return s;
}

bool deferred_take(struct deferred_stops *list, pid_t tid, int *ret_status)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].tid != tid)
			continue;
		*ret_status = take_at(list, i).status;
		return true;
	}
	return false;
}

bool deferred_take_first(struct deferred_stops *list, struct deferred_stop *ret)
{
	if (!list->n)
		return false;
	*ret = take_at(list, 0);
	return true;
}

bool deferred_take_last(struct deferred_stops *list, struct deferred_stop *ret)
{
	if (!list->n)
		return false;
	*ret = list->v[--list->n];
	return true;
}

void deferred_fini(struct deferred_stops *list)
{
	vec_fini(list);
}
