/*
 * proc_name: see proc_name.h.
 */
#include "system/proc_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/utf8.h"

const char *proc_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

bool proc_name_is_python(const char *name)
{
	size_t n = strncasecmp(name, "python", 6) == 0 ? 6
		   : strncasecmp(name, "pypy", 4) == 0 ? 4
						       : 0;
	if (!n)
		return false;
	name += n;
	name += strspn(name, "0123456789.");
	return !*name || strcmp(name, "t") == 0 || strcmp(name, "d") == 0 ||
	       strcmp(name, "td") == 0 || strncmp(name, "-dbg", 4) == 0 ||
	       strncmp(name, "-intel64", 8) == 0;
}

static bool is_loader_name(const char *name)
{
	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-musl", 7) == 0 ||
	       strcmp(name, "ld.so") == 0 || strncmp(name, "ld-2.", 5) == 0;
}

static const char *next_word(const char *p, const char *end)
{
	p += strnlen(p, (size_t)(end - p));
	return p < end ? p + 1 : end;
}

/* Append a word for display: without control characters, quoted if it has spaces; a quoted word
 * (program text) is cut after 40 bytes. */
static void add_word(struct strbuf *to, const char *word)
{
	size_t n = strlen(word);
	bool quote = n == 0 || strpbrk(word, " \t\n'\"");
	bool cut = quote && n > 40;
	for (n = cut ? 40 : n; cut && n && ((unsigned char)word[n] & 0xc0) == 0x80;)
		n--;
	if (to->n)
		strbuf_addc(to, ' ');
	if (quote)
		strbuf_addc(to, '"');
	utf8_escape(to, word, n, quote ? '"' : 0);
	if (cut)
		strbuf_adds(to, "…");
	if (quote)
		strbuf_addc(to, '"');
}

void proc_command_name(const char *cmdline, size_t n, char *to, size_t cap)
{
	const char *end = cmdline + n, *p = cmdline;
	struct strbuf b = { 0 };
	to[0] = 0;
	/* A process that has renamed itself ("gunicorn: master [shop:app]") leaves a single text,
	 * mostly padded with NULs. */
	bool is_renamed = p < end && strchr(p, ' ');
	for (const char *q = next_word(p, end); is_renamed && q < end; q++)
		is_renamed = *q == 0;
	if (is_renamed) {
		utf8_escape(&b, p, strlen(p), 0);
		goto done;
	}
	if (p < end && is_loader_name(proc_base_name(p))) {
		/* ld.so(8): these options take a value; the others take none. */
		for (p = next_word(p, end); p < end && *p == '-'; p = next_word(p, end))
			if (strcmp(p, "--library-path") == 0 || strcmp(p, "--preload") == 0 ||
			    strcmp(p, "--argv0") == 0 || strcmp(p, "--audit") == 0 ||
			    strcmp(p, "--inhibit-rpath") == 0 ||
			    strcmp(p, "--glibc-hwcaps-prepend") == 0)
				p = next_word(p, end);
	}
	if (p >= end)
		goto done;
	const char *program = p;
	bool is_path = true; /* the first word shown is a path: only its last part is shown */
	if (proc_name_is_python(proc_base_name(program))) {
		/* Skip Python's options up to what it runs: -c and -m take everything that follows;
		 * -W, -X and one long option take a value. */
		for (p = next_word(p, end); p < end && *p == '-' && p[1]; p = next_word(p, end)) {
			if (p[1] == '-') {
				if (strcmp(p, "--check-hash-based-pycs") == 0)
					p = next_word(p, end);
				continue;
			}
			const char *letter = p + 1 + strcspn(p + 1, "cmWX");
			if (*letter == 'c' || *letter == 'm') {
				char option[3] = { '-', *letter, 0 };
				add_word(&b, option);
				is_path = false;
				if (letter[1])
					add_word(&b, letter + 1);
				p = next_word(p, end);
				break;
			}
			if (*letter && !letter[1])
				p = next_word(p, end);
		}
		if (p >= end && !b.n) {
			add_word(&b, proc_base_name(
					 program)); /* interactive, or a script on standard input */
			goto done;
		}
	}
	for (; p < end; p = next_word(p, end), is_path = false)
		add_word(&b, is_path ? proc_base_name(p) : p);
done:
	if (b.n < cap) {
		memcpy(to, strbuf_str(&b), b.n + 1);
	} else if (cap > 4) {
		size_t keep = cap - 4; /* "…" takes 3 bytes */
		while (keep && ((unsigned char)b.s[keep] & 0xc0) == 0x80)
			keep--;
		memcpy(to, b.s, keep);
		memcpy(to + keep, "…", 4);
	}
	strbuf_fini(&b);
}

void proc_name_version(const char *path, char *to, size_t cap)
{
	to[0] = 0;
	for (const char *p = path; (p = strstr(p, "3.")) != NULL; p++) {
		size_t n = strspn(p, "0123456789.");
		while (n && p[n - 1] == '.')
			n--;
		bool is_word = p == path || !isdigit((unsigned char)p[-1]);
		if (is_word && n >= 3 && n < 8 && n > strlen(to))
			snprintf(to, cap, "%.*s", (int)n, p);
	}
}

/*
 * A container runtime names the cgroup after the container. Seen with Docker 20-27, Podman 4,
 * containerd/CRI-O (cgroup v1 and v2, systemd and cgroupfs drivers), LXC 4:
 *
 *   /docker/<64 hex>   /system.slice/docker-<64 hex>.scope   /machine.slice/libpod-<64 hex>.scope
 *   /kubepods…/…/cri-containerd-<64 hex>.scope   /kubepods/burstable/pod<uid>/<64 hex>
 *   /lxc.payload.<name>   /lxc/<name>
 */
bool proc_container_name(const char *cgroup, char *to, size_t cap)
{
	static const struct {
		const char *mark, *name;
	} marks[] = { { "kubepods", "kubernetes" },
		      { "docker", "docker" },
		      { "libpod", "podman" },
		      { "crio", "cri-o" },
		      { "containerd", "containerd" } };
	const char *name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(marks) && !name; i++)
		if (strstr(cgroup, marks[i].mark))
			name = marks[i].name;
	for (const char *p = cgroup; name && *p; p++) {
		size_t n = strspn(p, "0123456789abcdef");
		if (n == 64) {
			snprintf(to, cap, "%s %.12s", name, p);
			return true;
		}
		p += n ? n - 1 : 0;
	}
	const char *lxc = strstr(cgroup, "/lxc.payload.");
	size_t skip = strlen("/lxc.payload.");
	if (!lxc) {
		lxc = strstr(cgroup, "/lxc/");
		skip = strlen("/lxc/");
	}
	if (lxc) {
		snprintf(to, cap, "lxc %.*s", (int)strcspn(lxc + skip, "/\n"), lxc + skip);
		return true;
	}
	return false;
}
