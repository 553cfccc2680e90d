/*
 * capture_count: how many events a capture holds, from its block headers alone.
 */
#include "capture/capture_count.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/block.h"
#include "capture/reader.h"
#include "capture/writer.h"

/* Meta of an EVENT block: first row, n, … (data/capture-format.md) */
static struct err *add_block(void *ctx, const struct block_header *h, const struct block_ref *ref,
			     const uint8_t *meta)
{
	uint64_t *n_events = ctx, first, n;
	const uint8_t *end = meta + h->meta_bytes;
	(void)ref;
	if (h->type == BLOCK_EVENT && varint_get(&meta, end, &first) &&
	    varint_get(&meta, end, &n) && n <= EVENTS_PER_BLOCK)
		*n_events += n;
	return NULL;
}

struct err *capture_count_fd(int fd, const char *label, uint64_t *ret_n_events)
{
	CLEANUP(reader) struct reader *r = NULL;
	struct stat st;
	uint64_t n_events = 0;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_create(ERR_UNSUPPORTED,
				  "cannot count what is in %s: it is not a regular file", label);
	}
	struct err *err = reader_open_fd(fd, label, &r);
	if (!err)
		err = reader_refresh(r, add_block, &n_events);
	if (!err)
		*ret_n_events = n_events;
	return err;
}

struct err *capture_count(const char *path, uint64_t *ret_n_events)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? err_sys(errno, "cannot count what is in %s", path)
		      : capture_count_fd(fd, path, ret_n_events);
}
