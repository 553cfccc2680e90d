/*
 * program_pty: see program_pty.h.
 */
#include "ui/program_pty.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "ui/pane_host.h"
#include "ui/text.h"

/* -1: there is none, or the program has ended. */
static int fd_of(const struct pane *p)
{
	return p->host && p->host->view ? p->host->view->terminal_fd : -1;
}

void program_pty_send(const struct pane *p, const char *s, size_t n)
{
	int fd = fd_of(p);
	while (fd >= 0 && n > 0) {
		ssize_t done = write(fd, s, n);
		if (done <= 0)
			return;
		s += done;
		n -= (size_t)done;
	}
}

void program_pty_resize(const struct pane *p, int n_lines, int n_columns)
{
	struct winsize size = { .ws_row = (unsigned short)n_lines,
				.ws_col = (unsigned short)n_columns };
	if (fd_of(p) >= 0)
		ioctl(fd_of(p), TIOCSWINSZ, &size);
}

bool program_pty_read(int fd, char *to, size_t n_bytes, size_t *ret)
{
	ssize_t n = read(fd, to, n_bytes);
	*ret = n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)); /* EIO: it was closed */
}

void program_pty_title(const struct pane *p, const char *focused, struct strbuf *subject,
		       struct strbuf *facts)
{
	struct view *s = p->host->view;
	const struct process_info *process = view_process(s);
	if (process)
		text_program(subject, s->trace, process->name);
	strbuf_adds(facts, s->terminal_fd < 0  ? tr("the program has ended")
			   : pane_has_focus(p) ? focused
					       : tr("Ctrl-] types here"));
}
