/*
 * cmd_import: JSON lines become a capture.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "commands/open_capture.h"
#include "export/import.h"

struct err *cmd_import(const struct options *o, int *ret)
{
	const char *in = o->args[0];
	bool is_stdin = !strcmp(in, "-");
	struct import_result result;
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "where should the capture go?"), "say -o FILE");
	int fd = is_stdin ? STDIN_FILENO : open(in, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(errno, "cannot open %s", in);
	struct err *err = check_not_same_file(in, o->output);
	if (!err)
		err = import_jsonl(fd, is_stdin ? "standard input" : in, o->output, &result);
	if (!is_stdin)
		close(fd);
	if (err)
		return err;
	if (!o->quiet) {
		fprintf(stderr, "auditview: %llu events", (unsigned long long)result.n_events);
		if (result.n_skipped)
			fprintf(stderr, ", %llu lines without \"event\" left out", (unsigned long long)result.n_skipped);
		if (result.n_bytes_torn)
			fprintf(stderr, ", the last line (%llu bytes) is incomplete and left out",
				(unsigned long long)result.n_bytes_torn);
		fprintf(stderr, ", %s\n", o->output);
	}
	*ret = 0;
	return NULL;
}
