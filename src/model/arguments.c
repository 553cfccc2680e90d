/*
 * arguments: see arguments.h.
 */
#include "model/arguments.h"

#include <string.h>

int arguments_minor(const struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);
	return p && p->python_hex >> 24 == 3 ? (int)(p->python_hex >> 16 & 0xff) : 0;
}

static void start(struct arguments *a, struct trace *t, uint32_t name, int minor, uint32_t args,
		  const uint64_t *objects, uint32_t n_objects)
{
	size_t n_name;
	const char *s = trace_name(t, name, &n_name);
	struct value_node head;
	a->event = catalog_find(s, n_name);
	a->minor = minor;
	a->n = a->index = 0;
	a->is_dict = false;
	a->trace = t;
	a->descriptors = 0;
	if (!args)
		return;
	value_iter_init(&a->it, t, args, objects, n_objects);
	if (!value_iter_next(&a->it, &head))
		return;
	a->is_dict = head.tag == VALUE_DICT;
	if (a->is_dict || head.tag == VALUE_TUPLE)
		a->n = a->is_dict ? head.n_children / 2 : head.n_children;
}

void arguments_init(struct arguments *a, struct trace *t, const struct event *e)
{
	uint32_t n_objects = 0;
	const uint64_t *objects = e->args ? trace_event_objects(t, e->seq, &n_objects) : NULL;
	start(a, t, e->name, arguments_minor(t, e->process), e->args, objects, n_objects);
	a->descriptors = e->descriptors;
}

void arguments_init_value(struct arguments *a, struct trace *t, uint32_t name, int minor,
			  uint32_t args)
{
	start(a, t, name, minor, args, NULL, 0);
}

/* What the event's descriptors say of an argument. */
static void find_was(const struct arguments *a, struct argument *arg)
{
	struct value_iter it;
	struct value_node all, one, key = { 0 };
	value_iter_init(&it, a->trace, a->descriptors, NULL, 0);
	if (!value_iter_next(&it, &all) || (all.tag != VALUE_LIST && all.tag != VALUE_DICT))
		return;
	for (uint32_t i = 0; i < all.n_children && value_iter_next(&it, &one); i++) {
		bool is_key = all.tag == VALUE_DICT && i % 2 == 0;
		bool is_it = all.tag == VALUE_LIST
				 ? i == arg->index
				 : key.tag == VALUE_STR && key.n_bytes == arg->n_name &&
				       !memcmp(key.bytes, arg->name, arg->n_name);
		if (is_key) {
			key = one;
		} else if (is_it && one.tag == VALUE_STR) {
			arg->was = (const char *)one.bytes;
			arg->n_was = one.n_bytes;
			return;
		}
		value_iter_skip(&it, &one);
	}
}

bool arguments_next(struct arguments *a, struct argument *ret)
{
	if (a->index >= a->n)
		return false;
	struct value_node key;
	if (a->is_dict) {
		if (!value_iter_next(&a->it, &key))
			return false;
		value_iter_skip(&a->it, &key);
	}
	if (!value_iter_next(&a->it, &ret->value))
		return false;
	ret->index = a->index++;
	if (a->is_dict && key.tag == VALUE_STR) {
		ret->name = (const char *)key.bytes;
		ret->n_name = key.n_bytes;
	} else {
		ret->name = catalog_arg_key(a->event, a->minor, ret->index, a->buf);
		ret->n_name = strlen(ret->name);
	}
	ret->was = NULL;
	if (a->descriptors)
		find_was(a, ret);
	return true;
}
