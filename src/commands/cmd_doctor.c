/*
 * cmd_doctor: auditview doctor [PID]. Exit status 0 when tracing can work (or the process can be
 * attached to), else 1. With --stacks: 0 if the stacks were read.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/say.h"
#include "base/strbuf.h"
#include "base/wrap.h"
#include "command.h"
#include "commands/doctor.h"
#include "commands/doctor_stacks.h"
#include "recorder/redact.h"

struct err *cmd_doctor(const struct options *o, int *ret)
{
	pid_t pid = 0;
	if (o->n_args) {
		char *end;
		errno = 0;
		long value = strtol(o->args[0], &end, 10);
		if (errno || *end || end == o->args[0] || value < 1 || value > INT_MAX)
			return err_with_hint(
			    err_create(ERR_USAGE, "cannot examine \"%s\": expected a process id",
				       o->args[0]),
			    "usage: auditview doctor [PID]");
		pid = (pid_t)value;
	}
	if ((o->stacks || o->locals) && !pid)
		return err_with_hint(err_create(ERR_USAGE, "--stacks needs a process id"),
				     "usage: auditview doctor PID --stacks");
	if (o->redact != UNSET && !o->locals)
		return err_with_hint(err_create(ERR_USAGE, "--redact needs --locals: only the "
							   "values of variables can be secrets"),
				     "usage: auditview doctor PID --locals --no-redact");
	struct doctor_style style = { .color = options_want_color(o, STDOUT_FILENO),
				      .json = o->json,
				      .locals = o->locals };
	if (isatty(STDOUT_FILENO))
		style.width = wrap_width(STDOUT_FILENO);
	struct strbuf text = { 0 };
	bool is_ready = true;
	bool is_redacted = o->locals && o->redact != NO;
	struct err *err = is_redacted ? redactor_create(&style.redactor) : NULL;
	if (!err)
		err = o->stacks || o->locals ? doctor_stacks_report(pid, &style, &text)
					     : doctor_report(pid, &style, &text, &is_ready);
	redactor_destroy(style.redactor);
	if (!err && text.failed)
		err = err_no_memory();
	if (!err && !say_text(&text))
		err = err_sys(errno, "cannot write to standard output");
	if (!err)
		*ret = is_ready ? 0 : 1;
	strbuf_fini(&text);
	return err;
}
