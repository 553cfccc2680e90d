/*
 * screen: the time from a key to the screen that answers it, measured from outside: the real
 * program on a pseudo-terminal.
 *
 *     screen AUDITVIEW CAPTURE                       view a capture
 *     screen AUDITVIEW --live PYTHON TARGET.py       launch a target that raises about 100 k events
 *     a second, and view it
 *     screen AUDITVIEW --grow SECONDS PYTHON TARGET.py    the same for that time; memory and
 *     response times every ten seconds
 *
 * ONLY=text in the environment measures only the series with the text in their name.
 *
 *   shown    from the write of the key to the last byte of the first burst of output after which
 *            the screen (libvterm) has what that key must bring: another list, the typed letter,
 *            the page with its result or its progress. A burst ends when nothing came for 1 ms. The
 *            terminal's own time is not included.
 *   less     the same without the time in which the program was ready to run and other programs had
 *            the processors (/proc/PID/schedstat): on an idle machine both are equal.
 *   whole    until the program sleeps in poll(2) again and all work is done. Only without a live
 *            target: with one this never happens.
 *
 * Keys come 25 ms apart, as from a key held down, whether or not the work for the previous one is
 * done.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../tui/session.h"

enum { N_KEYS = 200, MAX_KEYS = 1000 };
#define MS     1000000ull
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What must change on the screen. */
enum effect {
	EFFECT_LIST,  /* the lines of the event list differ */
	EFFECT_FOCUS, /* another title is bold */
	EFFECT_BOXES, /* a box is checked or not any more */
	EFFECT_TYPED, /* the text is in one of the last three lines */
	/* the text is in a title rule, and there is something below the head of its table */
	EFFECT_PAGE,
	EFFECT_GONE,    /* the text is not there any more */
	EFFECT_HAS,     /* the text is anywhere */
	EFFECT_CLEARED, /* a complete new screen was sent */
};

struct sample {
	double shown, less;
};

struct series {
	const char *name;
	struct sample v[MAX_KEYS];
	size_t n, n_missing;
	double whole; /* of the last key; -1: unknown */
};

static struct session *s;
static bool live;

/* Find the event list: the lines below its title. */
static bool list_find(int *ret_line, int *ret_column, int *ret_end)
{
	char line[2048];
	for (int y = 0; y < s->n_lines; y++) {
		session_line(s, y, 0, line, sizeof(line));
		char *title = strstr(line, " Events ");
		if (!title)
			continue;
		int column = 0;
		for (const char *p = line; p < title; p++)
			column += ((unsigned char)*p & 0xc0) != 0x80;
		*ret_line = y + 1;
		*ret_column = column > 0 ? column - 1 : 0;
		for (*ret_end = y + 1; *ret_end < s->n_lines - 1; ++*ret_end) {
			session_line(s, *ret_end, *ret_column, line, sizeof(line));
			if (!strncmp(line, "─ ", 4) || !strncmp(line, "━ ", 4))
				break;
		}
		return true;
	}
	return false;
}

/* The part of the screen that an effect is about, as text: the effect has happened when this text
 * changes. */
static char *aspect(enum effect effect)
{
	char *all = calloc(1, 1 << 18), line[2048];
	size_t n = 0;
	int from = 0, column = 0, end = s->n_lines;
	if (effect == EFFECT_LIST && !list_find(&from, &column, &end))
		from = end = 0;
	for (int y = from; y < end; y++) {
		session_line(s, y, column, line, sizeof(line));
		const char *p = line;
		if (effect == EFFECT_FOCUS) {
			for (; *p; p++)
				if (!strncmp(p, "━", 3) || !strncmp(p, "─", 3) ||
				    !strncmp(p, "▌", 3))
					n += (size_t)sprintf(all + n, "%.3s", p);
		} else if (effect == EFFECT_BOXES) {
			while ((p = strchr(p, '[')) && p[1] && p[2] == ']')
				all[n++] = p[1], p++;
		} else {
			n += (size_t)sprintf(all + n, "%s\n", line);
		}
		if (effect != EFFECT_LIST)
			all[n++] = '\n';
	}
	return all;
}

static bool has_come(enum effect effect, const char *before, const char *text, uint64_t cleared)
{
	char line[2048];
	bool found = false;
	switch (effect) {
	case EFFECT_LIST:
	case EFFECT_FOCUS:
	case EFFECT_BOXES: {
		char *now = aspect(effect);
		bool differs = strcmp(now, before) != 0;
		free(now);
		return differs;
	}
	case EFFECT_TYPED:
		for (int y = s->n_lines - 3; y < s->n_lines; y++) {
			session_line(s, y, 0, line, sizeof(line));
			found |= strstr(line, text) != NULL;
		}
		return found;
	case EFFECT_PAGE:
	case EFFECT_GONE:
		for (int y = 0; y < s->n_lines; y++) {
			session_line(s, y, 0, line, sizeof(line));
			found |= strstr(line, text) && (strstr(line, "━") || strstr(line, "─"));
		}
		return found == (effect == EFFECT_PAGE);
	case EFFECT_HAS: return session_has(s, text);
	case EFFECT_CLEARED: return s->n_cleared != cleared;
	}
	return false;
}

static void rest(uint64_t until_ns)
{
	for (uint64_t now; (now = session_clock()) < until_ns && !s->ended;)
		session_pump(s, until_ns - now);
}

struct key {
	const char *bytes;
	int n_lines, n_columns; /* a resize instead */
	enum effect effect;
	const char *text;
};

static void measure(struct series *to, const struct key *k, bool want_whole)
{
	char *before = aspect(k->effect);
	uint64_t cleared = s->n_cleared, ran, waited0, waited1;
	session_cpu(s->pid, &ran, &waited0);
	uint64_t begin = session_clock(), shown = 0;
	if (k->bytes)
		session_send(s, k->bytes, strlen(k->bytes));
	else
		session_resize(s, k->n_lines, k->n_columns);
	while (!shown && session_clock() - begin < 5000 * MS && !s->ended) {
		if (!session_pump(s, 100 * MS) || !has_come(k->effect, before, k->text, cleared))
			continue;
		shown = s->last_ns;
		while (session_pump(s, MS)) /* the rest of the burst */
			shown = s->last_ns;
		session_cpu(s->pid, &ran, &waited1);
	}
	free(before);
	if (!shown) {
		to->n_missing++;
		if (getenv("BENCH_VERBOSE")) {
			char *text = session_text(s);
			fprintf(stderr, "%s: no answer to %s\n%s", to->name,
				k->bytes ? k->bytes : "resize", text);
			free(text);
		}
	} else if (to->n < MAX_KEYS) {
		double ms = (double)(shown - begin) / 1e6,
		       waited = (double)(waited1 - waited0) / 1e6;
		to->v[to->n++] = (struct sample){ ms, waited < ms ? ms - waited : 0 };
	}
	if (want_whole && !live) {
		session_settle(s, 30 * MS, 120000 * MS);
		to->whole = (double)(s->last_ns - begin) / 1e6;
	}
	rest(session_clock() + 25 * MS);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double at(const double *v, size_t n, double share)
{
	size_t i = (size_t)ceil(share * (double)n);
	return n ? v[i ? i - 1 : 0] : 0;
}

static unsigned n_over;

static void report(const struct series *r)
{
	double shown[MAX_KEYS], less[MAX_KEYS];
	for (size_t i = 0; i < r->n; i++) {
		shown[i] = r->v[i].shown;
		less[i] = r->v[i].less;
	}
	qsort(shown, r->n, sizeof(*shown), by_size);
	qsort(less, r->n, sizeof(*less), by_size);
	double p99 = at(less, r->n, 0.99);
	printf("%-24s %5zu  %7.2f %7.2f %7.2f   %7.2f %7.2f %7.2f", r->name, r->n,
	       at(shown, r->n, 0.5), at(shown, r->n, 0.99), at(shown, r->n, 1), at(less, r->n, 0.5),
	       p99, at(less, r->n, 1));
	if (r->whole >= 0)
		printf(" %9.1f", r->whole);
	else
		printf(" %9s", "");
	if (r->n_missing)
		printf("  %zu NEVER SHOWN", r->n_missing);
	n_over += p99 > 16 || r->n_missing;
	printf("%s\n", p99 > 16 ? "  over" : "");
	fflush(stdout);
}

static bool is_wanted(const char *name)
{
	const char *only = getenv("ONLY");
	return !only || strstr(name, only);
}

/* clang-format off */
#define SERIES(label) { .name = (label), .whole = -1 }
/* clang-format on */

static void some(const char *name, const char *const *keys, size_t n_keys, enum effect effect,
		 const char *text)
{
	struct series r = SERIES(name);
	if (!is_wanted(name))
		return;
	for (size_t i = 0; i < N_KEYS; i++) {
		struct key k = { .bytes = keys[i % n_keys], .effect = effect, .text = text };
		measure(&r, &k, i + 1 == N_KEYS);
	}
	report(&r);
}

static void settle(void)
{
	if (live)
		rest(session_clock() + 300 * MS);
	else
		session_settle(s, 50 * MS, 120000 * MS);
}

static void say(const char *keys)
{
	session_send(s, keys, strlen(keys));
	settle();
}

/* Type filters letter by letter, and delete each of them. */
static void filters(const char *name, const char *const *texts, size_t n)
{
	struct series r = SERIES(name);
	if (!is_wanted(name))
		return;
	say("=");
	for (size_t i = 0; r.n + r.n_missing < N_KEYS; i++) {
		const char *text = texts[i % n];
		char typed[256] = "";
		say("f\025"); /* C-u: an empty line */
		for (size_t k = 0; text[k] && r.n + r.n_missing < MAX_KEYS; k++) {
			char letter[2] = { text[k] }, expect[300];
			typed[k] = text[k];
			typed[k + 1] = 0;
			/* spaces at the end are invisible */
			snprintf(expect, sizeof(expect), "filter: %s", typed);
			size_t len = strlen(expect);
			while (len && expect[len - 1] == ' ')
				expect[--len] = 0;
			struct key key = { .bytes = letter,
					   .effect = EFFECT_TYPED,
					   .text = expect };
			if (text[k] == ' ') { /* nothing changes: the filter is the same */
				session_send(s, letter, 1);
				rest(session_clock() + 25 * MS);
				continue;
			}
			measure(&r, &key, !text[k + 1]);
		}
		say("\033");
	}
	report(&r);
	say("=");
}

static void pages(const char *name, const char *key, const char *title)
{
	struct series open = SERIES(name);
	char closing[64];
	snprintf(closing, sizeof(closing), "%s, closed", name);
	struct series close = SERIES(closing);
	if (!is_wanted(name))
		return;
	for (int i = 0; i < N_KEYS; i++) {
		struct key k = { .bytes = key, .effect = EFFECT_PAGE, .text = title };
		measure(&open, &k, i == 0);
		k = (struct key){ .bytes = "q", .effect = EFFECT_GONE, .text = title };
		measure(&close, &k, false);
	}
	report(&open);
	report(&close);
}

/* The first key measures opening while nothing is known yet. */
static void inside_page(const char *name, const char *open, const char *title,
			const char *const *keys, size_t n_keys)
{
	struct series r = SERIES(name);
	if (!is_wanted(name))
		return;
	struct key k = { .bytes = open, .effect = EFFECT_PAGE, .text = title };
	struct series ignored = SERIES("");
	measure(&ignored, &k, false);
	for (size_t i = 0; i < N_KEYS; i++) { /* at once, while the page still works */
		k = (struct key){ .bytes = keys[i % n_keys], .effect = EFFECT_PAGE, .text = title };
		measure(&r, &k, i + 1 == N_KEYS);
	}
	report(&r);
	say("q");
}

static void searches(void)
{
	struct series far = SERIES("search, no hit"), meanwhile = SERIES("Tab while it searches"),
		      again = SERIES("n, far hit");
	if (!is_wanted(far.name))
		return;
	for (int i = 0; i < 20; i++) {
		say("/xyzzy [0-9]+ nowhere");
		struct key k = { .bytes = "\r", .effect = EFFECT_HAS, .text = "searching" };
		measure(&far, &k, i == 0);
		session_send(s, "n", 1);
		rest(session_clock() + 10 * MS);
		for (int j = 0; j < 10; j++) {
			k = (struct key){ .bytes = "\t", .effect = EFFECT_FOCUS };
			measure(&meanwhile, &k, false);
		}
		say("\033\033");
	}
	report(&far);
	report(&meanwhile);
	say("g/worker-99\r");
	for (int i = 0; i < 5; i++) {
		struct key k = { .bytes = i % 2 ? "N" : "n", .effect = EFFECT_LIST };
		measure(&again, &k, true);
	}
	(void)again;
	say("\033g");
}

static void sizes(void)
{
	static const int all[][2] = { { 24, 80 }, { 60, 200 }, { 30, 100 }, { 40, 120 } };
	struct series r = SERIES("resize");
	if (!is_wanted(r.name))
		return;
	for (int i = 0; i < N_KEYS; i++) {
		struct key k = { .n_lines = all[i % 4][0],
				 .n_columns = all[i % 4][1],
				 .effect = EFFECT_CLEARED };
		measure(&r, &k, i + 1 == N_KEYS);
	}
	report(&r);
	settle();
}

#define KEYS(...) (const char *const[]){ __VA_ARGS__ }, LEN(((const char *const[]){ __VA_ARGS__ }))

static void all_series(void)
{
	printf("%-24s %5s  %7s %7s %7s   %7s %7s %7s %9s\n", "", "", "shown", "", "", "less", "",
	       "", "whole");
	printf("%-24s %5s  %7s %7s %7s   %7s %7s %7s %9s\n", "ms from key to screen", "keys", "p50",
	       "p99", "max", "p50", "p99", "max", "last key");
	if (live) { /* that many events are there by then; the list does not move */
		say("k");
		say("\033[5~");
	} else {
		say(":goto 50%\r");
	}
	some("j", KEYS("j"), EFFECT_LIST, NULL);
	some("PgDn", KEYS("\033[6~"), EFFECT_LIST, NULL);
	some("PgUp", KEYS("\033[5~"), EFFECT_LIST, NULL);
	some("Home / End", KEYS("\033OH", "\033OF"), EFFECT_LIST, NULL);
	if (live)
		say("k");
	else
		say(":goto 50%\r");
	some("Tab", KEYS("\t"), EFFECT_FOCUS, NULL);
	say("\033");
	filters("filter, a letter",
		KEYS("event == \"open\" and args.path contains \"module_1\"",
		     "@network or event~mark",
		     "caller.file contains \"module_12\" and thread == \"MainThread\""));
	filters("filter, cold regex",
		KEYS("args ~ /mod[a-z]+_[0-9]*7\\.py/", "stack ~ /function_[0-9]+_1[0-9]/"));
	/* four panes to the right of the list is the tree of categories, if there is one */
	for (int i = 0; i < 5; i++) {
		char *focus;
		say("\t");
		focus = session_text(s);
		bool there = strstr(focus, "━ Categories") != NULL;
		free(focus);
		if (there)
			break;
	}
	some("category on / off", KEYS(" "), EFFECT_BOXES, NULL);
	say("=\033");
	sizes();
	pages("summary", "s", " Summary ");
	inside_page("summary, other group", "s", " Summary ", KEYS("b"));
	pages("call tree", "t", "Callers");
	inside_page("call tree, turned", "t", "Callers", KEYS("t"));
	pages("timeline", "i", " Timeline ");
	inside_page("timeline, cursor", "i", " Timeline ", KEYS("\033OC", "\033OD"));
	if (!live)
		searches();
}

static void start(char *const argv[])
{
	static char home[] = "/tmp/auditview-bench-XXXXXX";
	/* so that we run when there is something to read; the program runs as usual */
	setpriority(PRIO_PROCESS, 0, -5);
	if (!mkdtemp(home) || chdir(home))
		exit(2);
	const char *const env[] = { NULL };
	s = session_start(argv, env, home, 40, 120);
	setpriority(PRIO_PROCESS, (id_t)s->pid, 0);
	if (!session_wait(s, "Events", true, 30000 * MS)) {
		fprintf(stderr, "no screen came\n");
		exit(1);
	}
}

/* Recorder and target are the other processes of the session. */
static pid_t child_of(pid_t parent, int nth)
{
	char path[64], text[4096] = "";
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	char *p = text;
	for (int i = 0; *p; i++) {
		pid_t pid = (pid_t)strtol(p, &p, 10);
		if (i == nth)
			return pid;
		while (*p == ' ')
			p++;
	}
	return 0;
}

static void header_field(const char *name, char *to, size_t size)
{
	char line[2048];
	session_line(s, 0, 0, line, sizeof(line));
	char *at_name = strstr(line, name);
	*to = 0;
	if (!at_name)
		return;
	/* digits in groups of three */
	char *from = at_name;
	while (from > line && ((from[-1] >= '0' && from[-1] <= '9') ||
			       (from[-1] == ' ' && (from < line + 2 || from[-2] != ' '))))
		from--;
	size_t n = 0;
	for (; from < at_name && n + 1 < size; from++)
		if (*from != ' ')
			to[n++] = *from;
	to[n] = 0;
}

static void grow(double seconds)
{
	uint64_t begin = session_clock();
	unsigned round = 0;
	printf("%6s %12s %8s  %10s %10s %10s   keys: worst of 40, ms\n", "s", "events", "lost",
	       "viewer MB", "recorder", "target");
	while ((double)(session_clock() - begin) < seconds * 1e9 && !s->ended) {
		char events[64], lost[64];
		struct series r = SERIES("");
		rest(begin + ++round * 10000 * MS);
		header_field("events", events, sizeof(events));
		header_field("lost", lost, sizeof(lost));
		pid_t recorder = child_of(s->pid, 0), target = child_of(s->pid, 1);
		if (!target)
			target = child_of(recorder, 0);
		while (child_of(target, 0)) /* the process that starts it stays in between */
			target = child_of(target, 0);
		printf("%6.0f %12s %8s  %10.1f %10.1f %10.1f  ",
		       (double)(session_clock() - begin) / 1e9, events, lost,
		       (double)session_rss(s->pid) / 1e6, (double)session_rss(recorder) / 1e6,
		       (double)session_rss(target) / 1e6);
		for (int i = 0; i < 20; i++) { /* stop following, move, follow again */
			struct key k = { .bytes = "\033[5~", .effect = EFFECT_LIST };
			measure(&r, &k, false);
			k = (struct key){ .bytes = "F", .effect = EFFECT_HAS, .text = "following" };
			measure(&r, &k, false);
		}
		double worst = 0, worst_less = 0;
		for (size_t i = 0; i < r.n; i++) {
			worst = r.v[i].shown > worst ? r.v[i].shown : worst;
			worst_less = r.v[i].less > worst_less ? r.v[i].less : worst_less;
		}
		printf(" %.1f (less %.1f)%s\n", worst, worst_less,
		       r.n_missing ? " SOME NEVER SHOWN" : "");
		fflush(stdout);
	}
	/* freeze, pause, resume, detach, attach again: each must answer */
	static const struct {
		const char *name, *key, *text;
	} steps[] = {
		{ "freeze", "p", "frozen" },     { "thaw", "p", "following" },
		{ "pause", "HH", "paused" },     { "resume", "H", "● live" },
		{ "detach", "D", "○ detached" }, { "attach again", "R", "● live" },
	};
	for (size_t i = 0; i < LEN(steps); i++) {
		struct series r = SERIES(steps[i].name);
		struct key k = { .bytes = steps[i].key,
				 .effect = EFFECT_HAS,
				 .text = steps[i].text };
		measure(&r, &k, false);
		printf("%-24s %s", r.name, r.n ? "" : "NEVER SHOWN\n");
		if (r.n)
			printf("%7.2f ms, less %.2f\n", r.v[0].shown, r.v[0].less);
		rest(session_clock() + 1500 * MS);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) { /* the program runs in a folder of its own */
		char *whole = strchr(argv[i], '/') ? realpath(argv[i], NULL) : NULL;
		if (whole)
			argv[i] = whole;
	}
	if (argc == 3) {
		char *program[] = { argv[1], (char[]){ "--no-config" }, argv[2], NULL };
		start(program);
		uint64_t begin = session_clock();
		settle();
		printf("%s: at rest after %.0f ms, %.0f MB\n", argv[2],
		       (double)(s->last_ns - begin) / 1e6, (double)session_rss(s->pid) / 1e6);
		uint64_t ran0, ran1, waited;
		session_cpu(s->pid, &ran0, &waited);
		rest(session_clock() + 3000 * MS);
		session_cpu(s->pid, &ran1, &waited);
		printf("idle for 3 s: %.3f ms of CPU time\n", (double)(ran1 - ran0) / 1e6);
		all_series();
	} else if (argc == 5 && !strcmp(argv[2], "--live")) {
		char *program[] = { argv[1],          (char[]){ "--no-config" },
				    (char[]){ "--" }, argv[3],
				    argv[4],          NULL };
		live = true;
		start(program);
		rest(session_clock() + 20000 * MS);
		char line[2048];
		session_line(s, 0, 0, line, sizeof(line));
		printf("live:%s\n", line);
		all_series();
		session_line(s, 0, 0, line, sizeof(line));
		printf("live:%s\n", line);
	} else if (argc == 6 && !strcmp(argv[2], "--grow")) {
		char *program[] = { argv[1],          (char[]){ "--no-config" },
				    (char[]){ "--" }, argv[4],
				    argv[5],          NULL };
		live = true;
		start(program);
		grow(atof(argv[3]));
	} else {
		fprintf(stderr, "usage: screen AUDITVIEW CAPTURE | --live PYTHON TARGET.py | "
				"--grow SECONDS PYTHON TARGET.py\n");
		return 2;
	}
	if (live) { /* end the target */
		session_send(s, "Q", 1);
		rest(session_clock() + 300 * MS);
		session_send(s, "t", 1);
	} else {
		session_send(s, "Q", 1);
	}
	if (!session_wait_end(s, 20000 * MS))
		printf("it did not end\n");
	if (n_over)
		printf("%u over 16 ms\n", n_over);
	session_destroy(s);
	return 0;
}
