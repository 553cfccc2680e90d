/*
 * fuzz_export: export/export_*.c: each format that needs no path, for any capture. Text is safe for
 * a terminal, and all output is UTF-8. Half of the inputs get right checksums, as in
 * fuzz_capture.c.
 */
#include "fuzz.h"

#include <sys/mman.h>

#include "base/utf8.h"
#include "export/exporter.h"
#include "fuzz_capture_seed.h"
#include "fuzz_mutate.h"
#include "fuzz_open_capture.h"
#include "tests/unit/capture_walk.h"

enum { EVENTS_MAX = 2000 };

static void export_as(struct trace *t, const struct exporter_format *format, unsigned look)
{
	struct exporter *x;
	struct exporter_options options = { .stacks = look & 1,
					    .wide = look & 2,
					    .events_only = look & 4 };
	struct stat st;
	uint64_t n = trace_n_events(t) < EVENTS_MAX ? trace_n_events(t) : EVENTS_MAX;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	must(exporter_create(t, format, fd, &options, &x));
	struct err *err = exporter_write(x, NULL, 0, n);
	if (err)
		exporter_destroy(x);
	else
		err = exporter_close(x);
	err_destroy(err);
	if (fstat(fd, &st) != 0)
		abort();
	char *made = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
				: NULL;
	if (made == MAP_FAILED)
		abort();
	if (made) {
		bool is_text = strcmp(format->name, "perfetto") != 0;
		if ((is_text && !utf8_is_valid(made, (size_t)st.st_size)) ||
		    (!strcmp(format->name, "text") && !utf8_is_safe(made, (size_t)st.st_size)))
			abort();
		munmap(made, (size_t)st.st_size);
	}
	close(fd);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct trace *t = NULL;
	struct err *err = fuzz_open_capture(bytes, n_bytes, &t);
	for (size_t i = 0; !err && i < exporter_n_formats(); i++)
		if (!exporter_format_at(i)->needs_path)
			export_as(t, exporter_format_at(i), (unsigned)(n_bytes / 2));
	err_destroy(err);
	trace_close(t);
}

size_t fuzz_mutate(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap)
{
	return fuzz_mutate_capture(r, bytes, n, cap);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	return capture_seed(number, to, cap);
}
