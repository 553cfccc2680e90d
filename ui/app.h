/*
 * app: the screen, from opening the terminal to leaving it.
 *
 * The viewer is one thread and one poll loop over the terminal, the capture that may grow
 * (inotify), the program's terminal and the recorder's control socket. What is shown comes from the
 * capture. Requests to a live target go through app_live_ops, which the commands provide: the
 * screen itself knows no socket and no process.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct held_row;
struct hold_list;
struct trace;
struct strbuf;

/* What a thread of the target does, according to the kernel. */
struct app_task {
	char state;   /* R S D T t Z …, proc(5) */
	long syscall; /* the system call it sleeps in; -1: none, or unknown */
};

/* What a live program does at one moment. Texts are WTF-8 of any content. */
struct app_now_frame {
	const char *function, *file;
	uint32_t line; /* 0: none */
};
struct app_now_thread {
	int tid;
	const char *name; /* as Python has it, else as the kernel has it */
	const char *does; /* "sleeping", "reading /path", "running" */
	const char *note; /* why there are no frames, or not all; "" there are */
	bool holds_gil, is_broken;
	uint32_t n_frames;    /* of the stack */
	uint32_t left_out_at; /* n_frames - n_shown are left out before frames[left_out_at] */
	uint32_t n_shown;
	const struct app_now_frame *frames; /* the innermost one first */
};
struct app_now_process {
	int pid;
	const char *why;         /* nothing could be read; "": it was */
	uint64_t at_ns;          /* when it was read, CLOCK_MONOTONIC */
	uint64_t age_ns, cpu_ns; /* since it started; 0 unknown */
	size_t n_threads, n_more;
	const struct app_now_thread *threads;
};
struct app_now {
	size_t n;
	const struct app_now_process *v;
};
struct app_now_wish {
	int pid;
	uint64_t start_ticks; /* 0 unknown */
};
enum { APP_NOW_MAX = 16 }; /* processes that are asked about at once */

/* Requests to a live session. Any function may be NULL; the screen then reports that the request is
 * not possible here. */
struct app_live_ops {
	struct err *(*pause)(void *ctx, bool on);
	struct err *(*detach)(void *ctx);
	struct err *(*attach)(void *ctx);
	struct err *(*follow_children)(void *ctx, bool on);
	bool (*is_alive)(void *ctx); /* the recorder answers */
	/* Return false if there is no such thread. Reads /proc, so it is never called while
	 * drawing. */
	bool (*task)(void *ctx, uint32_t pid, uint64_t tid, struct app_task *ret);
	/* Does a process wait for a line from the terminal whose master is terminal_fd? Reads
	 * /proc, so it is never called while drawing. */
	bool (*reads_terminal)(void *ctx, uint32_t pid, int terminal_fd);
	int (*fd)(void *ctx);    /* readable when read() has something to do; -1: none */
	void (*read)(void *ctx); /* read the recorder's messages */
	/* --keep, as it was given: only the newest events are kept; NULL: all are. */
	const char *(*keeps)(void *ctx);
	struct err *(*continue_held)(void *ctx);
	/* Hold threads of events that a filter matches, from now on; `once`: until one was held.
	 * id: of hold_row; 0: all. What the recorder refuses is reported by answer(). */
	struct err *(*hold)(void *ctx, const char *filter, bool once);
	struct err *(*unhold)(void *ctx, uint32_t id);
	struct err *(*hold_switch)(void *ctx, uint32_t id, bool on);
	struct err *(*hold_ignore)(void *ctx, uint32_t id, uint32_t n);
	const struct hold_list *(*holds)(void *ctx); /* borrowed until the next read() */
	/* Append the local variables of a frame of a thread that is held, a line each; 0: the
	 * innermost Python frame. False: they are not known. Reads the target's memory, so it is
	 * never called while drawing. */
	bool (*locals)(void *ctx, const struct held_row *held, uint32_t frame, struct strbuf *to);
	/* Begin to read what processes do now. It does not wait, and stops nothing. While now_fd()
	 * is readable, or from time to time, now() may have the answer, which it hands out once: it
	 * is borrowed until the next now() that does not return NULL. */
	void (*now_ask)(void *ctx, const struct app_now_wish *of, size_t n);
	int (*now_fd)(void *ctx); /* -1: nothing is asked */
	const struct app_now *(*now)(void *ctx);
	/* Ask for a capture of what is kept; answer() reports what became of it. */
	struct err *(*dump)(void *ctx, const char *path);
	bool (*answer)(void *ctx, char *ret, size_t n_ret, bool *ret_failed);
	/* If only the newest are kept, the shown capture is replaced from time to time by one that
	 * begins later. Called some times a second; NULL: `shown` stays. is_frozen: it must
	 * stay. */
	struct trace *(*renew)(void *ctx, struct trace *shown, bool is_frozen);
	/* Return true if the target was launched here and still runs: leaving must then ask what
	 * becomes of it. */
	bool (*must_ask)(void *ctx);
	struct err *(*leave)(void *ctx, int how); /* 'w'ait 'd'etach 't'erm 'k'ill */
	void (*close)(void *ctx);
};

/* A session. The screen takes ownership of all of it. */
struct app_source {
	struct trace *trace;
	char *path;                      /* of the capture; malloc'ed */
	const struct app_live_ops *live; /* NULL: the session is a file */
	void *live_ctx;
	int terminal_fd; /* pty master of the launched program; -1: none */
	char *title;     /* "app.py"; NULL: from the capture; malloc'ed */
};

struct app_process {
	int pid, ppid;
	char python[16];
	uint64_t up_ns;
	double cpu;          /* share of one core, 0…, < 0 unknown */
	const char *command; /* "app.py  in /srv/shop" */
	const char *where;   /* "in a container", user name; may be NULL */
	const char *verdict; /* "ready", "busy", "denied", "not yet", "looking", "slow" */
	bool is_ready;
	const char *why; /* one line with the cause and what to do; may be NULL */
};

/* The start page. None of look, fd, read and list waits for the process that it examines. */
struct app_start_ops {
	struct err *(*look)(void *ctx); /* begin to look for processes again; may be NULL */
	/* readable when more is known; returns -1 if there is no such descriptor; may be NULL */
	int (*fd)(void *ctx);
	bool (*read)(void *ctx); /* read it; true: the list has changed */
	/* What is known so far, valid until the next read(). *ret_done: this look is complete. */
	struct err *(*list)(void *ctx, const struct app_process **ret, size_t *ret_n,
			    bool *ret_done);
	struct err *(*attach)(void *ctx, int pid, struct app_source *ret);
	struct err *(*open)(void *ctx, const char *path, struct app_source *ret);
	/* Run a script or an event's example under the tracer. */
	struct err *(*run)(void *ctx, const char *event, const char *code, struct app_source *ret);
	/* what `auditview doctor PID` says */
	void (*doctor)(void *ctx, int pid, struct strbuf *to);
};

enum app_color { APP_COLOR_AUTO, APP_COLOR_ALWAYS, APP_COLOR_NEVER };

struct app_options {
	struct app_source source;          /* trace NULL: show the start page */
	const struct app_start_ops *start; /* may be NULL */
	void *start_ctx;
	const char *filter; /* -Y; may be NULL */
	enum app_color color;
	bool no_config;
	const char *lesson;  /* begin with this lesson; may be NULL */
	const char *command; /* a `:` line to begin with; may be NULL */
};

struct app;

/* Takes over options->source. */
MUST_CHECK struct err *app_create(const struct app_options *options, struct app **ret);
void app_destroy(struct app *app);
DEFINE_CLEANUP(app);
/* Read new events (growth: the capture is known to have changed) and do long work for up to
 * budget_ns. Returns true if more work waits. now_ns is CLOCK_MONOTONIC. */
bool app_advance(struct app *app, uint64_t now_ns, bool growth, uint64_t budget_ns);
/* When app_advance() must be called again even if nothing happens; UINT64_MAX: never. */
uint64_t app_deadline(const struct app *app);
void app_draw(struct app *app);
