/*
 * session: the real program on a pseudo-terminal, its screen kept by libvterm, as a user would see
 * it.
 *
 * There is one thread, and it waits only when the caller asks: session_pump() reads what the
 * program has written and reports when.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vterm.h>

struct session {
	pid_t pid;
	/* the slave is kept open: its modes can be read after the program has ended */
	int master, slave;
	VTerm *vt;
	VTermScreen *screen;
	int n_lines, n_columns;
	bool in_alternate, cursor_shown;
	int mouse;          /* VTERM_PROP_MOUSE_… */
	uint64_t last_ns;   /* when the program last wrote, CLOCK_MONOTONIC */
	uint64_t n_bytes;   /* written by the program in all */
	uint64_t n_cleared; /* how often it began a new screen (ED 2, or home and ED 0) */
	bool ended;         /* the program was waited for; status is its wait(2) status */
	int status;
	char tail[4]; /* the last bytes, to find a sequence that is split between two reads */
	char *log;    /* everything that it wrote, if keep_log is set */
	size_t n_log;
	bool keep_log;
};

uint64_t session_clock(void);
/* Start the program. env: NAME=VALUE strings, NULL at the end, added to a small clean environment.
 * HOME and the XDG folders are `home`. Exits with a message on failure, as all functions here. */
struct session *session_start(char *const argv[], const char *const env[], const char *home,
			      int n_lines, int n_columns);
void session_destroy(struct session *s); /* kills what is still running */
void session_send(struct session *s, const char *bytes, size_t n);
void session_resize(struct session *s, int n_lines, int n_columns);
/* Read what is written within timeout_ns. Returns true if there was anything; false also at the end
 * of the program. */
bool session_pump(struct session *s, uint64_t timeout_ns);
/* Pump until nothing was written for quiet_ns and the program sleeps; returns false after
 * limit_ns. */
bool session_settle(struct session *s, uint64_t quiet_ns, uint64_t limit_ns);
/* Pump until the text is anywhere on the screen (wanted), or no longer is. */
bool session_wait(struct session *s, const char *text, bool wanted, uint64_t limit_ns);
bool session_wait_end(struct session *s, uint64_t limit_ns);
/* Write a line of the screen as UTF-8 into `to`, which has room for `size` bytes; spaces at the end
 * are removed. */
void session_line(const struct session *s, int line, int from_column, char *to, size_t size);
bool session_has(const struct session *s, const char *text);
/* Return the whole screen, each line ends in \n; the caller frees it. */
char *session_text(const struct session *s);
/* Is pasted text marked (bracketed paste)? */
bool session_marks_paste(struct session *s);
/* State letter of /proc/PID/stat, 0 if gone; CPU time used and time spent waiting for a CPU, ns;
 * resident bytes. */
char session_state(pid_t pid);
void session_cpu(pid_t pid, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns);
uint64_t session_rss(pid_t pid);
