/*
 * session: the real program on a pseudo-terminal, its screen kept by libvterm, as a user would see
 * it.
 *
 * One thread and no waiting behind the caller's back: session_pump() takes in what the program has
 * written and says when.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vterm.h>

struct session {
	pid_t pid;
	/* the slave is kept open: its modes can be asked for when the program is gone */
	int master, slave;
	VTerm *vt;
	VTermScreen *screen;
	int n_lines, n_columns;
	bool in_alternate, cursor_shown;
	int mouse;          /* VTERM_PROP_MOUSE_… */
	uint64_t last_ns;   /* when the program last wrote, CLOCK_MONOTONIC */
	uint64_t n_bytes;   /* written by it in all */
	uint64_t n_cleared; /* times it began a screen anew (ED 2, or home and ED 0) */
	bool ended;         /* waited for; status is its wait(2) status */
	int status;
	char tail[4]; /* last bytes, to see a sequence that two reads cut */
	char *log;    /* all it wrote when keep_log is set */
	size_t n_log;
	bool keep_log;
};

uint64_t session_clock(void);
/* env: NAME=VALUE strings, NULL at the end, added to a small clean environment. HOME and the XDG
 * folders are `home`. Dies with a message on failure, as all here. */
struct session *session_start(char *const argv[], const char *const env[], const char *home,
			      int n_lines, int n_columns);
void session_destroy(struct session *s); /* kills what still runs */
void session_send(struct session *s, const char *bytes, size_t n);
void session_resize(struct session *s, int n_lines, int n_columns);
/* Take in what is written within timeout_ns. True: something came. False at the end of the program,
 * too. */
bool session_pump(struct session *s, uint64_t timeout_ns);
/* Until nothing was written for quiet_ns and the program sleeps; false after limit_ns. */
bool session_settle(struct session *s, uint64_t quiet_ns, uint64_t limit_ns);
/* Until the text stands anywhere on the screen (wanted) or no longer does. */
bool session_wait(struct session *s, const char *text, bool wanted, uint64_t limit_ns);
bool session_wait_end(struct session *s, uint64_t limit_ns);
/* A line of the screen as UTF-8, spaces at the end cut; into `to`, which holds `size` bytes. */
void session_line(const struct session *s, int line, int from_column, char *to, size_t size);
bool session_has(const struct session *s, const char *text);
/* The whole screen, lines ended by \n; the caller frees it. */
char *session_text(const struct session *s);
/* Would pasted text come marked (bracketed paste)? */
bool session_marks_paste(struct session *s);
/* State letter of /proc/PID/stat, 0 if gone; CPU time used and time spent waiting for a CPU, ns;
 * resident bytes. */
char session_state(pid_t pid);
void session_cpu(pid_t pid, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns);
uint64_t session_rss(pid_t pid);
