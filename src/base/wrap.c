#include "base/wrap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/io.h"
#include "base/strbuf.h"
#include "base/utf8.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

/* Width in cells of the unfinished line at the end of `to`. */
static size_t open_cells(const struct strbuf *to)
{
	const char *s = strbuf_str(to);
	size_t start = to->n;

	while (start > 0 && s[start - 1] != '\n')
		start--;
	return utf8_str_width(s + start, to->n - start);
}

/* Punctuation that begins no line, and that ends none; of two cells each. */
static bool is_closing(uint32_t c)
{
	return (c >= 0x3001 && c <= 0x3002) || c == 0xff01 || c == 0xff09 || c == 0xff0c ||
	       (c >= 0xff1a && c <= 0xff1b) || c == 0xff1f || (c >= 0x3009 && c <= 0x3011 && c % 2);
}

static bool is_opening(uint32_t c)
{
	return c == 0xff08 || (c >= 0x3008 && c <= 0x3010 && c % 2 == 0);
}

/* Bytes up to where a line may end: a space, or a place beside a character of two cells. Chinese
 * and Japanese have no spaces between words, and a line may end between any two characters. */
static size_t piece_bytes(const char *text)
{
	size_t n_bytes = strlen(text), at = 0, used;
	uint32_t last = 0;

	while (at < n_bytes && !is_space(text[at])) {
		uint32_t c = utf8_decode(text + at, n_bytes - at, &used);

		if (at > 0 && (utf8_width(c) == 2 || utf8_width(last) == 2) && !is_closing(c) &&
		    !is_opening(last))
			break;
		last = c;
		at += used;
	}
	return at;
}

size_t wrap_line(const char *text, size_t width)
{
	size_t end = 0, at = 0, cells = 0;

	while (text[at]) {
		size_t n = is_space(text[at]) ? 1 : piece_bytes(text + at);

		cells += is_space(text[at]) ? 1 : utf8_str_width(text + at, n);
		if (cells > width && !is_space(text[at]))
			break;
		at += n;
		if (!is_space(text[at - n]))
			end = at;
	}
	return end;
}

void wrap_add(struct strbuf *to, const char *text, unsigned indent, unsigned width)
{
	size_t at = open_cells(to);
	bool is_start = true;  /* at the start of the paragraph or of a line: no space is added */
	bool has_space = true; /* before this piece */

	if (at < indent) {
		strbuf_add_repeat(to, ' ', indent - at);
		at = indent;
	} else if (at > indent) {
		is_start = to->n > 0 && is_space(to->s[to->n - 1]);
	}
	while (*text) {
		if (is_space(*text)) {
			has_space = true;
			text++;
			continue;
		}
		size_t n = piece_bytes(text), cells = utf8_str_width(text, n);

		if (!is_start && at + has_space + cells > width) {
			strbuf_addc(to, '\n');
			strbuf_add_repeat(to, ' ', indent);
			at = indent;
			is_start = true;
		}
		if (!is_start && has_space) {
			strbuf_addc(to, ' ');
			at++;
		}
		strbuf_add(to, text, n);
		at += cells;
		text += n;
		is_start = has_space = false;
	}
	strbuf_addc(to, '\n');
}

unsigned wrap_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long n = 80;

	if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		n = size.ws_col;
	else if (columns && strtol(columns, NULL, 10) > 0)
		n = strtol(columns, NULL, 10);
	return n < 20 ? 20 : n > 1000 ? 1000 : (unsigned)n;
}

/* Write everything to fd; EPIPE is not an error. */
static struct err *write_all(int fd, const char *text, size_t n_bytes)
{
	return io_write(fd, text, n_bytes) || errno == EPIPE ? NULL
							     : err_sys(errno, "cannot write");
}

static struct err *write_to_pager(const char *pager, const char *text, size_t n_bytes)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_pipe, old_int;
	pid_t pid;
	int fds[2];
	struct err *err = child_fork(pager, fds, &pid);

	if (err)
		return err;
	if (pid == 0) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		/* F: exit if it fits on one screen; R: pass colours; X: leave the text there */
		setenv("LESS", "FRX", 0);
		execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	sigaction(SIGPIPE, &ignore, &old_pipe);
	sigaction(SIGINT, &ignore, &old_int); /* the pager handles Ctrl-C */
	err = write_all(fds[1], text, n_bytes);

	close(fds[1]);
	int status = child_wait(pid);

	sigaction(SIGPIPE, &old_pipe, NULL);
	sigaction(SIGINT, &old_int, NULL);
	/* The shell returns 126 or 127 if it cannot run the command. */
	if (!err && WIFEXITED(status) && WEXITSTATUS(status) >= 126)
		return write_all(STDOUT_FILENO, text, n_bytes);
	return err;
}

struct err *wrap_page(const char *text, size_t n_bytes)
{
	const char *pager = getenv("PAGER");

	if (!pager)
		pager = "less";
	if (!isatty(STDOUT_FILENO) || !*pager || strcmp(pager, "cat") == 0)
		return write_all(STDOUT_FILENO, text, n_bytes);
	return write_to_pager(pager, text, n_bytes);
}
