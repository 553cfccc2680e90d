/*
 * evaluator: see evaluator.h. Code is not disassembled: whatever could be a direct jump is
 * taken for one (machine_code.c). A false displacement is a random number, and it is practically
 * impossible that three of them hit the middle of the same function.
 */
#include "stacks/evaluator.h"

#include <stdlib.h>
#include <string.h>

#include "stacks/machine_code.h"

#define MAX_CODE_BYTES (8u << 20)
#define MAX_CANDIDATES 256u
#define MIN_JUMPS_IN   3u

struct candidate {
	uint64_t start, end;
	unsigned n_in;
};

struct search {
	struct evaluator *e;
	struct symbols *symbols;
	uint64_t module_start, module_end;
	const struct machine_code *machine;
	struct candidate candidates[MAX_CANDIDATES];
	size_t n;
};

static void count_jump_out(struct search *s, uint64_t to)
{
	uint64_t start, end;
	for (size_t i = 0; i < s->n; i++) {
		if (to >= s->candidates[i].start && to < s->candidates[i].end) {
			s->candidates[i].n_in += to != s->candidates[i].start;
			return;
		}
	}
	if (s->n < MAX_CANDIDATES && symbols_function_range(s->symbols, to, &start, &end))
		s->candidates[s->n++] = (struct candidate){ start, end, to != start };
}

/* Count the targets of the jumps from one range that are outside the evaluator found so far. */
static void count_jumps_out(struct search *s, const uint8_t *code, uint64_t start, uint64_t end)
{
	uint64_t to;
	for (size_t i = 0; i < end - start; i += s->machine->step)
		if (s->machine->jump_at(code, end - start, i, start, &to) &&
		    to >= s->module_start && to < s->module_end && !evaluator_contains(s->e, to))
			count_jump_out(s, to);
}

/* Does the code of [start, end) jump into the evaluator? */
static bool jumps_back(const struct search *s, const uint8_t *code, uint64_t start, uint64_t end)
{
	uint64_t to;
	for (size_t i = 0; i < end - start; i += s->machine->step)
		if (s->machine->jump_at(code, end - start, i, start, &to) &&
		    evaluator_contains(s->e, to))
			return true;
	return false;
}

static uint8_t *code_dup(struct modules *modules, uint64_t start, uint64_t end)
{
	struct module *module = modules_find(modules, start);
	struct image *i = module ? module_image(modules, module) : NULL;
	if (!i || end - start > MAX_CODE_BYTES)
		return NULL;
	uint8_t *code = malloc(end - start);
	if (code && !image_read(i, start - module->bias, code, end - start)) {
		free(code);
		return NULL;
	}
	return code;
}

static bool add_range(struct evaluator *e, uint64_t start, uint64_t end)
{
	if (evaluator_contains(e, start))
		return true;
	if (e->n == EVALUATOR_MAX_RANGES)
		return false;
	e->ranges[e->n].start = start;
	e->ranges[e->n].end = end;
	e->n++;
	return true;
}

bool evaluator_find(struct evaluator *e, struct modules *modules, struct symbols *symbols,
		    uint64_t address)
{
	struct module *module = modules_find(modules, address);
	uint64_t entry, start, end;
	if (!module || !symbols_find(symbols, module, "_PyEval_EvalFrameDefault", &entry) ||
	    !symbols_function_range(symbols, entry, &start, &end))
		return false;
	const struct image *image = module_image(modules, module);
	const struct machine_code *machine = image ? machine_code_of(image->e_machine) : NULL;
	if (!machine)
		return false;
	struct search *s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	*s = (struct search){ .e = e,
			      .symbols = symbols,
			      .module_start = module->start,
			      .module_end = module->end,
			      .machine = machine };
	uint32_t first = e->n;
	add_range(e, start, end);
	for (uint32_t k = first; k < e->n; k++) { /* a part can have parts of its own */
		uint8_t *code = code_dup(modules, e->ranges[k].start, e->ranges[k].end);
		s->n = 0;
		if (code)
			count_jumps_out(s, code, e->ranges[k].start, e->ranges[k].end);
		free(code);
		for (size_t i = 0; i < s->n; i++) {
			const struct candidate *c = &s->candidates[i];
			code = c->n_in >= MIN_JUMPS_IN ? code_dup(modules, c->start, c->end) : NULL;
			if (code && jumps_back(s, code, c->start, c->end))
				add_range(e, c->start, c->end);
			free(code);
		}
	}
	free(s);
	return true;
}
