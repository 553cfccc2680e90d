/*
 * process_lines: which lines the pane of processes has: the tree of processes with their threads
 * and the asyncio tasks of each thread, folded, counted, and with their states.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/lanes.h"
#include "ui/pane_host.h"

enum line_kind {
	LINE_PROCESS,
	LINE_THREAD,
	LINE_TASK,
	LINE_THREADS,  /* a fold: threads that have ended */
	LINE_CHILDREN, /* a fold: children that have ended and were not Python */
	LINE_TASKS,    /* a fold: the tasks of a thread */
};
#define NO_THREAD UINT32_MAX
#define NOTHING   UINT32_MAX

struct proc_line {
	enum line_kind kind;
	uint32_t process, thread; /* thread NO_THREAD: the line is not about a thread */
	uint32_t task;            /* of LINE_TASK, as in struct lane */
	uint8_t depth;
	bool is_open, has_children;
	uint32_t n;            /* of a fold: how many lines are in it */
	uint64_t events, last; /* last: row, or UINT64_MAX */
	/* of a line on the screen, as the kernel reports it; NULL: unknown */
	const char *state;
};

struct processes {
	struct pane pane;
	VEC(struct proc_line) lines;
	VEC(uint64_t) flipped; /* keys of lines that the user opened or closed */
	VEC(uint64_t) tagged;  /* keys of tagged lines */
	struct lanes lanes;
	uint64_t *thread_events, *thread_last;
	/* It is built anew each time. `image` is the process whose line stands for a process:
	 * itself, or the program that it became by exec. The lists end in NOTHING; the newest is
	 * last. */
	struct tree {
		uint32_t *image, *first_child, *last_child, *next_child; /* [n_processes] */
		/* [n_processes] for the first two, [n_threads] */
		uint32_t *first_thread, *last_thread, *next_thread;
		/* lanes of tasks: [n_threads] for the first two, [lanes.v.n] */
		uint32_t *first_task, *last_task, *next_task;
		uint8_t *is_traced; /* [n_processes] the process is Python, or one below it is */
		uint32_t *memory;
	} tree;
	VEC(uint8_t) thread_ended; /* 1: the thread has ended, and its state is not read again */
	uint32_t n_threads, n_processes;
	uint64_t built_at_ns, looked_at_ns;
};

void process_lines_fini(struct processes *c);
/* Make the lines and their counts anew. */
void process_lines_build(struct processes *c);
/* Read the states of the lines on the screen. Returns true if one has changed. */
bool process_lines_look(struct processes *c);

/* Add the events over time of all that a line stands for to bins[LANE_BINS]. */
void process_line_bins(const struct processes *c, const struct proc_line *l, uint32_t *bins);
static inline bool process_line_is_fold(const struct proc_line *l)
{
	return l->kind >= LINE_THREADS;
}

/* Return what a line is about as a number that stays the same when the lines are rebuilt. */
uint64_t process_line_key(const struct proc_line *l);
/* The line of a key as far as the key says it: kind, process, thread, task. */
struct proc_line process_line_of_key(const struct processes *c, uint64_t key);
bool process_line_is_tagged(const struct processes *c, const struct proc_line *l);
