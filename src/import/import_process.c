/*
 * import_process: the processes and threads that lines name, and the notes in our own lines.
 */
#include "import/import_process.h"

#include <stdio.h>
#include <string.h>

#include "import/import_private.h"
#include "import/import_value.h"

static bool read_any_value(struct import *im, struct json *j, uint32_t *ret)
{
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	if (!value_json_read(j, &im->encoded, &im->objects))
		return false;
	*ret = im->objects.addresses.n ? 0 : writer_value(im->w, im->encoded.s, im->encoded.n);
	return true;
}

/* ---- hosts ---- */

static struct dictionary_key key_of_host(const struct import *im, const struct strbuf *name,
					 const struct strbuf *boot_id)
{
	struct dictionary_key h = dictionary_hash(name->s, name->n, im->seed);
	return boot_id ? dictionary_hash(boot_id->s, boot_id->n, h.low) : h;
}

/* Read "boot_id" of a line's "process"; empty if there is none. */
static void read_boot_id(struct import *im, struct json j, struct strbuf *to)
{
	strbuf_clear(to);
	if (!j.start || !json_read_expect(&j, '{') || json_read_is(&j, '}'))
		return;
	do {
		if (!json_read_string(&j, &im->key) || !json_read_expect(&j, ':'))
			return;
		if (!(import_value_is_key(&im->key, "boot_id") ? import_value_text(&j, to)
							       : json_read_skip(&j)))
			return;
	} while (json_read_is(&j, ','));
}

void import_process_first_host(struct import *im, const struct line *l)
{
	/* a name with a NUL byte does not fit the head of a capture */
	if (memchr(strbuf_str(&im->host), 0, im->host.n) || im->host.n > 1024)
		return;
	read_boot_id(im, l->process, &im->first_boot_id);
	if (memchr(strbuf_str(&im->first_boot_id), 0, im->first_boot_id.n) ||
	    im->first_boot_id.n > 1024)
		strbuf_clear(&im->first_boot_id);
	strbuf_add(&im->first_host, im->host.s, im->host.n);
}

static bool same_text(const struct strbuf *a, const struct strbuf *b)
{
	return a->n == b->n && !memcmp(strbuf_str(a), strbuf_str(b), a->n);
}

/* The number of the host of this name and boot id; 0 for that of the whole capture. */
static bool host_find(struct import *im, const struct strbuf *name, const struct strbuf *boot_id,
		      uint32_t *ret)
{
	*ret = 0;
	if (same_text(name, &im->first_host) &&
	    (!boot_id || !boot_id->n || same_text(boot_id, &im->first_boot_id)))
		return true;
	struct dictionary_key h = key_of_host(im, name, boot_id);
	if (import_known_get(&im->by_host, h, ret))
		return true;
	struct host_info info = { .name = name->n ? writer_string(im->w, name->s, name->n) : 0,
				  .boot_id = boot_id && boot_id->n
						 ? writer_string(im->w, boot_id->s, boot_id->n)
						 : 0 };
	*ret = writer_host(im->w, &info);
	return import_known_add(&im->by_host, h, *ret) &&
	       (!boot_id || import_known_add(&im->by_host, key_of_host(im, name, NULL), *ret));
}

/* ---- processes ---- */

/* unnumbered: tells processes of pid 0 apart. */
static struct dictionary_key key_of_pid(const struct import *im, const struct strbuf *host,
					uint64_t pid, uint64_t unnumbered)
{
	const uint64_t words[] = { pid, pid ? 0 : unnumbered };
	return dictionary_hash(words, sizeof(words), key_of_host(im, host, NULL).low);
}

/* A pid that is not a 32-bit number is identified by its text, which also becomes the name of the
 * process. */
static struct dictionary_key key_of(const struct import *im, const struct line *l)
{
	const struct number *pid = &l->pid;
	return pid->is_odd || pid->u > UINT32_MAX
		   ? dictionary_hash(pid->text, strlen(pid->text),
				     key_of_host(im, &im->host, NULL).low)
		   : key_of_pid(im, &im->host, pid->u, l->unnumbered.u);
}

static uint32_t hex_of_version(const char *s, size_t n)
{
	uint32_t v = 0, part = 0;
	int shift = 24;
	for (size_t i = 0; i <= n && shift >= 8; i++) {
		if (i < n && s[i] >= '0' && s[i] <= '9') {
			part = part * 10 + (uint32_t)(s[i] - '0');
		} else {
			v |= (part & 0xff) << shift;
			shift -= 8;
			part = 0;
			if (i < n && s[i] != '.')
				break;
		}
	}
	return v ? v | 0xf0 : 0; /* 0xf0: a final release */
}

static bool parse_process(struct import *im, struct json *j, struct process_info *p)
{
	if (!json_read_expect(j, '{'))
		return false;
	if (json_read_is(j, '}'))
		return true;
	do {
		uint64_t n = 0;
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (!ok)
			return false;
		if (import_value_is_key(&im->key, "name"))
			ok = import_value_string_id(im, j, &p->name);
		else if (import_value_is_key(&im->key, "exe"))
			ok = import_value_string_id(im, j, &p->exe);
		else if (import_value_is_key(&im->key, "cwd"))
			ok = import_value_string_id(im, j, &p->cwd);
		else if (import_value_is_key(&im->key, "argv"))
			ok = read_any_value(im, j, &p->argv);
		else if (import_value_is_key(&im->key, "environ"))
			ok = read_any_value(im, j, &p->environ);
		else if (import_value_is_key(&im->key, "prefixes"))
			ok = read_any_value(im, j, &p->prefixes);
		else if (import_value_is_key(&im->key, "packages"))
			ok = read_any_value(im, j, &p->packages);
		else if (import_value_is_key(&im->key, "project"))
			ok = import_value_string_id(im, j, &p->project);
		else if (import_value_is_key(&im->key, "ppid"))
			ok = json_read_u64(j, &n), p->ppid = (uint32_t)n;
		else if (import_value_is_key(&im->key, "ns_pid"))
			ok = json_read_u64(j, &n), p->ns_pid = (uint32_t)n;
		else if (import_value_is_key(&im->key, "python_hex"))
			ok = json_read_u64(j, &n), p->python_hex = (uint32_t)n;
		else if (import_value_is_key(&im->key, "flags"))
			ok = json_read_u64(j, &n), p->flags = (uint32_t)n;
		else if (import_value_is_key(&im->key, "start_ns"))
			ok = json_read_u64(j, &p->start_ns);
		else if (import_value_is_key(&im->key, "end_ns"))
			ok = json_read_u64(j, &p->end_ns);
		else if (import_value_is_key(&im->key, "exit_status"))
			ok = json_read_u64(j, &n), p->exit_status = (int32_t)n;
		else if (import_value_is_key(&im->key, "start_ticks"))
			ok = json_read_u64(j, &p->start_ticks);
		else if (import_value_is_key(&im->key, "n_lost"))
			ok = json_read_u64(j, &p->n_lost);
		else
			ok = json_read_skip(j);
		if (!ok)
			return false;
	} while (json_read_is(j, ','));
	return json_read_expect(j, '}');
}

bool import_process_find(struct import *im, struct line *l, uint64_t time_ns, struct process **ret)
{
	uint32_t at;
	struct dictionary_key h = key_of(im, l);
	bool is_odd = l->pid.is_odd || l->pid.u > UINT32_MAX;
	if (!l->process.start && import_known_get(&im->by_pid, h, &at)) {
		*ret = &im->processes.v[at];
		return true;
	}
	uint32_t pid = is_odd ? 0 : (uint32_t)l->pid.u;
	struct process p = {
		.info = { .pid = pid, .ns_pid = pid, .start_ns = time_ns, .exit_status = -1 }
	};
	p.info.python = im->python.n ? writer_string(im->w, im->python.s, im->python.n) : 0;
	p.info.python_hex = hex_of_version(strbuf_str(&im->python), im->python.n);
	if (im->process_name.n)
		p.info.name = writer_string(im->w, im->process_name.s, im->process_name.n);
	read_boot_id(im, l->process, &im->boot_id);
	if (!host_find(im, &im->host, &im->boot_id, &p.info.host))
		return false;
	struct process_info plain = p.info;
	struct json process = l->process;
	if (process.start && !parse_process(im, &process, &p.info)) {
		import_value_odd(im, "\"process\" is not understood");
		p.info = plain;
	}
	if (is_odd && !p.info.name) {
		char text[64];
		snprintf(text, sizeof(text), "pid %s", l->pid.text);
		p.info.name = writer_string(im->w, text, strlen(text));
		import_value_odd(im, "\"pid\" is no number of a process: it became its name");
	}
	p.index = writer_process(im->w, &p.info);
	if (!vec_push(&im->processes, p) ||
	    !import_known_add(&im->by_pid, h, (uint32_t)im->processes.n - 1))
		return false;
	*ret = &im->processes.v[im->processes.n - 1];
	return true;
}

bool import_process_thread(struct import *im, const struct line *l, const struct process *p,
			   uint32_t *ret)
{
	const struct number *tid = l->tid.is_set ? &l->tid : &l->pid;
	uint64_t ids[3] = { p->index, tid->is_odd ? 0 : tid->u,
			    l->interp.is_odd ? 0 : l->interp.u };
	strbuf_clear(&im->thread_key);
	strbuf_add(&im->thread_key, ids, sizeof(ids));
	if (tid->is_odd)
		strbuf_adds(&im->thread_key, tid->text);
	strbuf_add(&im->thread_key, strbuf_str(&im->thread), im->thread.n);
	if (im->thread_key.failed)
		return false;
	struct dictionary_key h = dictionary_hash(im->thread_key.s, im->thread_key.n, im->seed);
	if (import_known_get(&im->threads, h, ret))
		return true;
	if (l->tid.is_odd && !im->thread.n) {
		strbuf_addf(&im->thread, "tid %s", l->tid.text);
		import_value_odd(im, "\"tid\" is no number of a thread: it became its name");
	}
	struct thread_info t = { .process = p->index,
				 .tid = ids[1],
				 .interpreter = (uint32_t)ids[2],
				 .ns_tid = l->ns_tid.u > UINT32_MAX ? 0 : (uint32_t)l->ns_tid.u,
				 .name = im->thread.n
					     ? writer_string(im->w, im->thread.s, im->thread.n)
					     : 0 };
	*ret = writer_thread(im->w, &t);
	return import_known_add(&im->threads, h, *ret);
}

static bool parse_note(struct import *im, struct json *j)
{
	struct note_info n = { .kind = NOTE_KIND_COUNT, .process = UINT32_MAX };
	struct number note_pid = { 0 };
	uint64_t unnumbered = 0;
	uint32_t at;
	strbuf_clear(&im->note_host);
	strbuf_add(&im->note_host, im->host.s, im->host.n);
	if (!json_read_expect(j, '{'))
		return false;
	do {
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (ok && import_value_is_key(&im->key, "kind")) {
			ok = json_read_string(j, &im->text);
			for (unsigned i = 0; ok && i < NOTE_KIND_COUNT; i++)
				if (import_value_is_key(&im->text, writer_note_kind_name(i)))
					n.kind = (enum note_kind)i;
		} else if (ok && import_value_is_key(&im->key, "ts_ns")) {
			ok = json_read_u64(j, &n.time_ns);
		} else if (ok && import_value_is_key(&im->key, "pid")) {
			note_pid.is_set = ok = json_read_u64(j, &note_pid.u);
		} else if (ok && import_value_is_key(&im->key, "unnumbered")) {
			ok = json_read_u64(j, &unnumbered);
		} else if (ok && import_value_is_key(&im->key, "host.name")) {
			ok = import_value_text(j, &im->note_host);
		} else if (ok && import_value_is_key(&im->key, "text")) {
			ok = import_value_string_id(im, j, &n.text);
		} else if (ok && import_value_is_key(&im->key, "a")) {
			ok = json_read_u64(j, &n.a);
		} else if (ok && import_value_is_key(&im->key, "b")) {
			ok = json_read_u64(j, &n.b);
		} else {
			ok = ok && json_read_skip(j);
		}
		if (!ok)
			return false;
	} while (json_read_is(j, ','));
	if (note_pid.is_set &&
	    import_known_get(&im->by_pid, key_of_pid(im, &im->note_host, note_pid.u, unnumbered),
			     &at)) {
		n.process = im->processes.v[at].index;
		n.host = im->processes.v[at].info.host;
	} else if (!host_find(im, &im->note_host, NULL, &n.host)) {
		return false;
	}
	if (n.kind != NOTE_KIND_COUNT)
		writer_note(im->w, &n);
	return json_read_expect(j, '}');
}

bool import_process_notes(struct import *im, struct json *j)
{
	if (!json_read_expect(j, '['))
		return false;
	if (json_read_is(j, ']'))
		return true;
	do {
		if (!parse_note(im, j))
			return false;
	} while (json_read_is(j, ','));
	return json_read_expect(j, ']');
}
