/*
 * event_text: the columns as text. Text that the screen cuts ends in "…"; what the capture lacks is
 * marked [cut].
 */
#include "ui/event_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/gist.h"
#include "model/value_text.h"
#include "ui/text.h"
#include "ui/view.h"

void text_string(struct strbuf *to, struct trace *t, uint32_t string)
{
	size_t n;
	const char *s = trace_string(t, string, &n);
	utf8_escape(to, s, n, 0);
}

void text_program(struct strbuf *to, struct trace *t, uint32_t string)
{
	struct strbuf b = { 0 };
	text_string(&b, t, string);
	for (size_t i = 0; i < b.n; i++) {
		strbuf_addc(to, b.s[i]);
		if (b.s[i] == '\\' && i + 1 < b.n && b.s[i + 1] == '\\')
			i++;
	}
	strbuf_fini(&b);
}

void text_duration(struct strbuf *to, uint64_t ns)
{
	double v = (double)ns;
	const char *unit = "ns";
	if (ns >= 60000000000u) {
		text_age(to, ns);
		return;
	}
	if (ns >= 1000000000u) {
		v /= 1e9;
		unit = "s";
	} else if (ns >= 10000) { /* from 0.01 ms up, milliseconds are easiest to read */
		v /= 1e6;
		unit = "ms";
	} else if (ns >= 1000) {
		v /= 1e3;
		unit = "µs";
	}
	if (v >= 9.95 || ns < 1000)
		strbuf_addf(to, "%.0f %s", v, unit);
	else if (v >= 0.995)
		strbuf_addf(to, "%.1f %s", v, unit);
	else
		strbuf_addf(to, "%.2f %s", v, unit);
}

void text_span(struct strbuf *to, uint64_t ns, bool is_ticked)
{
	if (is_ticked && ns < PROCESS_TICK_NS)
		strbuf_adds(to, tr("within 10 ms"));
	else if (is_ticked)
		text_duration(to, trace_tick_round(ns));
	else
		text_duration(to, ns);
}

void text_bytes(struct strbuf *to, uint64_t n)
{
	if (n < 10000)
		strbuf_addf(to, "%llu B", (unsigned long long)n);
	else if (n < 999500)
		strbuf_addf(to, "%.0f kB", (double)n / 1e3);
	else if (n < 999500000)
		strbuf_addf(to, "%.1f MB", (double)n / 1e6);
	else
		strbuf_addf(to, "%.1f GB", (double)n / 1e9);
}

void text_number_of(struct strbuf *to, uint64_t n, const char *one, const char *many)
{
	strbuf_add_count(to, n);
	strbuf_addf(to, " %s", n == 1 ? one : many);
}

void text_count(struct strbuf *to, uint64_t n, int limit)
{
	if (n == 0) {
		strbuf_adds(to, "·");
		return;
	}
	struct strbuf full = { 0 };
	strbuf_add_count(&full, n);
	if ((int)full.n <= limit)
		strbuf_adds(to, strbuf_str(&full));
	else if (n < 1000000)
		strbuf_addf(to, "%.0fk", (double)n / 1e3);
	else if (n < 10000000)
		strbuf_addf(to, "%.1fM", (double)n / 1e6);
	else if (n < 1000000000)
		strbuf_addf(to, "%.0fM", (double)n / 1e6);
	else
		strbuf_addf(to, "%.1fG", (double)n / 1e9);
	strbuf_fini(&full);
}

void text_age(struct strbuf *to, uint64_t ns)
{
	unsigned long long s = ns / 1000000000u;
	if (s < 60)
		strbuf_addf(to, "%llus", s);
	else if (s < 3600)
		strbuf_addf(to, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		strbuf_addf(to, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		strbuf_addf(to, "%llud", s / 86400);
}

void text_bar(struct strbuf *to, double share, int cells)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int n = (int)lround(share * cells * 8);
	if (n == 0 && share > 0)
		n = 1;
	if (n > cells * 8)
		n = cells * 8;
	for (int i = 0; i < n / 8; i++)
		strbuf_adds(to, "█");
	strbuf_adds(to, eighths[n % 8]);
}

void text_spark(struct strbuf *to, const uint32_t *bins, uint32_t n, uint32_t max)
{
	static const char *const levels[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	for (uint32_t i = 0; i < n; i++) {
		int level = 0;
		if (bins[i] && max) {
			level = (int)ceil(sqrt((double)bins[i] / max) * 8);
			level = level < 1 ? 1 : level > 8 ? 8 : level;
		}
		strbuf_adds(to, levels[level]);
	}
}

/* ---- when, who, what ---- */

int event_text_time_width(const struct view *s, enum time_mode mode, int decimals)
{
	if (mode == TIME_CLOCK)
		return 9 + decimals;
	unsigned long long seconds = trace_about_get(s->trace)->last_ns / 1000000000u;
	int digits = 3;
	for (unsigned long long limit = 1000; seconds >= limit && digits < 9; limit *= 10)
		digits++;
	return digits + 1 + decimals;
}

void event_text_time(struct strbuf *to, const struct view *s, uint64_t time_ns, uint64_t before_ns,
		     enum time_mode mode, int decimals)
{
	uint64_t unit = 1000000000u;
	for (int i = 0; i < decimals; i++)
		unit /= 10;
	if (mode == TIME_CLOCK) {
		uint64_t wall = trace_about_get(s->trace)->wall_anchor_ns + time_ns;
		time_t seconds = (time_t)(wall / 1000000000u);
		struct tm tm;
		localtime_r(&seconds, &tm);
		strbuf_addf(to, "%02d:%02d:%02d.%0*llu", tm.tm_hour, tm.tm_min, tm.tm_sec, decimals,
			    (unsigned long long)(wall % 1000000000u / unit));
		return;
	}
	const char *sign = "";
	if (mode == TIME_DELTA) {
		sign = time_ns >= before_ns ? "+" : "-";
		time_ns = time_ns >= before_ns ? time_ns - before_ns : before_ns - time_ns;
	}
	strbuf_addf(to, "%s%llu.%0*llu", sign, (unsigned long long)(time_ns / 1000000000u),
		    decimals, (unsigned long long)(time_ns % 1000000000u / unit));
}

void event_text_thread(struct strbuf *to, const struct view *s, uint32_t thread, int limit)
{
	const struct thread_info *info = trace_thread(s->trace, thread);
	size_t n = 0;
	const char *name = info ? trace_string(s->trace, info->name, &n) : "";
	if (!info)
		strbuf_adds(to, "??");
	else if (n == 0) {
		const struct process_info *p = trace_process(s->trace, info->process);
		if (p && p->pid == info->tid)
			strbuf_adds(to, "main");
		else
			strbuf_add_u64(to, info->tid);
	} else if (n == 10 && !memcmp(name, "MainThread", n)) {
		strbuf_adds(to, "main");
	} else {
		/* in a narrow column, "Thread-7 (work)" becomes "T-7" */
		char shown[96];
		const char *paren = memchr(name, '(', n);
		if (n > 7 && !memcmp(name, "Thread-", 7) && paren && paren > name + 8)
			n = (size_t)(paren - 1 - name);
		if (n > 7 && !memcmp(name, "Thread-", 7) && (limit < 8 || (int)n > limit))
			snprintf(shown, sizeof(shown), (int)n - 5 > limit ? "T%.*s" : "T-%.*s",
				 (int)(n - 7), name + 7);
		else
			snprintf(shown, sizeof(shown), "%.*s", (int)n, name);
		struct strbuf safe = { 0 };
		utf8_escape(&safe, shown, strlen(shown), 0);
		text_cut(to, strbuf_str(&safe), safe.n, limit, false);
		strbuf_fini(&safe);
	}
}

void event_text_name(struct strbuf *to, const struct view *s, uint32_t name)
{
	size_t n;
	const char *text = trace_name(s->trace, name, &n);
	if (n == 0)
		strbuf_adds(to, name ? "\"\"" : "??");
	else
		utf8_escape(to, text, n, 0);
}

/* ---- with what ---- */

enum { ARGS_MAX = 64 };

struct arg_node {
	struct value_node v;
	struct value_iter it; /* it is after the node */
	const char *was;      /* of struct argument */
	size_t n_was;
	char name[48];
};

/* Read an event's arguments, at most ARGS_MAX of them; *ret_total is how many there are. They are
 * borrowed until the next trim. */
static uint32_t read_args(struct view *s, const struct event *e, struct arg_node *args,
			  uint32_t *ret_total)
{
	struct arguments all;
	struct argument arg;
	*ret_total = 0;
	if (!e->args)
		return 0;
	arguments_init(&all, s->trace, e);
	*ret_total = all.n;
	uint32_t n = 0;
	while (n < ARGS_MAX && arguments_next(&all, &arg)) {
		args[n].v = arg.value;
		args[n].it = all.it;
		args[n].was = arg.was;
		args[n].n_was = arg.n_was;
		snprintf(args[n].name, sizeof(args[n].name), "%.*s", (int)arg.n_name, arg.name);
		n++;
		arguments_skip(&all, &arg);
	}
	return n;
}

/* Where an event comes from that is not in the catalogue. Returns the cells used. */
static int add_origin(struct strbuf *to, const struct name_facts *f)
{
	const char *word = f->event ? "" : f->is_own ? EVENT_TEXT_OWN : "[unknown] ";
	strbuf_adds(to, word);
	return (int)strlen(word);
}

void event_text_gist(struct strbuf *to, struct view *s, const struct event *e, int limit)
{
	if (limit <= 0)
		return;
	int used = 0;
	used = add_origin(to, view_name(s, e->name));
	if (limit > used)
		gist_add_event(to, s->trace, e, (size_t)(limit - used));
}

/* Append "name=value", cut to `room` cells. */
static void cut_arg(struct strbuf *to, const struct strbuf *one, bool is_text, int room)
{
	enum { VALUE_LEAST = 10 };
	const char *text = strbuf_str(one), *value = strchr(text, '=');
	size_t n_name = value ? (size_t)(value - text) + 1 : 0;
	int name_w = text_width(text, n_name);
	if (is_text && value && room - name_w >= VALUE_LEAST && text_is_path(value)) {
		strbuf_add(to, text, n_name);
		text_cut(to, value + 1, one->n - n_name, room - name_w, true);
	} else {
		text_cut(to, text, one->n, room, false);
	}
}

/* Does the gist of an event show one of its n arguments that is not drawn? n_shown of them are,
 * which begin with number `first`. */
static bool hides_gist(const struct catalog_event *c, const struct arg_node *args, uint32_t n,
		       uint32_t first, uint32_t n_shown)
{
	bool is_instead = false; /* of a part that the gist shows */
	for (uint32_t i = 0; c && i < c->n_gist; i++) {
		const struct catalog_gist_part *part = &c->gist_parts[i];
		bool has = part->kind == GIST_ARG && part->arg < n &&
			   args[part->arg].v.tag != VALUE_NONE;
		if (has && !is_instead && (part->arg + n - first) % n >= n_shown)
			return true;
		is_instead = part->or_next && (has || is_instead);
	}
	return false;
}

void event_text_args(struct strbuf *to, struct view *s, const struct event *e, int limit)
{
	struct arg_node args[ARGS_MAX];
	uint32_t total, n = read_args(s, e, args, &total);
	const struct name_facts *f = view_name(s, e->name);
	size_t n_before = to->n;
	int used = 0;
	used = add_origin(to, f);
	/* `self` is the least informative argument: if room is short, it goes last. */
	uint32_t first = 0;
	if (n > 1 && limit < 60 && args[0].v.tag == VALUE_OBJECT && !strcmp(args[0].name, "self"))
		first = 1;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = (k + first) % n;
		struct strbuf one = { 0 };
		utf8_escape(&one, args[i].name, strlen(args[i].name), 0);
		strbuf_addc(&one, '=');
		struct value_iter it = args[i].it;
		unsigned reading = args[i].v.tag == VALUE_INT ? catalog_arg_reading(f->event, i)
							      : READING_VALUE;
		if (reading != READING_VALUE)
			gist_add_value(&one, &it, &args[i].v, reading);
		else
			value_text_literal(&one, &it, &args[i].v,
					   (size_t)(limit > 0 ? limit : 1) * 4 + 256);
		if (args[i].was)
			gist_add_was(&one, args[i].was, args[i].n_was);
		int w = text_width(strbuf_str(&one), one.n);
		uint32_t left = total - k - 1;
		char more[16];
		int more_width = left ? snprintf(more, sizeof(more), " …+%u", left) - 2 : 0;
		int gap = k ? 1 : 0;
		if (used + gap + w + more_width <= limit ||
		    (left == 0 && used + gap + w <= limit)) {
			if (gap)
				strbuf_addc(to, ' ');
			strbuf_add(to, strbuf_str(&one), one.n);
			used += gap + w;
		} else if (limit - used - gap >= 9 || k == 0) {
			if (gap)
				strbuf_addc(to, ' ');
			cut_arg(to, &one, args[i].v.tag == VALUE_STR, limit - used - gap);
			strbuf_fini(&one);
			if (hides_gist(f->event, args, n, first, k + 1))
				break;
			return;
		} else if (hides_gist(f->event, args, n, first, k)) {
			strbuf_fini(&one);
			break;
		} else {
			snprintf(more, sizeof(more), " …+%u", total - k);
			if (used + (int)strlen(more) - 2 <= limit)
				strbuf_adds(to, more);
			strbuf_fini(&one);
			return;
		}
		strbuf_fini(&one);
		if (k + 1 == n)
			return;
	}
	if (!n)
		return;
	/* what matters most has no room beside its name: all rows would look the same */
	strbuf_cut(to, n_before);
	event_text_gist(to, s, e, limit);
}

/* ---- from where ---- */

/* Find the frame that the caller column names. *ret_is_library: no frame is the user's own. Returns
 * false if there is no stack. */
static bool event_caller_frame(struct view *s, const struct event *e, struct frame_info *ret,
			       bool *ret_is_library)
{
	uint32_t frame = trace_caller(s->trace, e->stack);
	*ret_is_library = frame == 0;
	if (frame)
		return trace_frame(s->trace, frame, ret);
	/* use the innermost Python frame instead */
	uint32_t node = e->stack, parent;
	for (int i = 0; node && i < 4096; i++, node = parent) {
		if (!trace_stack(s->trace, node, &parent, &frame) ||
		    !trace_frame(s->trace, frame, ret))
			return false;
		if (ret->kind == FRAME_PYTHON &&
		    trace_frame_origin(s->trace, frame) != FRAME_ORIGIN_IMPORT)
			return true;
	}
	return false;
}

void text_place(struct strbuf *to, struct view *s, const struct frame_info *f)
{
	if (f->kind == FRAME_NATIVE)
		text_string(to, s->trace, f->module);
	else
		file_names_text(to, &s->files, s->trace, f->file);
	if (f->line)
		strbuf_addf(to, ":%u", f->line);
}

void event_text_caller(struct strbuf *to, struct view *s, const struct event *e, bool function)
{
	struct frame_info f;
	bool library;
	if (!e->stack || !event_caller_frame(s, e, &f, &library))
		return;
	if (library) {
		strbuf_addc(to, '(');
		text_place(to, s, &f);
		strbuf_addc(to, ')');
		return;
	}
	text_place(to, s, &f);
	if (!function)
		return;
	size_t n;
	const char *name = trace_string(s->trace, f.function, &n);
	size_t base = n; /* the last part of a qualified name */
	while (base > 0 && name[base - 1] != '.')
		base--;
	strbuf_addc(to, ' ');
	utf8_escape(to, name + base, n - base, 0);
}

void event_text_line(struct strbuf *to, struct view *s, const struct event *e)
{
	event_text_time(to, s, e->time_ns, 0, TIME_START, 6);
	strbuf_addc(to, ' ');
	event_text_thread(to, s, e->thread, 64);
	strbuf_addc(to, ' ');
	event_text_name(to, s, e->name);
	strbuf_addc(to, ' ');
	event_text_args(to, s, e, 1 << 20);
	strbuf_adds(to, "  ");
	event_text_caller(to, s, e, true);
}

void text_note(struct strbuf *to, struct view *s, const struct trace_note *n)
{
	const struct note_info *i = &n->note;
	const struct process_info *p = trace_process(s->trace, i->process);
	struct strbuf who = { 0 };
	if (p) {
		text_program(&who, s->trace, p->name);
		strbuf_addf(&who, "%s(%u)", who.n ? " " : "", p->pid);
	}
	switch (i->kind) {
	case NOTE_LOST:
		text_number_of(to, i->a, tr("event"), tr("events"));
		if (i->b) {
			strbuf_adds(to, tr(" in "));
			text_duration(to, i->b);
		}
		if (!i->text) /* a capture of an older format */
			strbuf_adds(to, tr(": the ring was full (--may-drop)"));
		break;
	case NOTE_EXITED:
		strbuf_adds(to, strbuf_str(&who));
		if ((int)i->a < 0)
			strbuf_adds(to, tr(" has ended"));
		else if (WIFSIGNALED((int)i->a))
			strbuf_addf(to, tr(" killed by %s"), strsignal(WTERMSIG((int)i->a)));
		else
			strbuf_addf(to, tr(" exited with status %d"), WEXITSTATUS((int)i->a));
		break;
	case NOTE_ATTACHED: strbuf_addf(to, tr("attached to %s"), strbuf_str(&who)); break;
	case NOTE_DETACHED: strbuf_addf(to, tr("detached from %s"), strbuf_str(&who)); break;
	case NOTE_PAUSED: strbuf_adds(to, tr("tracing paused")); break;
	case NOTE_RESUMED: strbuf_adds(to, tr("tracing resumed")); break;
	case NOTE_EXEC: strbuf_addf(to, tr("%s became another program"), strbuf_str(&who)); break;
	case NOTE_FINALISED:
		strbuf_addf(to, tr("%s: the interpreter is gone"), strbuf_str(&who));
		break;
	case NOTE_MESSAGE:
	case NOTE_WARNING:
	case NOTE_GOODBYE:
	case NOTE_COUNTED:
	case NOTE_KIND_COUNT: break;
	}
	if (i->text) {
		if (to->n && i->kind != NOTE_MESSAGE && i->kind != NOTE_WARNING &&
		    i->kind != NOTE_GOODBYE)
			strbuf_adds(to, ": ");
		text_string(to, s->trace, i->text);
	}
	strbuf_fini(&who);
}

void event_text_pid(struct strbuf *to, struct view *s, uint32_t process)
{
	size_t n;
	const char *host = trace_process_host(s->trace, process, &n);
	if (trace_n_hosts(s->trace)) {
		utf8_escape(to, n ? host : "unknown", n ? n : 7, 0);
		strbuf_addc(to, ':');
	}
	strbuf_addf(to, "%u", trace_process(s->trace, process)->pid);
}

void event_text_process_filter(struct strbuf *to, struct view *s, uint32_t process)
{
	size_t n;
	const char *host = trace_process_host(s->trace, process, &n);
	strbuf_addf(to, "pid == %u", trace_process(s->trace, process)->pid);
	if (!trace_n_hosts(s->trace))
		return;
	strbuf_adds(to, n ? " and host == " : " and not host");
	if (n)
		filter_quote(to, host, n);
}
