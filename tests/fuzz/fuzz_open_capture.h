/*
 * fuzz_open_capture: an input as a capture. Inputs of even length get right checksums first.
 */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/trace.h"
#include "tests/unit/capture_walk.h"

static inline struct err *fuzz_open_capture(const uint8_t *bytes, size_t n_bytes,
					    struct trace **ret)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uint8_t *copy = malloc(n_bytes ? n_bytes : 1);
	if (fd < 0 || !copy)
		abort();
	memcpy(copy, bytes, n_bytes);
	if (n_bytes % 2 == 0)
		capture_reseal(copy, n_bytes);
	if (write(fd, copy, n_bytes) != (ssize_t)n_bytes)
		abort();
	free(copy);
	struct trace_options options = { .cache_bytes = 1 << 20, .load_bytes = 32 << 20 };
	return trace_open_fd(fd, "fuzz", &options, ret);
}
