/*
 * cmd_import: JSON lines become a capture. The exit status is 1 if lines were lost; the others are
 * in the capture.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/open_capture.h"
#include "import/import.h"

struct err *cmd_import(const struct options *o, int *ret)
{
	const char *in = o->args[0];
	bool is_stdin = !strcmp(in, "-");
	struct import_result result;
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "where should the capture go?"),
				     "say -o FILE");
	int fd = STDIN_FILENO;
	struct err *err = is_stdin ? capture_check_stdin(in) : io_open_input(in, &fd);
	if (err)
		return err;
	err = capture_check_not_same(in, o->output);
	if (!err)
		err = import_jsonl(fd, is_stdin ? "standard input" : in, o->output, &result);
	if (!is_stdin)
		close(fd);
	if (err)
		return err;
	if (!o->quiet) {
		struct strbuf text = { 0 };
		import_losses_say(&text, is_stdin ? "standard input" : in, &result);
		strbuf_addf(&text, "auditview: %llu event%s, %s\n",
			    (unsigned long long)result.n_events, result.n_events == 1 ? "" : "s",
			    o->output);
		say_error_text(&text);
		strbuf_fini(&text);
	}
	*ret = result.lost.n ? 1 : 0;
	return NULL;
}
