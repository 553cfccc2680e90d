/*
 * app: the screen, from opening the terminal to leaving it.
 *
 * The viewer is one thread and one poll loop over the terminal, the capture that may grow
 * (inotify), the program's terminal and the recorder's control socket. What is shown comes from the
 * capture. Requests to a live target go through ui_live_ops, which the commands provide: the screen
 * itself knows no socket and no process.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct trace;
struct strbuf;

/* What a thread of the target does, according to the kernel. */
struct ui_task {
	char state;   /* R S D T t Z …, proc(5) */
	long syscall; /* the system call it sleeps in; -1: none, or unknown */
};

/* Requests to a live session. Any function may be NULL; the screen then reports that the request is
 * not possible here. */
struct ui_live_ops {
	struct err *(*pause)(void *ctx, bool on);
	struct err *(*detach)(void *ctx);
	struct err *(*attach)(void *ctx);
	struct err *(*follow_children)(void *ctx, bool on);
	bool (*is_alive)(void *ctx); /* the recorder answers */
	/* Return false if there is no such thread. Reads /proc, so it is never called while
	 * drawing. */
	bool (*task)(void *ctx, uint32_t pid, uint64_t tid, struct ui_task *ret);
	int (*fd)(void *ctx);    /* readable when read() has something to do; -1: none */
	void (*read)(void *ctx); /* read the recorder's messages */
	/* Return true if the target was launched here and still runs: leaving must then ask what
	 * becomes of it. */
	bool (*must_ask)(void *ctx);
	struct err *(*leave)(void *ctx, int how); /* 'w'ait 'd'etach 't'erm 'k'ill */
	void (*close)(void *ctx);
};

/* A session. The screen takes ownership of all of it. */
struct ui_source {
	struct trace *trace;
	char *path;                     /* of the capture; malloc'ed */
	const struct ui_live_ops *live; /* NULL: the session is a file */
	void *live_ctx;
	int terminal_fd; /* pty master of the launched program; -1: none */
	char *title;     /* "app.py"; NULL: from the capture; malloc'ed */
};

struct ui_process {
	int pid;
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
struct ui_start_ops {
	struct err *(*look)(void *ctx); /* begin to look for processes again; may be NULL */
	/* readable when more is known; returns -1 if there is no such descriptor; may be NULL */
	int (*fd)(void *ctx);
	bool (*read)(void *ctx); /* read it; true: the list has changed */
	/* What is known so far, valid until the next read(). *ret_done: this look is complete. */
	struct err *(*list)(void *ctx, const struct ui_process **ret, size_t *ret_n,
			    bool *ret_done);
	struct err *(*attach)(void *ctx, int pid, struct ui_source *ret);
	struct err *(*open)(void *ctx, const char *path, struct ui_source *ret);
	/* Run a script or an event's example under the tracer. */
	struct err *(*run)(void *ctx, const char *event, const char *code, struct ui_source *ret);
	/* what `auditview doctor PID` says */
	void (*doctor)(void *ctx, int pid, struct strbuf *to);
};

enum ui_color { UI_COLOR_AUTO, UI_COLOR_ALWAYS, UI_COLOR_NEVER };

struct ui_options {
	struct ui_source source;          /* trace NULL: show the start page */
	const struct ui_start_ops *start; /* may be NULL */
	void *start_ctx;
	const char *filter; /* -Y; may be NULL */
	enum ui_color color;
	bool no_config;
	const char *lesson;  /* begin with this lesson; may be NULL */
	const char *command; /* a `:` line to begin with; may be NULL */
};

/* Show the screen until the user leaves. Takes over options->source, also on failure. */
MUST_CHECK struct err *ui_run(const struct ui_options *options);
