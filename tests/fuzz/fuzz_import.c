/*
 * fuzz_import: src/import: JSON lines of other programs become a capture. The capture must be
 * complete and hold as many events as import reports; without an event there is no file. JSON lines
 * that it exports must come back as the same bytes.
 */
#include "fuzz.h"

#include <sys/mman.h>

#include "base/err.h"
#include "export/exporter.h"
#include "import/import.h"
#include "fuzz_folder.h"
#include "tests/unit/capture_walk.h"

enum { ROWS_LOOKED_AT = 1000 };

static int memory_file(const void *bytes, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Import fd into fuzz_folder()/name, and open that. NULL: there was no event, and there is no
 * file. */
static struct trace *import(int fd, const char *name, struct import_result *result)
{
	struct strbuf said = { 0 };
	struct trace *t = NULL;
	struct err *err = import_jsonl(fd, "fuzz", fuzz_path(name), result);
	import_losses_say(&said, "fuzz", result);
	strbuf_fini(&said);
	if (err) {
		err_destroy(err);
		if (access(fuzz_path(name), F_OK) == 0)
			abort();
		return NULL;
	}
	if (trace_open(fuzz_path(name), NULL, &t) || !trace_is_finished(t) ||
	    trace_n_events(t) != result->n_events || !result->n_events)
		abort();
	capture_walk(t, ROWS_LOOKED_AT);
	if (trace_damage(t))
		abort();
	return t;
}

static void export_as(struct trace *t, const char *format, int fd)
{
	struct exporter *x;
	struct exporter_options options = { .stacks = true, .wide = true };
	if (exporter_create(t, exporter_find(format), fd, &options, &x) ||
	    exporter_write(x, NULL, 0, trace_n_events(t)) || exporter_close(x))
		abort();
}

static struct strbuf exported(struct trace *t)
{
	struct strbuf text = { 0 };
	char buf[4096];
	int fd = memory_file("", 0);
	export_as(t, "jsonl", fd);
	lseek(fd, 0, SEEK_SET);
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0;)
		strbuf_add(&text, buf, (size_t)n);
	close(fd);
	return text;
}

/* Two lone surrogates that JSON cannot tell from a pair: Python has "\ud800\udc00" as two
 * characters, JSON as one (RFC 8259, 7). */
static bool has_halves(const struct strbuf *text)
{
	const char *end = strbuf_str(text) + text->n;
	for (const char *p = text->s;
	     p && end - p >= 12 && (p = memmem(p, (size_t)(end - p), "\\ud", 3)); p++)
		if (end - p >= 12 && memchr("89ab", p[3], 4) && !memcmp(p + 6, "\\ud", 3) &&
		    memchr("cdef", p[9], 4))
			return true;
	return false;
}

/* Times that are read as other times: 2201 and later (a time since some start, added to one of
 * 2200), and nanoseconds of more than three years, which may count from the epoch if no event is
 * nearer to the capture's start (it belongs to a lost line). */
static bool is_far_off(const struct trace *t)
{
	const struct trace_about *about = trace_about_get(t);
	return about->wall_anchor_ns + about->last_ns >= UINT64_C(7289654400000000000) ||
	       about->first_ns >= UINT64_C(100000000000000000);
}

/* Report lines of ours that did not come back, or came back changed. */
static void say_and_abort(const struct strbuf *first, const struct strbuf *second)
{
	fprintf(stderr, "%s%s%s", strbuf_str(first), second ? "came back as\n" : "was not taken\n",
		second ? strbuf_str(second) : "");
	abort();
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	static const char *const others[] = { "text",     "csv",    "chrome",
					      "perfetto", "folded", "speedscope" };
	struct import_result result, again;
	int fd = memory_file(bytes, n_bytes), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct trace *t = import(fd, "a.avc", &result);
	close(fd);
	if (t && !is_far_off(t)) {
		struct strbuf first = exported(t);
		fd = memory_file(strbuf_str(&first), first.n);
		struct trace *back = import(fd, "b.avc", &again);
		close(fd);
		if (!back || again.n_events != result.n_events || again.lost.n || again.odd.n)
			say_and_abort(&first, NULL);
		struct strbuf second = exported(back);
		if (!has_halves(&first) &&
		    (first.n != second.n || memcmp(first.s, second.s, first.n) != 0))
			say_and_abort(&first, &second);
		strbuf_fini(&first);
		strbuf_fini(&second);
		trace_close(back);
	}
	if (t) {
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			export_as(t, others[i], null);
		trace_close(t);
		unlink(fuzz_path("a.avc"));
		unlink(fuzz_path("b.avc"));
	}
	close(null);
}

FUZZ_NO_SEEDS
