/*
 * page_cache: read memory page by page, each page once.
 *
 * The tables of an ELF image are read in words of 4 to 64 bytes, thousands of them, and most lie
 * next to each other. Each read is a system call, and for a target that is not trusted a message to
 * another process and back (remote_io.h). So while a process is examined its pages are kept. A page
 * is read only if a byte of it is asked for: its neighbours may never come, and are not brought
 * into the target's memory for nothing.
 *
 * What is kept gets old. A cache must not outlive the examination, and what changes while the
 * target runs, and must be known as it is now, is read without it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/mem_read.h"

struct page_cache;

/* An empty cache that reads by `under`, which is borrowed. NULL if memory is short. */
struct page_cache *page_cache_create(const struct mem_reader *under);
void page_cache_destroy(struct page_cache *c); /* NULL is fine */
/* As mem_read(). A page that could not be read once cannot be read for as long as it is kept. What
 * is longer than a page is read directly. */
bool page_cache_read(struct page_cache *c, raddr from, void *to, size_t n_bytes);
/* Read again what was read. Is it all the same, and was nothing read that is not kept? Then every
 * answer of the cache is what the memory holds now, whatever happened in between. */
bool page_cache_is_same(struct page_cache *c);
