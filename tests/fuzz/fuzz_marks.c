/*
 * fuzz_marks: ui/keep.c: the marks beside a capture, and the history of the prompts. Marks that are
 * read from a file and saved are read again as the same marks; the marks of another capture, which
 * come after them, stay in the file.
 */
#include "fuzz.h"

#include <sys/mman.h>

#include "base/err.h"
#include "base/utf8.h"
#include "fuzz_folder.h"
#include "tests/unit/capture_util.h"
#include "ui/keep.h"
#include "ui/prompt.h"
#include "ui/view.h"

static const char other_marks[] =
    "# auditview marks of the capture begun at 1\n7 of another capture\n";

/* Make a capture of three events that began at 1790000000000000000, open or finished. It lives as
 * long as the process. */
static struct trace *capture(bool is_finished)
{
	static struct trace *both[2];
	struct trace **t = &both[is_finished];
	if (*t)
		return *t;
	struct writer *w = test_writer(fuzz_path("a.avc"));
	write_random(w, 3, 1, 0);
	must(writer_flush(w));
	if (is_finished)
		must(writer_close(w));
	else
		writer_destroy(w);
	must(trace_open(fuzz_path("a.avc"), NULL, t));
	unlink(fuzz_path("a.avc"));
	return *t;
}

static void view_init(struct view *s, struct trace *t)
{
	*s = (struct view){ .trace = t, .path = strdup(fuzz_path("a.avc")) };
	if (!s->path)
		abort();
}

static void view_fini(struct view *s)
{
	for (size_t i = 0; i < s->marks.n; i++)
		free(s->marks.v[i].note);
	for (size_t i = 0; i < s->marks_kept.n; i++)
		free(s->marks_kept.v[i].note);
	vec_fini(&s->marks);
	vec_fini(&s->marks_kept);
	free(s->path);
}

static void check_marks(const struct view *s)
{
	for (size_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		if (view_mark(s, m->seq) != m || (i && m[-1].seq >= m->seq) ||
		    (trace_is_finished(s->trace) && m->seq >= trace_n_events(s->trace)) ||
		    (m->note && !utf8_is_valid(m->note, strlen(m->note))))
			abort();
	}
}

static void check_same(const struct view *a, const struct view *b)
{
	if (a->marks.n != b->marks.n)
		abort();
	for (size_t i = 0; i < a->marks.n; i++)
		if (a->marks.v[i].seq != b->marks.v[i].seq ||
		    strcmp(a->marks.v[i].note ? a->marks.v[i].note : "",
			   b->marks.v[i].note ? b->marks.v[i].note : ""))
			abort();
}

static void marks(const uint8_t *bytes, size_t n, bool is_finished)
{
	struct trace *t = capture(is_finished);
	struct view a, b;
	struct strbuf text = { 0 };
	strbuf_add(&text, bytes, n);
	strbuf_addc(&text, '\n');
	strbuf_adds(&text, other_marks);
	fuzz_file_write("a.avc.marks", strbuf_str(&text), text.n);
	view_init(&a, t);
	view_init(&b, t);
	must(keep_marks_load(&a));
	check_marks(&a);
	must(keep_marks_save(&a));
	must(keep_marks_load(&b));
	check_same(&a, &b);
	/* Both change something, and merge: the last one to save has all changes. */
	view_mark_note(&a, 0, "of a");
	view_mark_toggle(&b, 2);
	must(keep_marks_save(&a));
	must(keep_marks_save(&b));
	must(keep_marks_save(&a));
	check_same(&a, &b);
	check_marks(&b);
	view_fini(&a);
	view_fini(&b);
	strbuf_clear(&text);
	fuzz_file_read("a.avc.marks", &text);
	if (!memmem(strbuf_str(&text), text.n, other_marks, sizeof(other_marks) - 1))
		abort();
	strbuf_fini(&text);
	unlink(fuzz_path("a.avc.marks"));
}

static void history(const uint8_t *bytes, size_t n)
{
	struct prompt one = { 0 }, two = { 0 };
	fuzz_file_write("auditview/history", bytes, n);
	must(keep_history_load(&one));
	must(keep_history_add(0, "\nis left out"));
	if (n && bytes[n - 1] == '\n') {
		must(keep_history_add(1, "added"));
		must(keep_history_load(&two));
		__auto_type h = &two.history[1];
		if (!h->n || strcmp(h->v[h->n - 1], "added"))
			abort();
	}
	for (int i = 0; i < PROMPT_HISTORIES; i++)
		for (size_t k = 0; k < one.history[i].n; k++) {
			const char *s = one.history[i].v[k];
			if (!*s || strchr(s, '\n') || !utf8_is_valid(s, strlen(s)))
				abort();
		}
	prompt_fini(&one);
	prompt_fini(&two);
	unlink(fuzz_path("auditview/history"));
}

/* The first byte says which file the other bytes are. */
void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	fuzz_folder();
	if (!n_bytes)
		return;
	if (bytes[0] == 'h')
		history(bytes + 1, n_bytes - 1);
	else
		marks(bytes + 1, n_bytes - 1, bytes[0] != 'o');
}

FUZZ_NO_SEEDS
