/*
 * import_pipe: see import_pipe.h.
 */
#include "commands/import_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "capture/writer.h"
#include "import/import.h"
#include "model/trace.h"
#include "options.h"

static bool use_notes;

void import_pipe_use_notes(void)
{
	use_notes = true;
}

/* How the process reports why there is no capture. */
struct failure {
	uint32_t code; /* enum err_code */
	char message[512], hint[256];
};

static void say_loss(void *ctx, struct writer *w, uint64_t time_ns, const char *text)
{
	const bool *is_quiet = ctx;
	if (!use_notes) {
		struct strbuf line = { 0 };
		strbuf_addf(&line, "%s\n", text);
		if (!*is_quiet)
			say_error_text(&line);
		strbuf_fini(&line);
	} else if (w) {
		struct note_info note = { .kind = NOTE_WARNING,
					  .time_ns = time_ns,
					  .process = UINT32_MAX,
					  .text = writer_string(w, text, strlen(text)) };
		writer_note(w, &note);
	}
}

static NORETURN void import_process(const struct options *o, int in, const char *label, int out,
				    int why)
{
	bool is_quiet = o->quiet;
	struct import_stream to = { .fd = out, .say = say_loss, .ctx = &is_quiet };
	struct import_result result;
	prctl(PR_SET_NAME, "auditview-json");
	child_leave_keys();
	struct err *err = import_stream(in, label, &to, &result);
	if (err && !result.n_events) {
		struct failure f = { .code = err->code };
		snprintf(f.message, sizeof(f.message), "%s", err->message);
		snprintf(f.hint, sizeof(f.hint), "%s", err->hint ? err->hint : "");
		(void)!write(why, &f, sizeof(f));
	} else if (err && err->code != ERR_CANCELLED && err->sys != EPIPE && !use_notes) {
		say_error("%s", err->message);
	}
	_exit(err ? 1 : 0);
}

/* The process is no child of ours, so that it need not be waited for: it ends when its output has
 * no reader. */
static struct err *process_start(const struct options *o, int in, const char *label,
				 const int out[2], const int why[2])
{
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(errno, "cannot read %s", label);
	if (pid == 0) {
		close(out[0]);
		close(why[0]);
		pid = fork();
		if (pid == 0)
			import_process(o, in, label, out[1], why[1]);
		_exit(pid < 0 ? 1 : 0);
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? err_create(ERR_SYS, "cannot start a process that reads %s", label) : NULL;
}

/* Why nothing came. */
static struct err *failure_read(int fd, struct err *otherwise)
{
	struct failure f;
	ssize_t n;
	do
		n = read(fd, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(f))
		return otherwise;
	err_destroy(otherwise);
	struct err *err = err_create((enum err_code)f.code, "%s", f.message);
	return f.hint[0] ? err_with_hint(err, "%s", f.hint) : err;
}

struct err *import_pipe_open(const struct options *o, int in, const char *label,
			     const struct trace_options *options, struct trace **ret)
{
	int out[2], why[2];
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in);
		return err_sys(errno, "cannot read %s", label);
	}
	if (pipe2(why, O_CLOEXEC) < 0) {
		close(in);
		close(out[0]);
		close(out[1]);
		return err_sys(errno, "cannot read %s", label);
	}
	struct err *err = process_start(o, in, label, out, why);
	close(in);
	close(out[1]);
	close(why[1]);
	if (err)
		close(out[0]);
	else
		err = trace_open_fd(out[0], label, options, ret);
	if (err)
		err = failure_read(why[0], err);
	close(why[0]);
	return err;
}
