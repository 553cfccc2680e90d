/*
 * export_stacks: how often each stack raised each event, for flame graphs.
 *
 * folded      outermost;…;innermost;event count      one line per distinct stack and event; with
 *             the option async below the tasks: main;job-2;job-1;outermost;…
 * speedscope  one sampled profile per process; the event is the innermost frame, the weight is the
 *             count
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/trace_task.h"
#include "model/value_json.h"

struct sample {
	uint32_t process, stack, name; /* process: of folded, the number of the chain */
	uint64_t n;
};

struct state {
	VEC(struct sample) samples;
	struct hash_map pairs; /* (process, name) → their number, from 1 */
	struct hash_map index; /* (stack, number of the pair) → sample + 1 */
	/* of async: the tasks of an event, as they are written; numbers count from 1 */
	VEC(char *) chains;
	struct hash_map chain_of_task; /* value id → number */
	struct hash_map chains_by_text;
};

static struct err *begin(struct exporter *x)
{
	struct state *s = x->state = calloc(1, sizeof(*s));
	return s ? NULL : err_no_memory();
}

/* Append one frame: valid UTF-8 on one line. The semicolon separates frames, so it is replaced. */
static void add_folded(struct strbuf *to, const char *s, size_t n)
{
	size_t from = to->n;
	utf8_add_plain(to, s, n, "");
	for (size_t i = from; i < to->n; i++)
		if (to->s[i] == ';')
			to->s[i] = '_';
}

/* "main;job-2;job-1;": the outermost of the tasks that wait, …, the task itself. */
static bool add_chain(struct strbuf *to, struct trace_task *task)
{
	struct part {
		const char *s;
		size_t n;
	} *parts = calloc(task->n_awaited + 1u, sizeof(*parts));
	uint32_t n = 0;
	if (!parts)
		return false;
	parts[n++] = (struct part){ task->name, task->n_name };
	while (n <= task->n_awaited && trace_task_next(task, &parts[n].s, &parts[n].n))
		n++;
	if (task->n_more)
		strbuf_adds(to, "…;");
	while (n--) {
		add_folded(to, parts[n].n ? parts[n].s : "??", parts[n].n ? parts[n].n : 2);
		strbuf_addc(to, ';');
	}
	free(parts);
	return !to->failed;
}

/* The number of an event's chain; 0 without a task. Tasks of the same names have the same. */
static struct err *chain_place(struct exporter *x, uint32_t value, uint32_t *ret)
{
	struct state *s = x->state;
	struct trace_task task;
	*ret = hash_map_get(&s->chain_of_task, value);
	if (*ret || !trace_task(x->trace, value, &task))
		return NULL;
	strbuf_clear(&x->scratch);
	if (!add_chain(&x->scratch, &task))
		return err_no_memory();
	uint32_t *of_task = hash_map_place(&s->chain_of_task, value);
	uint32_t *at = hash_map_place(&s->chains_by_text,
				      hash_map_text_key(x->scratch.s, x->scratch.n));
	if (!of_task || !at)
		return err_no_memory();
	if (!*at) {
		char *text = strndup(x->scratch.s, x->scratch.n);
		if (!text || !vec_push(&s->chains, text)) {
			free(text);
			return err_no_memory();
		}
		*at = (uint32_t)s->chains.n;
	}
	*ret = *of_task = *at;
	return NULL;
}

static struct err *count_event(struct exporter *x, uint64_t seq)
{
	struct state *s = x->state;
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	struct sample k = { x->format == &export_speedscope ? e.process : 0, e.stack, e.name, 1 };
	struct err *err = x->options.async ? chain_place(x, e.task, &k.process) : NULL;
	if (err)
		return err;
	uint32_t *pair = hash_map_place(&s->pairs, hash_map_key(k.process, k.name));
	if (pair && !*pair)
		*pair = s->pairs.n_used;
	uint32_t *at = pair ? hash_map_place(&s->index, hash_map_key(k.stack, *pair)) : NULL;
	if (!at)
		return err_no_memory();
	if (*at) {
		s->samples.v[*at - 1].n++;
		return NULL;
	}
	if (!vec_push(&s->samples, k))
		return err_no_memory();
	*at = (uint32_t)s->samples.n;
	return NULL;
}

static void add_name(struct exporter *x, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	trace_frame(x->trace, frame, &f);
	const char *s = trace_string(x->trace, f.function, &n);
	strbuf_add(to, n ? s : "??", n ? n : 2);
	s = trace_string(x->trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	const char *slash = memrchr(s, '/', n);
	if (slash)
		n -= (size_t)(slash + 1 - s), s = slash + 1;
	if (n) {
		strbuf_adds(to, " (");
		strbuf_add(to, s, n);
		strbuf_addc(to, ')');
	}
}

/* Frames of a stack, outermost first, in *ret; malloc'ed. */
static uint32_t *frames_of(struct exporter *x, uint32_t stack, uint32_t *ret_n)
{
	uint32_t n = trace_stack_depth(x->trace, stack);
	uint32_t *frames = malloc(sizeof(*frames) * ((size_t)n + 1));
	*ret_n = n;
	if (frames && n)
		trace_stack_frames(x->trace, stack, frames, n);
	for (uint32_t i = 0; frames && i < n / 2; i++) {
		uint32_t swap = frames[i];
		frames[i] = frames[n - 1 - i];
		frames[n - 1 - i] = swap;
	}
	return frames;
}

static void state_free(struct state *s)
{
	vec_fini(&s->samples);
	hash_map_fini(&s->pairs);
	hash_map_fini(&s->index);
	for (size_t i = 0; i < s->chains.n; i++)
		free(s->chains.v[i]);
	vec_fini(&s->chains);
	hash_map_fini(&s->chain_of_task);
	hash_map_fini(&s->chains_by_text);
	free(s);
}

static struct err *end_folded(struct exporter *x, bool ok)
{
	struct state *s = x->state;
	struct err *err = NULL;
	for (size_t i = 0; ok && !err && i < s->samples.n; i++) {
		uint32_t n;
		uint32_t *frames = frames_of(x, s->samples.v[i].stack, &n);
		if (!frames) {
			err = err_no_memory();
			break;
		}
		if (s->samples.v[i].process)
			strbuf_adds(&x->out, s->chains.v[s->samples.v[i].process - 1]);
		for (uint32_t k = 0; k < n; k++) {
			strbuf_clear(&x->scratch);
			add_name(x, &x->scratch, frames[k]);
			add_folded(&x->out, strbuf_str(&x->scratch), x->scratch.n);
			strbuf_addc(&x->out, ';');
		}
		free(frames);
		size_t n_name;
		const char *name = trace_name(x->trace, s->samples.v[i].name, &n_name);
		add_folded(&x->out, n_name ? name : "??", n_name ? n_name : 2);
		strbuf_addf(&x->out, " %" PRIu64 "\n", s->samples.v[i].n);
		trace_trim(x->trace);
	}
	state_free(s);
	return err;
}

static int by_process(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	return x->process != y->process ? (x->process < y->process ? -1 : 1) : x < y ? -1 : 1;
}

/* Frames get dense numbers in order of use, after those of the event names. */
struct numbers {
	VEC(uint32_t) of_frame; /* [frame id] number + 1 */
	VEC(uint32_t) frames;   /* [number] */
};

static struct err *number_frames(struct exporter *x, struct numbers *numbers)
{
	const struct state *s = x->state;
	for (size_t i = 0; i < s->samples.n; i++) {
		uint32_t parent, frame;
		for (uint32_t id = s->samples.v[i].stack;
		     id && trace_stack(x->trace, id, &parent, &frame); id = parent) {
			while (numbers->of_frame.n <= frame)
				if (!vec_push(&numbers->of_frame, 0))
					return err_no_memory();
			if (numbers->of_frame.v[frame])
				continue;
			if (!vec_push(&numbers->frames, frame))
				return err_no_memory();
			numbers->of_frame.v[frame] = (uint32_t)numbers->frames.n;
		}
	}
	return NULL;
}

static void add_shared(struct exporter *x, const struct numbers *numbers)
{
	struct strbuf *to = &x->out;
	uint32_t n_names = trace_n_names(x->trace);
	strbuf_adds(to, "{\"$schema\":\"https://www.speedscope.app/"
			"file-format-schema.json\",\"exporter\":\"auditview " AUDITVIEW_VERSION
			"\",\"shared\":{\"frames\":[");
	for (uint32_t i = 0; i <= n_names; i++) {
		size_t n;
		const char *name = trace_name(x->trace, i, &n);
		strbuf_adds(to, i ? ",\n{\"name\":" : "\n{\"name\":");
		value_json_string(to, n ? name : "??", n ? n : 2);
		strbuf_addc(to, '}');
	}
	for (size_t i = 0; i < numbers->frames.n; i++) {
		struct frame_info f;
		trace_frame(x->trace, numbers->frames.v[i], &f);
		strbuf_clear(&x->scratch);
		add_name(x, &x->scratch, numbers->frames.v[i]);
		strbuf_adds(to, ",\n{\"name\":");
		value_json_string(to, x->scratch.s, x->scratch.n);
		strbuf_adds(to, ",\"file\":");
		export_words_string(x, to, f.kind == FRAME_NATIVE ? f.module : f.file);
		if (f.line)
			strbuf_addf(to, ",\"line\":%u", f.line);
		strbuf_addc(to, '}');
	}
	strbuf_adds(to, "\n]},\"profiles\":[");
}

static struct err *end_speedscope(struct exporter *x, bool ok)
{
	struct state *s = x->state;
	struct numbers numbers = { 0 };
	struct strbuf *to = &x->out;
	struct err *err = ok ? number_frames(x, &numbers) : NULL;
	uint32_t n_names = trace_n_names(x->trace) + 1;
	if (ok && !err) {
		add_shared(x, &numbers);
		if (s->samples.n)
			qsort(s->samples.v, s->samples.n, sizeof(*s->samples.v), by_process);
	}
	for (size_t i = 0, next; ok && !err && i < s->samples.n; i = next) {
		uint64_t total = 0;
		uint32_t process = s->samples.v[i].process;
		for (next = i; next < s->samples.n && s->samples.v[next].process == process; next++)
			total += s->samples.v[next].n;
		const struct process_info *p = trace_process(x->trace, process);
		strbuf_clear(&x->scratch);
		size_t n;
		if (p && p->host) {
			const char *host = trace_host_name(x->trace, p->host, &n);
			strbuf_add(&x->scratch, host, n);
			strbuf_addc(&x->scratch, ':');
		}
		strbuf_addf(&x->scratch, "%u ", p ? p->pid : 0);
		const char *name = trace_string(x->trace, p ? p->name : 0, &n);
		strbuf_add(&x->scratch, name, n);
		strbuf_adds(to, i ? ",\n{\"type\":\"sampled\",\"name\":"
				  : "\n{\"type\":\"sampled\",\"name\":");
		value_json_string(to, x->scratch.s, x->scratch.n);
		strbuf_addf(to,
			    ",\"unit\":\"none\",\"startValue\":0,\"endValue\":%" PRIu64
			    ",\"samples\":[",
			    total);
		for (size_t k = i; k < next && !err; k++) {
			uint32_t depth;
			uint32_t *frames = frames_of(x, s->samples.v[k].stack, &depth);
			if (!frames) {
				err = err_no_memory();
				break;
			}
			strbuf_adds(to, k > i ? ",[" : "[");
			for (uint32_t d = 0; d < depth; d++)
				strbuf_addf(to, "%u,", n_names + numbers.of_frame.v[frames[d]] - 1);
			strbuf_addf(to, "%u]", s->samples.v[k].name);
			free(frames);
			trace_trim(x->trace);
		}
		strbuf_adds(to, "],\"weights\":[");
		for (size_t k = i; k < next; k++)
			strbuf_addf(to, "%s%" PRIu64, k > i ? "," : "", s->samples.v[k].n);
		strbuf_adds(to, "]}");
	}
	if (ok && !err)
		strbuf_adds(to, "\n]}\n");
	vec_fini(&numbers.of_frame);
	vec_fini(&numbers.frames);
	state_free(s);
	return err;
}

const struct exporter_format export_folded = {
	.name = "folded",
	.suffix = ".folded",
	.doc = "folded stacks with counts, for flame graphs",
	.begin = begin,
	.event = count_event,
	.end = end_folded,
};
const struct exporter_format export_speedscope = {
	.name = "speedscope",
	.suffix = ".speedscope.json",
	.doc = "for speedscope.app, one profile per process",
	.begin = begin,
	.event = count_event,
	.end = end_speedscope,
};
