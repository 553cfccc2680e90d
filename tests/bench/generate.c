/*
 * generate: a capture of any size with the properties of real ones, always the same for the same
 * seed.
 *
 *     generate N_EVENTS OUT.avc [SEED] [REAL.avc]
 *
 * Measured over 465 k events of 29 real runs (CPython 3.11 and 3.12): 17 % distinct argument
 * tuples, 10 % distinct stacks, both rarer the longer a capture is (644 k distinct tuples in 10 M
 * events: so about n^0.684); stack depth p50 31, p90 41, p99 64; strings p50 44, p90 128, p99 896
 * bytes; 46 % of the events carry an object's address; half of all events are part of a sequence
 * that occurred before (the same imports in the next process). If REAL.avc is given, its events are
 * the material: they are resampled run by run, with new paths, numbers, addresses and times at the
 * same rates.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../unit/capture_util.h"
#include "base/vec.h"
#include "model/trace.h"
#include "model/value_iter.h"

static uint64_t rng = 1;

static uint64_t below(uint64_t n)
{
	return test_random(&rng) % n;
}

static double uniform(void)
{
	return (double)(test_random(&rng) >> 11) * 0x1p-53;
}

/* Small numbers are much more likely, as for names, files and functions in real programs. */
static uint64_t zipf_below(uint64_t n)
{
	return (uint64_t)(pow((double)n, uniform()) - 1) % n;
}

#define N_FILES            1500u
#define FUNCTIONS_PER_FILE 24u
#define LINES_PER_FUNCTION 6u
#define HISTORY            (1u << 16)

struct past { /* an event that can be repeated */
	uint32_t name, args, stack, n_objects;
};

static struct writer *w;
static struct past history[HISTORY];
static uint64_t n_done, n_wanted;
static uint64_t time_ns = 1000000;
static VEC(struct past) material; /* of REAL.avc */
/* distinct stacks so far, the node below each, their depth */
static VEC(uint32_t) stacks, parents, depths;
static uint64_t recent_addresses[64];
static struct strbuf scratch;
static uint32_t path_list, finders, hooks;

/* ---- stacks ---- */

static uint32_t frame_get(uint32_t file, uint32_t function, uint32_t line)
{
	static const char *const folders[] = { "/usr/lib/python3.11/",
					       "/usr/lib/python3.11/site-packages/pkg/",
					       "/srv/project/tests/", "/srv/project/src/app/" };
	char path[96], name[64];
	snprintf(path, sizeof(path), "%smodule_%u.py", folders[file % 4], file);
	snprintf(name, sizeof(name), file % 3 ? "Class%u.method_%u" : "function_%u_%u",
		 function % 5, function);
	struct frame_info f = { .kind = FRAME_PYTHON,
				.file = add_string(w, path),
				.function = add_string(w, name),
				.first_line = 10 + function * 20,
				.line = 11 + function * 20 + line * 3,
				.column = 9,
				.end_line = 11 + function * 20 + line * 3,
				.end_column = 20 + line };
	return writer_frame(w, &f);
}

static uint32_t frame_random(void)
{
	uint32_t file = (uint32_t)zipf_below(N_FILES),
		 function = (uint32_t)zipf_below(FUNCTIONS_PER_FILE);
	return frame_get(file, function, (uint32_t)zipf_below(LINES_PER_FUNCTION));
}

/* A new stack: some frames of an old one are removed and some others added, so that the depth stays
 * about 31. */
static uint32_t stack_new(void)
{
	uint32_t stack = 0, depth = 0;
	if (stacks.n) {
		size_t i = stacks.n - 1 - zipf_below(stacks.n);
		stack = stacks.v[i];
		depth = depths.v[i];
	}
	uint32_t target = 31 + (uint32_t)below(13) - 6 + (below(20) == 0 ? (uint32_t)below(45) : 0);
	for (uint64_t off = 1 + below(6); off && stack; off--) {
		stack = parents.v[stack];
		depth--;
	}
	uint64_t on = 1 + below(3);
	while (depth < target && (on-- || depth < 22)) {
		uint32_t child = writer_stack(w, stack, frame_random());
		if (child >= parents.n) {
			while (parents.n <= child)
				if (!vec_push(&parents, 0))
					abort();
			parents.v[child] = stack;
		}
		stack = child;
		depth++;
	}
	if (!vec_push(&stacks, stack) || !vec_push(&depths, depth))
		abort();
	return stack;
}

/* ---- arguments ---- */

static const char *text_random(void)
{
	static char text[4096];
	static const char *const words[] = { "config",   "data",    "cache", "build", "tests",
					     "fixtures", "reports", "lib",   "json" };
	double u = uniform();
	size_t want = u < 0.5    ? 20 + below(25)
		      : u < 0.9  ? 44 + below(85)
		      : u < 0.99 ? 128 + below(700)
				 : 896 + below(2000);
	size_t n = (size_t)snprintf(
	    text, sizeof(text), below(3) ? "/srv/project" : "/tmp/pytest-%u", (unsigned)below(300));
	while (n < want && n < sizeof(text) - 40)
		n += (size_t)snprintf(text + n, sizeof(text) - n, below(4) ? "/%s_%u" : "/%s",
				      words[below(ARRAY_LEN(words))], (unsigned)zipf_below(100000));
	return text;
}

static void put_code(void)
{
	char text[64];
	put_object(&scratch, "code", 3);
	put_counted(&scratch, "name");
	snprintf(text, sizeof(text), "method_%u", (unsigned)zipf_below(4000));
	put_str(&scratch, text);
	put_counted(&scratch, "file");
	put_str(&scratch, text_random());
	put_counted(&scratch, "line");
	put_int(&scratch, (int64_t)below(2000));
}

static void put_ref(uint32_t value)
{
	strbuf_addc(&scratch, VALUE_REF);
	strbuf_add_varint(&scratch, value);
}

static void args_import(void)
{
	char name[64];
	put_container(&scratch, VALUE_TUPLE, 5, 5);
	snprintf(name, sizeof(name), "package_%u.module_%u", (unsigned)zipf_below(400),
		 (unsigned)below(400));
	put_str(&scratch, name);
	strbuf_addc(&scratch, VALUE_NONE);
	put_ref(path_list);
	put_ref(finders);
	put_ref(hooks);
}

static void args_open(void)
{
	put_container(&scratch, VALUE_TUPLE, 3, 3);
	put_str(&scratch, text_random());
	put_str(&scratch, below(4) ? "r" : "w");
	put_int(&scratch, 524288);
}

static void args_exec(void)
{
	put_container(&scratch, VALUE_TUPLE, 1, 1);
	put_code();
}

static void args_marshal(void)
{
	put_container(&scratch, VALUE_TUPLE, 1, 1);
	strbuf_addc(&scratch, VALUE_BYTES_CUT);
	strbuf_add_varint(&scratch, 3000 + below(20000));
	strbuf_add_varint(&scratch, 256);
	for (int i = 0; i < 256; i++) /* a .pyc is half structure, half random */
		strbuf_addc(&scratch, (char)(i % 3 == 0 ? below(256) : below(6)));
}

static void args_path(void)
{
	put_container(&scratch, VALUE_TUPLE, 1, 1);
	put_str(&scratch, text_random());
}

static void args_connect(void)
{
	put_container(&scratch, VALUE_TUPLE, 2, 2);
	put_object(&scratch, "socket.socket", 2);
	put_counted(&scratch, "fd");
	put_int(&scratch, (int64_t)below(200));
	put_counted(&scratch, "family");
	put_int(&scratch, 2);
	put_container(&scratch, VALUE_TUPLE, 2, 2);
	put_str(&scratch, "127.0.0.1");
	put_int(&scratch, 1024 + (int64_t)below(60000));
}

static void args_popen(void)
{
	put_container(&scratch, VALUE_TUPLE, 4, 4);
	put_str(&scratch, "/usr/bin/python3");
	put_container(&scratch, VALUE_LIST, 3, 3);
	put_str(&scratch, "/usr/bin/python3");
	put_str(&scratch, "-c");
	put_str(&scratch, text_random());
	strbuf_addc(&scratch, VALUE_NONE);
	strbuf_addc(&scratch, VALUE_NONE);
}

static void args_getframe(void)
{
	put_container(&scratch, VALUE_TUPLE, 1, 1);
	put_object(&scratch, "frame", 1);
	put_counted(&scratch, "line");
	put_int(&scratch, (int64_t)zipf_below(2000));
}

static void args_setattr(void)
{
	char name[32];
	put_container(&scratch, VALUE_TUPLE, 3, 3);
	put_object(&scratch, "type", 1);
	put_counted(&scratch, "name");
	snprintf(name, sizeof(name), "Class%u", (unsigned)zipf_below(3000));
	put_str(&scratch, name);
	put_str(&scratch, "__code__");
	put_int(&scratch, (int64_t)zipf_below(9));
}

static const struct {
	const char *name;
	unsigned weight, n_objects;
	void (*args)(void);
} shapes[] = {
	{ "import", 225, 0, args_import },
	{ "exec", 185, 1, args_exec },
	{ "open", 170, 0, args_open },
	{ "marshal.loads", 90, 0, args_marshal },
	{ "os.listdir", 40, 0, args_path },
	{ "compile", 25, 0, args_path },
	{ "sys._getframe", 110, 1, args_getframe },
	{ "object.__setattr__", 90, 1, args_setattr },
	{ "socket.connect", 25, 1, args_connect },
	{ "subprocess.Popen", 6, 0, args_popen },
	{ "os.remove", 14, 0, args_path },
	{ "os.scandir", 10, 0, args_path },
	{ "tempfile.mkdtemp", 5, 0, args_path },
	{ "shutil.rmtree", 5, 0, args_path },
};
static struct {
	VEC(uint32_t) args;
} pools[ARRAY_LEN(shapes)];

/* The probability that something is new after n events, if distinct(465 000) = 465 000 * at_465k
 * and distinct(n) grows as n^0.684. */
static double fresh_rate(double at_465k)
{
	double n = n_done < 1000 ? 1000 : (double)n_done;
	double rate = 0.684 * at_465k * pow(n / 465000, -0.316);
	return rate > 0.6 ? 0.6 : rate;
}

static struct past event_new(void)
{
	unsigned sum = 0, pick, shape = 0;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		sum += shapes[i].weight;
	pick = (unsigned)below(sum);
	while (pick >= shapes[shape].weight)
		pick -= shapes[shape++].weight;
	/* half of the events are replayed, so new ones must be twice as frequent here */
	bool fresh_args = !pools[shape].args.n || uniform() < 2 * fresh_rate(0.17);
	bool fresh_stack = !stacks.n || uniform() < 2 * fresh_rate(0.10);
	struct past p = { .name = add_string(w, shapes[shape].name),
			  .n_objects = shapes[shape].n_objects };
	if (fresh_args) {
		strbuf_clear(&scratch);
		shapes[shape].args();
		p.args = writer_value(w, scratch.s, scratch.n);
		if (!vec_push(&pools[shape].args, p.args))
			abort();
	} else {
		p.args =
		    pools[shape].args.v[pools[shape].args.n - 1 - zipf_below(pools[shape].args.n)];
	}
	p.stack = fresh_stack ? stack_new() : stacks.v[stacks.n - 1 - zipf_below(stacks.n)];
	return p;
}

static void past_write(const struct past *p, uint32_t thread, const uint64_t *addresses)
{
	struct event_info e = { .time_ns = time_ns,
				.name = p->name,
				.thread = thread,
				.args = p->args,
				.stack = p->stack,
				.n_objects = p->n_objects,
				.objects = addresses };
	writer_event(w, &e);
	history[n_done++ % HISTORY] = *p;
}

static void event_write(const struct past *p, uint32_t thread)
{
	uint64_t addresses[8];
	for (uint32_t i = 0; i < p->n_objects; i++) {
		uint64_t *recent = &recent_addresses[zipf_below(64)];
		if (below(2))
			*recent = 0x7f3a20000000ull + below(1u << 20) * 16;
		addresses[i] = *recent;
	}
	past_write(p, thread, addresses);
	double u = uniform();
	time_ns += (uint64_t)(exp(10.3 + 1.2 * (u + uniform() + uniform() - 1.5) * 2) +
			      (below(2000) == 0 ? 3e8 * u : 0));
}

/* ---- material from a real capture ---- */

static void value_copy(struct trace *t, struct value_iter *it, const struct value_node *n,
		       const char *suffix, uint32_t *n_objects)
{
	struct value_node child;
	if (n->n_attr_bytes || n->attr) {
		strbuf_add_varint(&scratch, n->n_attr_bytes);
		strbuf_add(&scratch, n->attr, n->n_attr_bytes);
	}
	/* without the event's slots only an OBJECT_AT has an address */
	strbuf_addc(&scratch, (char)(n->address ? VALUE_OBJECT_AT : n->tag));
	switch (n->tag) {
	case VALUE_INT:
		strbuf_add_varint(&scratch, ((uint64_t)n->i << 1) ^ (uint64_t)(n->i >> 63));
		break;
	case VALUE_BIGINT:
		strbuf_addc(&scratch, (char)n->negative);
		strbuf_add_varint(&scratch, n->n_bytes);
		strbuf_add(&scratch, n->bytes, n->n_bytes);
		break;
	case VALUE_FLOAT: strbuf_add(&scratch, &n->real, 8); break;
	case VALUE_COMPLEX:
		strbuf_add(&scratch, &n->real, 8);
		strbuf_add(&scratch, &n->imag, 8);
		break;
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		strbuf_add_varint(&scratch, n->full);
		__attribute__((fallthrough));
	case VALUE_STR:
	case VALUE_BYTES:
	case VALUE_BYTEARRAY: {
		bool fresh = suffix && n->tag == VALUE_STR && n->n_bytes > 4 && n->depth == 1;
		strbuf_add_varint(&scratch, n->n_bytes + (fresh ? strlen(suffix) : 0));
		strbuf_add(&scratch, n->bytes, n->n_bytes);
		if (fresh)
			strbuf_adds(&scratch, suffix);
		break;
	}
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_SET:
	case VALUE_FROZENSET:
	case VALUE_DICT:
		strbuf_add_varint(&scratch, n->full);
		strbuf_add_varint(&scratch,
				  n->tag == VALUE_DICT ? n->n_children / 2 : n->n_children);
		for (uint32_t i = 0; i < n->n_children && value_iter_next(it, &child); i++)
			value_copy(t, it, &child, suffix, n_objects);
		break;
	case VALUE_OBJECT:
		if (n->address)
			strbuf_add(&scratch, &n->address, sizeof(n->address));
		else
			++*n_objects;
		strbuf_add_varint(&scratch, n->n_bytes);
		strbuf_add(&scratch, n->bytes, n->n_bytes);
		strbuf_add_varint(&scratch, n->n_children);
		for (uint32_t i = 0; i < n->n_children && value_iter_next(it, &child); i++)
			value_copy(t, it, &child, suffix, n_objects);
		break;
	default: break;
	}
}

static uint32_t args_copy(struct trace *t, uint32_t args, const char *suffix, uint32_t *n_objects)
{
	struct value_iter it;
	struct value_node n;
	*n_objects = 0;
	strbuf_clear(&scratch);
	value_iter_init(&it, t, args, NULL, 0);
	if (!value_iter_next(&it, &n))
		return 0;
	value_copy(t, &it, &n, suffix, n_objects);
	return writer_value(w, scratch.s, scratch.n);
}

static uint32_t stack_copy(struct trace *t, uint32_t stack, uint32_t line_shift)
{
	uint32_t frames[256], n = trace_stack_frames(t, stack, frames, 256), copy = 0;
	for (uint32_t i = n < 256 ? n : 256; i-- > 0;) {
		struct frame_info f;
		size_t length;
		trace_frame(t, frames[i], &f);
		const char *s = trace_string(t, f.function, &length);
		f.function = f.function ? writer_string(w, s, length) : 0;
		s = trace_string(t, f.file, &length);
		f.file = f.file ? writer_string(w, s, length) : 0;
		s = trace_string(t, f.module, &length);
		f.module = f.module ? writer_string(w, s, length) : 0;
		if (i < 3)
			f.line += line_shift;
		copy = writer_stack(w, copy, writer_frame(w, &f));
	}
	return copy;
}

/* Run through the real events repeatedly, from a random place each time, until there are enough. */
static void resample(const char *real)
{
	struct trace *t;
	must(trace_open(real, NULL, &t));
	uint64_t n_real = trace_n_events(t), *real_ns = calloc(n_real, sizeof(uint64_t));
	VEC(uint64_t) addresses = { 0 };
	uint64_t *first_address = calloc(n_real, sizeof(uint64_t)), moved = 0;
	for (uint64_t i = 0; i < n_real; i++) {
		struct event e;
		struct past p;
		size_t n;
		trace_event(t, i, &e);
		real_ns[i] = e.time_ns;
		const char *name = trace_name(t, e.name, &n);
		p.name = writer_string(w, name, n);
		p.args = args_copy(t, e.args, NULL, &p.n_objects);
		p.stack = stack_copy(t, e.stack, 0);
		uint32_t n_objects;
		const uint64_t *objects = trace_event_objects(t, i, &n_objects);
		first_address[i] = addresses.n;
		for (uint32_t k = 0; k < p.n_objects; k++)
			if (!vec_push(&addresses, k < n_objects ? objects[k] : 0))
				abort();
		if (!vec_push(&material, p))
			abort();
		if (i % 4096 == 0)
			trace_trim(t);
	}
	uint32_t serial = 0;
	double args_due = 0, stacks_due = 0;
	for (uint64_t at = 0; n_done < n_wanted; at++) {
		if (at == n_real || (n_done > n_real && below(3000) == 0))
			at = below(n_real), moved = below(1u << 20)
						    << 12; /* another process: other addresses */
		struct past p = material.v[at];
		/* the rest is carried over: not every event has a text to change, or a stack */
		args_due += n_done >= n_real ? fresh_rate(0.17) : 0;
		stacks_due += n_done >= n_real ? fresh_rate(0.10) : 0;
		if (uniform() < args_due || uniform() < stacks_due) {
			struct event e;
			char suffix[24];
			trace_event(t, at, &e);
			snprintf(suffix, sizeof(suffix), "-%u", ++serial);
			if (uniform() < args_due) {
				p.args = args_copy(t, e.args, suffix, &p.n_objects);
				args_due -= p.args != material.v[at].args;
			}
			if (uniform() < stacks_due) {
				p.stack = stack_copy(t, e.stack, 1 + (uint32_t)zipf_below(500));
				stacks_due -= p.stack != material.v[at].stack;
			}
			if (serial % 256 == 0)
				trace_trim(t);
		}
		uint64_t objects[8];
		p.n_objects = p.n_objects < 8 ? p.n_objects : 8;
		for (uint32_t i = 0; i < p.n_objects; i++)
			objects[i] = addresses.v[first_address[at] + i] + moved;
		past_write(&p, 0, objects);
		if (at && real_ns[at] > real_ns[at - 1] &&
		    real_ns[at] - real_ns[at - 1] < 1000000000)
			time_ns += (real_ns[at] - real_ns[at - 1]) * (900 + below(200)) / 1000;
	}
	free(real_ns);
	free(first_address);
	vec_fini(&addresses);
	trace_close(t);
}

static void synthesise(void)
{
	uint32_t process = 0, thread = 0, n_threads = 1;
	while (n_done < n_wanted) {
		if (n_done > 1000 && below(2)) { /* repeat earlier events */
			uint64_t span = n_done < HISTORY ? n_done : HISTORY, back = 1 + below(span),
				 n = 20 + below(60);
			for (uint64_t i = 0; i < n && i < back && n_done < n_wanted; i++) {
				struct past p = history[(n_done - back) % HISTORY];
				event_write(&p, thread);
			}
		} else {
			for (uint64_t n = 20 + below(60); n && n_done < n_wanted; n--) {
				struct past p = event_new();
				event_write(&p, thread);
			}
		}
		if (below(40) == 0) {
			struct process_info p = { .pid = 5000 + process,
						  .ns_pid = 5000 + process,
						  .ppid = 5000,
						  .start_ns = time_ns,
						  .python_hex = 0x030b02f0,
						  .exit_status = -1,
						  .name = add_string(w, "worker.py") };
			process = writer_process(w, &p);
			struct thread_info th = { .process = process,
						  .tid = p.pid,
						  .name = add_string(w, "MainThread") };
			thread = writer_thread(w, &th);
			n_threads = thread + 1;
		} else if (below(8) == 0) {
			thread = n_threads > 3 ? n_threads - 1 - (uint32_t)below(3) : 0;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: generate N_EVENTS OUT.avc [SEED] [REAL.avc]\n");
		return 2;
	}
	n_wanted = strtoull(argv[1], NULL, 10);
	rng = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct writer_options o = { .wall_anchor_ns = 1790000000000000000u, .creator = "generate" };
	must(writer_open(argv[2], &o, &w));
	struct process_info p = { .pid = 5000,
				  .ns_pid = 5000,
				  .python_hex = 0x030b02f0,
				  .exit_status = -1,
				  .name = add_string(w, "-m pytest") };
	writer_process(w, &p);
	struct thread_info th = { .process = 0, .tid = 5000, .name = add_string(w, "MainThread") };
	writer_thread(w, &th);
	put_container(&scratch, VALUE_LIST, 5, 5);
	for (int i = 0; i < 5; i++)
		put_str(&scratch, i ? "/usr/lib/python3.11/site-packages" : "/srv/project");
	path_list = writer_value(w, scratch.s, scratch.n);
	strbuf_clear(&scratch);
	put_container(&scratch, VALUE_LIST, 2, 2);
	put_str(&scratch, "<class '_frozen_importlib.BuiltinImporter'>");
	put_str(&scratch, "<class '_frozen_importlib_external.PathFinder'>");
	finders = writer_value(w, scratch.s, scratch.n);
	hooks = finders;
	if (argc > 4)
		resample(argv[4]);
	else
		synthesise();
	must(writer_close(w));
	struct stat st;
	uint64_t n_bytes = stat(argv[2], &st) == 0 ? (uint64_t)st.st_size : 0;
	printf("%llu events, %llu bytes, %.2f B/event, %zu distinct stacks in events\n",
	       (unsigned long long)n_done, (unsigned long long)n_bytes,
	       (double)n_bytes / (double)n_done, stacks.n);
	return 0;
}
