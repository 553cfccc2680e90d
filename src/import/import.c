/*
 * import: see import.h. This file reads the input and finds the lines in it; import_line.c makes
 * an event of each.
 *
 * There are two passes: capture time 0 is written into the file first, and no line may be earlier,
 * so the first pass finds the earliest time. Input that cannot be read twice is copied to a file.
 * If a reader waits for the events (import_stream()), there is one pass: the first lines, as many
 * as come at once, decide time 0. In our own lines each line tells it.
 */
#include "import/import.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash_map.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "import/import_line.h"
#include "import/import_private.h"
#include "import/import_time.h"
#include "import/import_value.h"

#define READ_BYTES     (1u << 20)
#define LINE_BYTES_MAX (256u << 20)
/* of import_stream() */
#define FLUSH_NS 50000000u  /* a line waits that long at most, if more lines come */
#define AHEAD_NS 200000000u /* the first lines decide time 0: those that come in it */
#define QUIET_MS 20         /* or before a pause of this length */
#define WAITING_BYTES_MAX                                                                          \
	(4u << 20) /* no more lines are read while the reader is that far behind */

/* Handle one line, or one object of a document. */
static struct err *give_line(struct import *im, const char *p, size_t n, import_line_fn *fn)
{
	struct json j = { .start = p, .p = p, .end = p + n };
	while (j.end > p &&
	       (j.end[-1] == '\r' || j.end[-1] == ' ' || j.end[-1] == '\n' || j.end[-1] == '\t'))
		j.end--;
	while (j.end - j.p >= 3 && !memcmp(j.p, "\xef\xbb\xbf", 3))
		j.p += 3;
	while (j.p < j.end && *j.p == 0x1e) /* record separator, RFC 7464 */
		j.p++;
	json_read_space(&j);
	j.start = j.p;
	if (j.p == j.end)
		return NULL;
	if (*j.p == '#' || (j.end - j.p > 1 && j.p[0] == '/' && j.p[1] == '/')) {
		im->result->n_comments += fn == import_line_take;
		return NULL;
	}
	return fn(im, j);
}

/* Handle a document: an array of objects, or objects that span several lines. */
static struct err *give_document(struct import *im, const char *p, size_t n, import_line_fn *fn)
{
	const char *end = p + n, *counted = p;
	struct err *err = NULL;
	uint64_t line = 1;
	while (!err && p < end) {
		const char *from = memchr(p, '{', (size_t)(end - p));
		if (!from)
			break;
		for (const char *eol;
		     counted < from && (eol = memchr(counted, '\n', (size_t)(from - counted)));
		     counted = eol + 1)
			line++;
		im->line = line;
		struct json j = { .start = from, .p = from, .end = end };
		bool whole = json_read_skip(&j);
		const char *to = j.p,
			   *next = whole ? NULL
					 : memmem(from + 1, (size_t)(end - from - 1), "\n{", 2);
		if (next)
			to = next + 1;
		err = give_line(im, from, (size_t)(to - from), fn);
		p = to;
	}
	return err;
}

/* How an input begins. */
struct head {
	bool is_array, has_line, is_object;
	bool is_whole;    /* the first line is one value */
	struct json next; /* behind the first line, and the space after it */
};

static struct head head_read(const char *p, size_t n)
{
	struct json j = { .start = p, .p = p, .end = p + n };
	struct head h = { 0 };
	if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		j.p += 3;
	json_read_space(&j);
	if (j.p == j.end)
		return h;
	h.is_array = *j.p == '[';
	h.is_object = *j.p == '{';
	const char *eol = h.is_array ? NULL : memchr(j.p, '\n', (size_t)(j.end - j.p));
	if (!eol)
		return h;
	struct json first = { .start = j.p, .p = j.p, .end = eol };
	h.has_line = true;
	h.is_whole = json_read_skip(&first);
	h.next = (struct json){ .start = eol, .p = eol, .end = j.end };
	json_read_space(&h.next);
	return h;
}

/* Does the input begin with an array, or with an object that spans lines or shares its line with
 * another? */
static bool is_document(const char *p, size_t n)
{
	const struct head h = head_read(p, n);
	return h.is_array || (h.is_object && h.has_line && !h.is_whole && h.next.p < h.next.end &&
			      *h.next.p == '"');
}

static bool is_utf16(const char *p, size_t n)
{
	return n >= 2 && (!memcmp(p, "\xff\xfe", 2) || !memcmp(p, "\xfe\xff", 2) ||
			  (!p[0] && p[1] == '{') || (p[0] == '{' && !p[1]));
}

struct input {
	int fd;
	char *buf;
	size_t n, cap;
	bool at_end;
};

/* ---- import_stream(): a reader waits for the events ---- */

/* Report losses that were not reported yet. */
static void tell_losses(struct import *im)
{
	const struct import_losses *all[] = { &im->result->lost, &im->result->odd };
	static const char *const what[] = { "not taken", "taken in part" };
	for (size_t k = 0; k < ARRAY_LEN(all); k++)
		for (; im->n_told[k] < all[k]->n && im->n_told[k] < ARRAY_LEN(all[k]->first);
		     im->n_told[k]++) {
			char text[IMPORT_WHY_BYTES + 300];
			snprintf(text, sizeof(text), "%.200s: line %llu %s: %s", im->label,
				 (unsigned long long)all[k]->first[im->n_told[k]].line, what[k],
				 all[k]->first[im->n_told[k]].why);
			im->stream->say(im->stream->ctx, im->w, im->last_ns, text);
		}
}

/* Make what was read visible, and wait for more input. Fails if the reader has gone. */
static struct err *stream_wait(struct import *im, int fd)
{
	for (;;) {
		size_t n_waiting = im->w ? writer_n_waiting(im->w) : 0;
		bool is_behind = n_waiting > WAITING_BYTES_MAX;
		struct pollfd p[] = { { .fd = is_behind ? -1 : fd, .events = POLLIN },
				      { .fd = im->stream->fd, .events = n_waiting ? POLLOUT : 0 } };
		bool is_ready = poll(p, 2, 0) > 0 && p[0].revents;
		uint64_t now = monotonic_ns();
		if (im->w && (!is_ready || now - im->flushed_ns >= FLUSH_NS)) {
			im->flushed_ns = now;
			tell_losses(im);
			struct err *err = writer_flush(im->w);
			if (err)
				return err;
		}
		if (is_ready)
			return NULL;
		n_waiting = im->w ? writer_n_waiting(im->w) : 0;
		p[1].events = n_waiting ? POLLOUT : 0;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(errno, "cannot read %s", im->label);
		if (p[1].revents & (POLLERR | POLLNVAL))
			return err_create(ERR_CANCELLED, "the reader of the events has ended");
		if (p[1].revents & POLLOUT && im->w)
			writer_push(im->w);
	}
}

/* Read more input after the bytes in the buffer. */
static struct err *input_more(struct input *in, struct import *im)
{
	if (in->n == in->cap) {
		char *bigger = realloc(in->buf, in->cap * 2 + 1);
		if (!bigger)
			return err_no_memory();
		in->buf = bigger;
		in->cap *= 2;
	}
	ssize_t got;
	do {
		struct err *err = im->is_live ? stream_wait(im, in->fd) : NULL;
		if (err)
			return err;
		got = read(in->fd, in->buf + in->n, in->cap - in->n);
	} while (got < 0 && (errno == EINTR || (errno == EAGAIN && im->is_live)));
	if (got < 0 && errno == ECONNRESET && im->is_live)
		got = 0; /* a socket whose other end is gone has ended, too */
	if (got < 0)
		return err_sys(errno, "cannot read %s", im->label);
	in->n += (size_t)got;
	in->buf[in->n] = 0;
	in->at_end = got == 0;
	return NULL;
}

static struct err *pass_lines(struct import *im, struct input *in, import_line_fn *fn)
{
	struct err *err = NULL;
	size_t scanned = 0;
	bool skipping = false; /* skip the rest of a line that is too long */
	while (!err) {
		size_t from = 0;
		char *end;
		while (!err && (end = memchr(in->buf + scanned, '\n', in->n - scanned))) {
			*end = 0;
			im->line += !skipping;
			if (!skipping)
				err = give_line(im, in->buf + from, (size_t)(end - in->buf) - from,
						fn);
			skipping = false;
			from = scanned = (size_t)(end - in->buf) + 1;
		}
		if (err || in->at_end) {
			im->line++;
			if (!err && in->n > from && !skipping)
				err = give_line(im, in->buf + from, in->n - from, fn);
			break;
		}
		memmove(in->buf, in->buf + from, in->n - from);
		in->n -= from;
		scanned = in->n;
		if (in->n >= LINE_BYTES_MAX || (skipping && in->n)) {
			im->line += !skipping;
			if (!skipping && fn == import_line_take)
				import_value_loss(&im->result->lost, im->line,
						  "the line is longer than 256 MiB");
			skipping = true;
			in->n = scanned = 0;
		}
		err = input_more(in, im);
	}
	return err;
}

/* A file that is no text at all, by its first bytes. */
static struct err *refuse_form(const struct import *im, const char *bytes, size_t n)
{
	static const struct {
		const char *magic, *name, *tool;
	} forms[] = {
		{ "\x1f\x8b", "gzip", "zcat" },            /* RFC 1952, 2.3.1 */
		{ "\x28\xb5\x2f\xfd", "zstd", "zstdcat" }, /* RFC 8878, 3.1.1 */
		{ "\xfd"
		  "7zXZ",
		  "xz", "xzcat" },           /* xz-file-format.txt, 2.1.1.1 */
		{ "BZh", "bzip2", "bzcat" }, /* bzip2 1.0.8 compress.c, BZ_HDR_* */
	};
	if (is_utf16(bytes, n))
		return err_with_hint(
		    err_create(ERR_SYNTAX, "%s is UTF-16, and JSON lines are UTF-8", im->label),
		    "iconv -f UTF-16 -t UTF-8 converts it");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (n >= strlen(forms[i].magic) &&
		    memcmp(bytes, forms[i].magic, strlen(forms[i].magic)) == 0)
			return err_with_hint(
			    err_create(ERR_SYNTAX, "%s is compressed (%s), and JSON lines are text",
				       im->label, forms[i].name),
			    "%s FILE | auditview import - -o CAPTURE", forms[i].tool);
	return NULL;
}

/* Is enough there to tell the form: the first line, and the byte after it if it is no whole
 * value? */
static bool has_form(const char *p, size_t n)
{
	const struct head h = head_read(p, n);
	return h.is_array || (h.has_line && (!h.is_object || h.is_whole || h.next.p < h.next.end));
}

/* Read the lines that come at once, and find the earliest of their times. They stay in the
 * buffer. */
static struct err *look_ahead(struct import *im, struct input *in)
{
	size_t seen = 0;
	uint64_t until_ns = 0; /* set with the first event */
	const char *eol;
	struct err *err = NULL;
	while (!err && !in->at_end && in->n < READ_BYTES) {
		if (until_ns) {
			struct pollfd p = { .fd = in->fd, .events = POLLIN };
			bool has_time = im->axis.has_wall || im->axis.has_ts;
			if (poll(&p, 1, has_time ? QUIET_MS : AHEAD_NS / 1000000) == 0 ||
			    monotonic_ns() >= until_ns)
				break;
		}
		err = input_more(in, im);
		if (err || !has_form(in->buf, in->n) || is_document(in->buf, in->n))
			continue;
		while (!err && (eol = memchr(in->buf + seen, '\n', in->n - seen))) {
			err = give_line(im, in->buf + seen, (size_t)(eol - in->buf) - seen,
					import_line_look);
			seen = (size_t)(eol - in->buf) + 1;
		}
		if (!until_ns && im->axis.n_events)
			until_ns = monotonic_ns() + AHEAD_NS;
	}
	if (!err && in->at_end && in->n > seen && !is_document(in->buf, in->n))
		err = give_line(im, in->buf + seen, in->n - seen, import_line_look);
	return err;
}

static struct err *pass(struct import *im, int fd, import_line_fn *fn)
{
	struct input in = { .fd = fd, .buf = malloc(READ_BYTES + 1), .cap = READ_BYTES };
	struct err *err = in.buf ? NULL : err_no_memory();
	im->line = 0;
	if (!err && im->is_live)
		err = look_ahead(im, &in);
	while (!err && !im->is_live && !in.at_end && in.n < READ_BYTES)
		err = input_more(&in, im);
	if (!err)
		err = refuse_form(im, in.buf, in.n);
	if (!err && is_document(in.buf, in.n)) {
		while (!err && !in.at_end && in.n < LINE_BYTES_MAX)
			err = input_more(&in, im);
		if (!err && !in.at_end)
			err = err_with_hint(
			    err_create(ERR_UNSUPPORTED,
				       "%s is one JSON document of more than 256 MiB", im->label),
			    "write one object a line: jq -c '.[]'");
		if (!err && im->is_live)
			err = give_document(im, in.buf, in.n, import_line_look);
		if (im->is_live)
			import_time_axis_set(&im->axis);
		if (!err)
			err = give_document(im, in.buf, in.n, fn);
	} else if (!err) {
		if (im->is_live)
			import_time_axis_set(&im->axis);
		err = pass_lines(im, &in, fn);
	}
	free(in.buf);
	return err;
}

/* A descriptor that can be read twice: the input itself, or a copy of it in an unnamed file; -1
 * with *ret_err. */
static int open_twice(int fd, const char *label, struct err **ret_err)
{
	struct stat st;
	char buf[1 << 16];
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) >= 0)
		return dup(fd);
	FILE *f = tmpfile();
	int copy = f ? dup(fileno(f)) : -1;
	if (f)
		fclose(f);
	for (ssize_t n; copy >= 0 && (n = read(fd, buf, sizeof(buf))) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !io_write(copy, buf, (size_t)n)) {
			*ret_err = err_sys(
			    errno, n < 0 ? "cannot read %s" : "cannot make a copy of %s", label);
			close(copy);
			return -1;
		}
	}
	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0)
		*ret_err = err_sys(errno, "cannot make a copy of %s", label);
	return copy;
}

static void say(struct strbuf *to, const char *label, const struct import_losses *l,
		const char *what)
{
	for (size_t i = 0; i < ARRAY_LEN(l->first) && i < l->n; i++)
		strbuf_addf(to, "%s: line %llu %s: %s\n", label,
			    (unsigned long long)l->first[i].line, what, l->first[i].why);
	if (l->n > ARRAY_LEN(l->first))
		strbuf_addf(to, "%s: %llu more %s\n", label,
			    (unsigned long long)(l->n - ARRAY_LEN(l->first)), what);
}

void import_losses_say(struct strbuf *to, const char *label, const struct import_result *result)
{
	say(to, label, &result->lost, "not taken");
	say(to, label, &result->odd, "taken in part");
	if (result->lost.n)
		strbuf_addf(to, "%s: %llu line%s not taken in all\n", label,
			    (unsigned long long)result->lost.n, result->lost.n == 1 ? "" : "s");
}

/* The last steps of both forms: the error if there is no event, the end of the file. */
static struct err *finish(struct import *im, struct err *err)
{
	const struct import_result *r = im->result;
	/* a line that was lost may have created the writer */
	if (!err && !r->n_events) {
		err = err_create(ERR_NOT_FOUND,
				 im->w ? "%s: no event could be taken"
				       : "%s: no line has an \"event\"",
				 im->label);
		if (r->lost.n)
			err = err_with_hint(err, "line %llu: %s",
					    (unsigned long long)r->lost.first[0].line,
					    r->lost.first[0].why);
	}
	if (!err)
		err = writer_close(take_ptr(im->w));
	writer_discard(im->w);
	dictionary_fini(&im->frames);
	dictionary_fini(&im->stacks);
	dictionary_fini(&im->args);
	dictionary_fini(&im->threads);
	dictionary_fini(&im->names);
	dictionary_fini(&im->by_pid);
	dictionary_fini(&im->by_host);
	vec_fini(&im->processes);
	vec_fini(&im->levels);
	vec_fini(&im->objects.addresses);
	/* clang-format off */
	struct strbuf *bufs[] = {
		&im->key,          &im->text,          &im->value,            &im->encoded,
		&im->thread,       &im->python,        &im->process_name,     &im->last_stack,
		&im->thread_key,   &im->host,          &im->boot_id,          &im->note_host,
		&im->first_host,   &im->first_boot_id, &im->args_text,        &im->stack_text,
		&im->process_text, &im->notes_text,    &im->descriptors_text, &im->task_text, &im->locals_text,
	};
	/* clang-format on */
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		strbuf_fini(bufs[i]);
	return err;
}

struct err *import_jsonl(int fd, const char *label, const char *path, struct import_result *ret)
{
	struct err *err = NULL;
	*ret = (struct import_result){ 0 };
	struct import im = { .label = label, .path = path, .result = ret, .seed = hash_map_seed() };
	int in = open_twice(fd, label, &err);
	off_t start = in >= 0 ? lseek(in, 0, SEEK_CUR) : -1;
	if (!err && start < 0)
		err = err_sys(errno, "cannot read %s", label);
	if (!err)
		err = pass(&im, in, import_line_look);
	import_time_axis_set(&im.axis);
	if (!err && lseek(in, start, SEEK_SET) < 0)
		err = err_sys(errno, "cannot read %s again", label);
	if (!err)
		err = pass(&im, in, import_line_take);
	if (in >= 0)
		close(in);
	return finish(&im, err);
}

struct err *import_stream(int fd, const char *label, const struct import_stream *to,
			  struct import_result *ret)
{
	char path[32];
	snprintf(path, sizeof(path), "/dev/fd/%d", to->fd);
	*ret = (struct import_result){ 0 };
	struct import im = { .label = label,
			     .path = path,
			     .result = ret,
			     .seed = hash_map_seed(),
			     .is_live = true,
			     .stream = to };
	struct err *err = pass(&im, fd, import_line_take);
	tell_losses(&im);
	if (ret->n_events && ret->lost.n) {
		char text[400];
		snprintf(text, sizeof(text), "%.200s: %llu line%s not taken in all", label,
			 (unsigned long long)ret->lost.n, ret->lost.n == 1 ? "" : "s");
		to->say(to->ctx, im.w, im.last_ns, text);
	}
	return finish(&im, err);
}
