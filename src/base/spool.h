/*
 * spool: what comes through a pipe, as an unnamed file that grows.
 *
 * A reader of captures needs to read at random places, and a pipe cannot be read twice. So a
 * process of its own copies the pipe to a file without a name, and the reader follows that file.
 * The writer at the other end of the pipe therefore never waits for the screen, and memory does not
 * depend on how much comes. The file is in $TMPDIR, else in /var/tmp or /tmp.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct spool;

/* A new file without a name, readable and writable; -1 with errno set. `name` is what /proc shows
 * if no folder can have such a file and memory is used. */
int spool_file_open(const char *name);
/* Begin to copy. Takes over `from`, also on failure. `label` names the input in messages. */
MUST_CHECK struct err *spool_start(int from, const char *label, struct spool **ret);
/* Stops copying; the writer at the other end gets EPIPE. NULL is fine. */
void spool_destroy(struct spool *s);
/* After fork(2), in the process that does not go on reading: spool_destroy() then frees it, and the
 * copying goes on until the other process ends, or this one. */
void spool_forget(struct spool *s);
DEFINE_CLEANUP(spool);

int spool_fd(const struct spool *s); /* of the file; borrowed */
/* Nothing more will come. All that came before is in the file when this returns true. */
bool spool_is_over(struct spool *s);
/* errno of the write or read that ended the copying before its time; 0: the input ended. Known once
 * spool_is_over(). */
int spool_errno(const struct spool *s);
/* Wait until the file may have grown, or the input has ended; timeout_ms as in poll(2). */
void spool_wait(struct spool *s, int timeout_ms);

/* The first byte of an open file, pipe or socket, which stays there to be read. Waits for it.
 * -1: there is none, or it cannot be peeked. */
int spool_peek(int fd);
