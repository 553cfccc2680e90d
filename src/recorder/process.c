/*
 * process: what the capture knows of a process: found out when it is first seen, completed while it lives and when it ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/value.h"
#include "recorder/recorder_private.h"
#include "recorder/redact.h"
#include "tracer/procs.h"
#include "tracer/remote_mem.h"

struct process *process_find(struct recorder *r, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && !r->processes.v[i]->ended)
			return r->processes.v[i];
	return NULL;
}

static void add_varint(struct strbuf *to, size_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_addc(to, (char)(v | 0x80));
	strbuf_addc(to, (char)v);
}

/* A VALUE_STR. Arguments are bytes, the capture holds text: a byte that is no UTF-8 becomes U+DC80 … U+DCFF, as in Python
 * (PEP 383). */
static void add_text(struct strbuf *to, const char *bytes, size_t n)
{
	struct strbuf text = { 0 };
	for (size_t i = 0, n_read = 1; i < n; i += n_read) {
		if (utf8_decode(bytes + i, n - i, &n_read) == UTF8_BAD)
			strbuf_add_utf8(&text, 0xdc00u | (uint8_t)bytes[i]);
		else
			strbuf_add(&text, bytes + i, n_read);
	}
	strbuf_addc(to, VALUE_STR);
	add_varint(to, text.n);
	strbuf_add(to, strbuf_str(&text), text.n);
	to->failed |= text.failed;
	strbuf_fini(&text);
}

/* The environment it was started with (proc(5): what it has set since is not in there), as a DICT. */
static void take_environ(struct recorder *r, struct process *p)
{
	enum { ENVIRON_BYTES = 128 << 10 };
	char *text = malloc(ENVIRON_BYTES);
	ssize_t n = text ? proc_file_read(p->pid, "environ", text, ENVIRON_BYTES) : -1;
	struct strbuf body = { 0 }, dict = { 0 };
	size_t n_pairs = 0;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1) {
		const char *equals = strchr(text + i, '=');
		if (!equals || equals == text + i)
			continue;
		size_t n_name = (size_t)(equals - (text + i)), n_value = strlen(equals + 1);
		add_text(&body, text + i, n_name);
		if (!r->options.keep_secrets && n_value && redact_is_secret(text + i, n_name))
			redact_add_value(&body, equals + 1, n_value);
		else
			add_text(&body, equals + 1, n_value);
		n_pairs++;
	}
	if (n_pairs) {
		strbuf_addc(&dict, VALUE_DICT);
		add_varint(&dict, n_pairs);
		add_varint(&dict, n_pairs);
		strbuf_add(&dict, strbuf_str(&body), body.n);
	}
	if (n_pairs && !dict.failed && !body.failed)
		p->info.environ = writer_value(r->writer, dict.s, dict.n);
	strbuf_fini(&body);
	strbuf_fini(&dict);
	free(text);
}

/* Read what /proc says of it into the capture's record. A process that is already gone keeps what is known. */
static void process_describe(struct recorder *r, struct process *p)
{
	char text[4096];
	struct proc_status status;
	struct err *err = proc_status_read(p->pid, &status);
	if (err) {
		err_destroy(err);
		return;
	}
	p->info.ppid = (uint32_t)status.ppid;
	p->info.ns_pid = (uint32_t)status.ns_pid;
	ssize_t n = proc_link_read(p->pid, "exe", text, sizeof(text));
	if (n > 0)
		p->info.exe = writer_string(r->writer, text, (size_t)n);
	n = proc_link_read(p->pid, "cwd", text, sizeof(text));
	if (n > 0)
		p->info.cwd = writer_string(r->writer, text, (size_t)n);
	if (p->info.python_hex)
		take_environ(r, p);
	n = proc_file_read(p->pid, "cmdline", text, sizeof(text));
	if (n <= 0)
		return;
	char name[256];
	proc_command_name(text, (size_t)n, name, sizeof(name));
	p->info.name = writer_string(r->writer, name, strlen(name));
	struct strbuf list = { 0 };
	unsigned count = 0;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1)
		count++;
	if (count > 127)
		count = 127;
	strbuf_addc(&list, VALUE_LIST);
	strbuf_addc(&list, (char)count);
	strbuf_addc(&list, (char)count);
	for (ssize_t i = 0; count-- > 0;) {
		size_t len = strlen(text + i);
		add_text(&list, text + i, len);
		i += (ssize_t)len + 1;
	}
	if (!list.failed)
		p->info.argv = writer_value(r->writer, list.s, list.n);
	strbuf_fini(&list);
}

static void take_version(struct recorder *r, struct process *p, const struct python_runtime *rt)
{
	p->info.python_hex = rt->layout.version_hex;
	p->info.python = writer_string(r->writer, rt->version, strlen(rt->version));
	p->info.flags |= rt->layout.free_threaded ? PROCESS_FREE_THREADED : 0;
	p->info.flags |= rt->layout.debug_build ? PROCESS_DEBUG_BUILD : 0;
}

void process_is_python(struct recorder *r, struct process *p, const struct python_runtime *rt)
{
	take_version(r, p, rt);
	process_describe(r, p);
	process_update(r, p);
}

struct process *process_add_gone(struct recorder *r, pid_t pid, const struct python_runtime *rt, uint32_t flags)
{
	struct process *p = calloc(1, sizeof(*p));
	if (!p || !vec_push(&r->processes, p)) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->pidfd = -1;
	p->status = -1;
	p->ended = true;
	uint64_t now = clock_time_now(&r->clock);
	p->info = (struct process_info){
		.pid = (uint32_t)pid, .ns_pid = (uint32_t)pid, .start_ns = now, .end_ns = now, .exit_status = -1, .flags = flags
	};
	take_version(r, p, rt);
	p->index = writer_process(r->writer, &p->info);
	r->recycle_due = true;
	return p;
}

struct process *process_add(struct recorder *r, pid_t pid, const struct python_runtime *rt, uint32_t flags)
{
	struct process *p = calloc(1, sizeof(*p));
	if (!p || !vec_push(&r->processes, p)) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p->status = -1;
	p->info = (struct process_info){ .pid = (uint32_t)pid,
					 .ns_pid = (uint32_t)pid,
					 .start_ns = clock_time_now(&r->clock),
					 .exit_status = -1,
					 .flags = flags };
	if (rt)
		take_version(r, p, rt);
	process_describe(r, p);
	p->index = writer_process(r->writer, &p->info);
	return p;
}

void process_update(struct recorder *r, struct process *p)
{
	writer_process_update(r->writer, p->index, &p->info);
}

/* sys.path and friends, once the interpreter knows them. */
void process_read_prefixes(struct recorder *r, struct process *p, struct source *s)
{
	char text[16384];
	if (p->info.prefixes || p->prefix_tries > 20)
		return;
	p->prefix_tries++;
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(p->pid, &mem);
	if (err) {
		err_destroy(err);
		return;
	}
	long n = python_sys_path_read(remote_mem_reader(mem), &s->link->runtime, text, sizeof(text));
	remote_mem_close(mem);
	if (n <= 2)
		return;
	struct strbuf list = { 0 }, body = { 0 };
	unsigned count = 0;
	for (long i = 0; i < n && text[i] && count < 127; i += (long)strlen(text + i) + 1) {
		/* sys.path begins with the script's own folder: that is the user's, not a library's */
		if (!strstr(text + i, "/python3") && !strstr(text + i, "-packages"))
			continue;
		add_text(&body, text + i, strlen(text + i));
		count++;
	}
	strbuf_addc(&list, VALUE_LIST);
	strbuf_addc(&list, (char)count);
	strbuf_addc(&list, (char)count);
	strbuf_add(&list, strbuf_str(&body), body.n);
	if (count && !list.failed && !body.failed) {
		p->info.prefixes = writer_value(r->writer, list.s, list.n);
		process_update(r, p);
	}
	strbuf_fini(&list);
	strbuf_fini(&body);
}

/* The record of this image is complete. */
static void close_record(struct recorder *r, struct process *p, int status)
{
	p->ended = true;
	p->status = status;
	p->info.exit_status = status;
	p->info.end_ns = clock_time_now(&r->clock);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
	process_update(r, p);
	r->recycle_due = true;
}

void process_ended(struct recorder *r, struct process *p, int status)
{
	if (p->ended)
		return;
	close_record(r, p, status);
	struct note_info note = { .kind = NOTE_EXITED, .time_ns = p->info.end_ns, .process = p->index, .a = (uint64_t)(int64_t)status };
	writer_note(r->writer, &note);
}

void process_execed(struct recorder *r, struct process *p)
{
	if (p->ended)
		return;
	close_record(r, p, -1);
	struct note_info note = { .kind = NOTE_EXEC, .time_ns = p->info.end_ns, .process = p->index };
	writer_note(r->writer, &note);
}
