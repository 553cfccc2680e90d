#include "model/gist_words.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "model/catalog.h"

struct word {
	int64_t value;
	const char *name;
};

/* clang-format off */
/* clang-format off */
#define WORD(x) { x, #x }
/* clang-format on */
static const struct word families[] = {
	WORD(AF_UNSPEC), WORD(AF_UNIX),      WORD(AF_INET),        WORD(AF_INET6), WORD(AF_NETLINK),
	WORD(AF_PACKET), WORD(AF_BLUETOOTH), WORD(AF_CAN),         WORD(AF_TIPC),  WORD(AF_ALG),
	WORD(AF_VSOCK),  { 44, "AF_XDP" },   { 42, "AF_QIPCRTR" },
};
static const struct word socket_types[] = {
	WORD(SOCK_STREAM), WORD(SOCK_DGRAM), WORD(SOCK_RAW), WORD(SOCK_RDM), WORD(SOCK_SEQPACKET),
};
static const struct word fcntl_commands[] = {
	WORD(F_DUPFD),         WORD(F_GETFD),      WORD(F_SETFD),      WORD(F_GETFL),
	WORD(F_SETFL),         WORD(F_GETLK),      WORD(F_SETLK),      WORD(F_SETLKW),
	WORD(F_SETOWN),        WORD(F_GETOWN),     WORD(F_SETSIG),     WORD(F_GETSIG),
	WORD(F_DUPFD_CLOEXEC), WORD(F_SETPIPE_SZ), WORD(F_GETPIPE_SZ), WORD(F_ADD_SEALS),
	WORD(F_GET_SEALS),     WORD(F_NOTIFY),     WORD(F_SETLEASE),   WORD(F_GETLEASE),
};
static const struct word lockf_commands[] = { WORD(F_ULOCK), WORD(F_LOCK), WORD(F_TLOCK),
					      WORD(F_TEST) };
/* CPython Modules/mmapmodule.c, access_mode: the same on all systems. */
static const struct word mmap_accesses[] = {
	{ 0, "ACCESS_DEFAULT" },
	{ 1, "ACCESS_READ" },
	{ 2, "ACCESS_WRITE" },
	{ 3, "ACCESS_COPY" },
};
static const struct word limits[] = {
	WORD(RLIMIT_CPU),      WORD(RLIMIT_FSIZE), WORD(RLIMIT_DATA),   WORD(RLIMIT_STACK),
	WORD(RLIMIT_CORE),     WORD(RLIMIT_RSS),   WORD(RLIMIT_NPROC),  WORD(RLIMIT_NOFILE),
	WORD(RLIMIT_MEMLOCK),  WORD(RLIMIT_AS),    WORD(RLIMIT_LOCKS),  WORD(RLIMIT_SIGPENDING),
	WORD(RLIMIT_MSGQUEUE), WORD(RLIMIT_NICE),  WORD(RLIMIT_RTPRIO), WORD(RLIMIT_RTTIME),
};
static const struct word priorities[] = {
	WORD(LOG_EMERG),   WORD(LOG_ALERT),  WORD(LOG_CRIT), WORD(LOG_ERR),
	WORD(LOG_WARNING), WORD(LOG_NOTICE), WORD(LOG_INFO), WORD(LOG_DEBUG),
};
/* winreg.h: predefined handles. */
static const struct word keys[] = {
	{ 0x80000000, "HKEY_CLASSES_ROOT" },     { 0x80000001, "HKEY_CURRENT_USER" },
	{ 0x80000002, "HKEY_LOCAL_MACHINE" },    { 0x80000003, "HKEY_USERS" },
	{ 0x80000004, "HKEY_PERFORMANCE_DATA" }, { 0x80000005, "HKEY_CURRENT_CONFIG" },
};
/* Bits other than the access mode. O_CLOEXEC is left out: Python adds it to everything it opens
 * (PEP 446). */
static const struct word open_flags[] = {
	WORD(O_CREAT),    WORD(O_EXCL),    WORD(O_NOCTTY),    WORD(O_TRUNC),    WORD(O_APPEND),
	WORD(O_NONBLOCK), WORD(O_TMPFILE), WORD(O_DIRECTORY), WORD(O_NOFOLLOW), WORD(O_DIRECT),
	WORD(O_NOATIME),  WORD(O_PATH),    WORD(O_SYNC),      WORD(O_DSYNC),    WORD(O_ASYNC),
};
/* clang-format on */

static bool add_from(struct strbuf *to, const struct word *words, size_t n, int64_t value)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i].value == value) {
			strbuf_adds(to, words[i].name);
			return true;
		}
	}
	return false;
}

static void add_open_flags(struct strbuf *to, int64_t flags)
{
	static const char *const accesses[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	int64_t left = flags & ~(int64_t)(O_ACCMODE | O_CLOEXEC);

	strbuf_adds(to, accesses[flags & O_ACCMODE]);
	for (size_t i = 0; i < ARRAY_LEN(open_flags); i++) {
		if ((left & open_flags[i].value) != open_flags[i].value)
			continue;
		strbuf_addf(to, "|%s", open_flags[i].name);
		left &= ~open_flags[i].value;
	}
	if (left)
		strbuf_addf(to, "|0x%llx", (unsigned long long)left);
}

static bool add_flock(struct strbuf *to, int64_t value)
{
	static const struct word operations[] = { WORD(LOCK_SH), WORD(LOCK_EX), WORD(LOCK_UN) };

	if (!add_from(to, operations, ARRAY_LEN(operations), value & ~(int64_t)LOCK_NB))
		return false;
	if (value & LOCK_NB)
		strbuf_adds(to, "|LOCK_NB");
	return true;
}

bool gist_add_word(struct strbuf *to, int64_t value, unsigned reading)
{
	const char *name = NULL;

	switch (reading) {
	case READING_FAMILY: return add_from(to, families, ARRAY_LEN(families), value);
	case READING_SOCKTYPE:
		return add_from(to, socket_types, ARRAY_LEN(socket_types),
				value & ~(int64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK));
	case READING_FCNTL: return add_from(to, fcntl_commands, ARRAY_LEN(fcntl_commands), value);
	case READING_LOCKF: return add_from(to, lockf_commands, ARRAY_LEN(lockf_commands), value);
	case READING_MMAP: return add_from(to, mmap_accesses, ARRAY_LEN(mmap_accesses), value);
	case READING_RLIMIT: return add_from(to, limits, ARRAY_LEN(limits), value);
	case READING_SYSLOG:
		return add_from(to, priorities, ARRAY_LEN(priorities), value & LOG_PRIMASK);
	case READING_FLOCK: return add_flock(to, value);
	case READING_OFLAGS: add_open_flags(to, value); return true;
	case READING_HKEY:
		/* Handles of 32 bits arrive sign-extended on 64-bit Windows. */
		if (!add_from(to, keys, ARRAY_LEN(keys), value & 0xffffffff))
			strbuf_addf(to, "0x%llx", (unsigned long long)value);
		return true;
	case READING_SIGNAL:
		if (value == 0) {
			strbuf_adds(to, "0");
			return true;
		}
		name = value > 0 && value < 65 ? sigabbrev_np((int)value) : NULL;
		if (name)
			strbuf_addf(to, "SIG%s", name);
		return name != NULL;
	case READING_ERRNO:
		name = value > 0 && value < 4096 ? strerrorname_np((int)value) : NULL;
		strbuf_adds(to, name ? name : "");
		return name != NULL;
	default: return false;
	}
}

/* Access modes, and bits that are never shown but can be tested with &. */
static const struct word open_modes[] = { WORD(O_RDONLY), WORD(O_WRONLY), WORD(O_RDWR),
					  WORD(O_ACCMODE), WORD(O_CLOEXEC) };
static const struct word socket_bits[] = { WORD(SOCK_CLOEXEC), WORD(SOCK_NONBLOCK) };
static const struct word flocks[] = { WORD(LOCK_SH), WORD(LOCK_EX), WORD(LOCK_UN), WORD(LOCK_NB) };

static const struct {
	unsigned reading;
	const struct word *words;
	size_t n;
	uint64_t ignored;
} all_words[] = {
	{ READING_OFLAGS, open_modes, ARRAY_LEN(open_modes), O_CLOEXEC },
	{ READING_OFLAGS, open_flags, ARRAY_LEN(open_flags), O_CLOEXEC },
	{ READING_FAMILY, families, ARRAY_LEN(families), 0 },
	{ READING_SOCKTYPE, socket_types, ARRAY_LEN(socket_types), SOCK_CLOEXEC | SOCK_NONBLOCK },
	{ READING_SOCKTYPE, socket_bits, ARRAY_LEN(socket_bits), 0 },
	{ READING_FCNTL, fcntl_commands, ARRAY_LEN(fcntl_commands), 0 },
	{ READING_LOCKF, lockf_commands, ARRAY_LEN(lockf_commands), 0 },
	{ READING_FLOCK, flocks, ARRAY_LEN(flocks), 0 },
	{ READING_MMAP, mmap_accesses, ARRAY_LEN(mmap_accesses), 0 },
	{ READING_RLIMIT, limits, ARRAY_LEN(limits), 0 },
	{ READING_SYSLOG, priorities, ARRAY_LEN(priorities), ~(uint64_t)LOG_PRIMASK },
	{ READING_HKEY, keys, ARRAY_LEN(keys), ~UINT64_C(0xffffffff) },
};

static const struct word *word_at(size_t i, uint64_t *ret_ignored)
{
	for (size_t k = 0; k < ARRAY_LEN(all_words); i -= all_words[k++].n)
		if (i < all_words[k].n) {
			*ret_ignored = all_words[k].ignored;
			return &all_words[k].words[i];
		}
	return NULL;
}

const char *gist_word_at(size_t i)
{
	uint64_t ignored;
	const struct word *w = word_at(i, &ignored);
	return w ? w->name : NULL;
}

const char *gist_word_of(unsigned reading, size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(all_words); k++) {
		if (all_words[k].reading != reading)
			continue;
		if (i < all_words[k].n)
			return all_words[k].words[i].name;
		i -= all_words[k].n;
	}
	return NULL;
}

bool gist_word_find(const char *s, size_t n_bytes, int64_t *ret, uint64_t *ret_ignored)
{
	uint64_t ignored;
	const struct word *w;
	for (size_t i = 0; (w = word_at(i, &ignored)); i++)
		if (strlen(w->name) == n_bytes && !memcmp(w->name, s, n_bytes)) {
			*ret = w->value;
			*ret_ignored = ignored & ~(uint64_t)w->value;
			return true;
		}
	*ret_ignored = 0;
	for (int i = 1; n_bytes > 3 && !memcmp(s, "SIG", 3) && i < 65; i++) {
		const char *name = sigabbrev_np(i);
		if (name && strlen(name) == n_bytes - 3 && !memcmp(name, s + 3, n_bytes - 3)) {
			*ret = i;
			return true;
		}
	}
	for (int i = 1; n_bytes > 3 && s[0] == 'E' && i < 4096; i++) {
		const char *name = strerrorname_np(i);
		if (name && strlen(name) == n_bytes && !memcmp(name, s, n_bytes)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool gist_word_like(const char *s, size_t n_bytes)
{
	static const char *const prefixes[] = {
		"O_", "AF_", "SOCK_", "RLIMIT_", "LOCK_", "ACCESS_"
	};
	for (size_t i = 0; i < n_bytes; i++)
		if (!(s[i] >= 'A' && s[i] <= 'Z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '_')
			return false;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (n_bytes > strlen(prefixes[i]) && !memcmp(s, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

bool gist_has_shell_sign(const char *s, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		if (strchr("$`*?[]{}()<>|&;!", s[i]))
			return true;
	return false;
}
