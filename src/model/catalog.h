/*
 * catalog: what is known of every audit event of CPython 3.8 to 3.15.
 *
 * The facts are data/events/<theme>.rec; data/gen/gen_catalog.py checks them and writes the tables
 * declared here at build time. Everything is static, constant and lives forever: no look-up
 * allocates, none can fail otherwise than by finding nothing. Versions are the minor of 3.N as an
 * int; 0 means "not known", for which the newest is assumed.
 *
 * GISTS. An event's gist says how it reads in one line, values only. It is text with arguments in
 * braces:
 *
 *     socket.connect    {address:hostport}               127.0.0.1:5432
 *     open              {path:path} {mode|flags:oflags}  /etc/hosts r
 *     os.remove         {path:path}[ in {dir_fd:fd}]     order-7.txt.gz in fd 8
 *
 * {NAME:READING}   the argument, shown by that reading; plain {NAME} is the reading "value"
 * {A:R|B:S}        A, or if A is empty, B
 * [ ... ]          all of it, or nothing if an argument inside is empty; not nested
 *
 * An argument is empty when it is absent, None, an empty text, or, read as a fd or option,
 * negative. Whatever the reading, a value that it does not fit (empty, of a custom type,
 * unreadable) is shown as "value" shows it. Arguments are addressed by position: versions differ in
 * names only where a gist uses them. gist.h renders gists.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOG_MINOR_OLDEST 8
#define CATALOG_MINOR_NEWEST 15

/* In the order in which people should see them: by how far they reach. Same order and words as
 * data/themes.tsv. */
enum catalog_theme {
	THEME_NETWORK,
	THEME_PROCESS,
	THEME_NATIVE,
	THEME_FILESYSTEM,
	THEME_DATABASE,
	THEME_THREADS,
	THEME_CODE_EXECUTION,
	THEME_SERIALIZATION,
	THEME_IMPORT,
	THEME_INTROSPECTION,
	THEME_INTERPRETER,
	THEME_MEMORY,
	THEME_USER_INPUT,
	THEME_WINDOWS,
	THEME_UNKNOWN, /* an event without an entry */
	THEME_COUNT
};

/* Themes that share a hue and a lane. */
enum catalog_group {
	GROUP_NETWORK,
	GROUP_FILES,
	GROUP_PROCESS,
	GROUP_CODE,
	GROUP_BELOW,
	GROUP_IMPORT,
	GROUP_INSIDE,
	GROUP_COUNT
};

enum catalog_reading {
	/* text bare if it has no spaces or escapes and is not empty; else as Python writes it */
	READING_VALUE,
	READING_PATH,     /* text or bytes as a file name, cut in the middle; an int is "fd N" */
	READING_URL,      /* text, cut in the middle */
	READING_TEXT,     /* text or bytes, one line, escaped, without quotes, cut at the end */
	READING_ARGV,     /* a sequence as a shell line; a text as it is */
	READING_HOSTPORT, /* ("host", port, ...) as host:port or [v6]:port; text or bytes: a Unix
			     socket, @name if abstract */
	READING_CALL,     /* a tuple as (a, b) */
	READING_CODE,     /* code or frame object: "<module> of app.py", "func app.py:12" */
	READING_CALLABLE, /* function, method, class: its qualified name */
	READING_TYPE,     /* class: its name */
	READING_OBJECT,   /* type name, then its known attributes */
	READING_LEN,      /* bytes: their full length, "23 457 B" */
	READING_COUNT,    /* container: its length */
	READING_SIZE,     /* int: bytes, "4096 B" */
	READING_HEX,      /* int: 0x7f00 */
	READING_OCTAL,    /* int: 0644 */
	READING_FD,       /* int: "fd 8"; negative is empty; an object: its fd if known */
	READING_OPTION,   /* int: negative is empty */
	READING_OFLAGS,   /* int: O_RDWR|O_CREAT */
	READING_FAMILY,   /* int: AF_INET */
	READING_SOCKTYPE, /* int: SOCK_STREAM, without SOCK_CLOEXEC and SOCK_NONBLOCK */
	READING_SIGNAL,   /* int: SIGTERM */
	READING_ERRNO,    /* int: ENOENT */
	READING_FCNTL,    /* int: F_GETFD */
	READING_FLOCK,    /* int: LOCK_EX|LOCK_NB */
	READING_LOCKF,    /* int: F_LOCK */
	READING_MMAP,     /* int: ACCESS_READ */
	READING_RLIMIT,   /* int: RLIMIT_NOFILE */
	READING_SYSLOG,   /* int: LOG_ERR, the facility left out */
	READING_HKEY,     /* int: HKEY_LOCAL_MACHINE, else hexadecimal */
	READING_KIND_COUNT
};

enum catalog_gist_kind { GIST_TEXT, GIST_ARG };
struct catalog_gist_part {
	uint8_t kind;     /* enum catalog_gist_kind */
	uint8_t group;    /* parts inside one [ ] share a number; 0: outside */
	uint8_t arg;      /* position, GIST_ARG only */
	uint8_t reading;  /* enum catalog_reading, GIST_ARG only */
	bool or_next;     /* if shown: skip the next part; if empty: the next part replaces it */
	const char *text; /* GIST_TEXT only */
};

enum catalog_arg_flag {
	ARG_BULK = 1,   /* usually large and seldom read: cut shorter than other values */
	ARG_SECRET = 2, /* may hold passwords or keys */
	/* an int in it, or the fd of an object, is a descriptor: the recorder looks what that is */
	ARG_FD = 4,
};
struct catalog_arg {
	/* type: hints joined by |, as in data/events; path: str, bytes or path-like */
	const char *name, *type;
	const char *meaning;
	unsigned flags; /* enum catalog_arg_flag */
};
struct catalog_signature { /* arguments in versions that differ from the newest */
	uint32_t minors;   /* bit N: 3.N */
	uint8_t n_args;
	const struct catalog_arg *args;
};

/* how often the start-up and end of an interpreter without a program raise it (python -S -c
 * pass) */
struct catalog_startup {
	uint8_t minor;
	uint16_t before, after; /* before the program's first line, after its last */
};

enum catalog_platform {
	PLATFORM_ANY = 1,
	PLATFORM_UNIX = 2,
	PLATFORM_LINUX = 4,
	PLATFORM_BSD = 8,
	PLATFORM_MACOS = 16,
	PLATFORM_WINDOWS = 32,
};

struct catalog_event {
	const char *name;
	const char *category; /* its name up to the first dot, or the whole name */
	const char *alias;    /* a wrong name in the docs, or NULL */
	const char *alias_note;
	enum catalog_theme theme;
	/* minors; removed: the first version without it, 0 if no version removed it */
	int since, removed;
	bool documented, seed;
	uint8_t platforms; /* enum catalog_platform, or'ed */
	uint8_t n_args, n_signatures, n_gist, n_startup;
	uint32_t seen_minors; /* bit N: its example was seen to raise it in 3.N */
	const char *description;
	const struct catalog_arg *args; /* of the newest version; n_args of them */
	const struct catalog_signature *signatures;
	/* n_startup of them, ascending; versions that do not raise it are left out */
	const struct catalog_startup *startup;
	const char *gist; /* as written in the record; NULL if it has none */
	const struct catalog_gist_part *gist_parts;
	const char *const *formats;   /* Py_BuildValue formats at the C call sites, "" for none;
					 NULL-terminated, as all below */
	const char *const *raised_by; /* public ways to raise it */
	const char *const *sites;     /* "file:function" in sites_version */
	const char *sites_version;    /* NULL if there are no sites */
	const char *note;             /* surprising behaviour; all notes may be NULL */
	const char *since_note;
	const char *example; /* a script for Linux, or NULL */
	const char *example_note;
};

struct catalog_theme_info {
	const char *name;
	const char *about;
	enum catalog_group group;
	const uint16_t *events; /* indices into catalog_events, by category then name */
	size_t n_events;
};

extern const struct catalog_event catalog_events[]; /* by name, bytewise */
extern const size_t n_catalog_events;
extern const struct catalog_theme_info catalog_themes[THEME_COUNT];

/* Find by the name raised, or by a wrong name in the docs; NULL for an unknown event. name need not
 * be NUL-terminated. */
const struct catalog_event *catalog_find(const char *name, size_t n_bytes);
const struct catalog_event *catalog_find_str(const char *name);
size_t catalog_index(const struct catalog_event *e);

/* True if CPython 3.minor raises it (on its platforms). */
bool catalog_is_in(const struct catalog_event *e, int minor);

/* Arguments in 3.minor. */
const struct catalog_arg *catalog_args(const struct catalog_event *e, int minor, size_t *ret_n);

/* The key of argument `index`: its name, or its position in decimal if e is NULL or has fewer
 * names. buf is used for the latter; the result is valid as long as buf. */
#define CATALOG_KEY_BYTES 24
const char *catalog_arg_key(const struct catalog_event *e, int minor, size_t index,
			    char buf[CATALOG_KEY_BYTES]);
/* The position of the argument called `name` in 3.minor, or in any version if that one has none; -1
 * if unknown. A decimal number is a position. */
int catalog_arg_find(const struct catalog_event *e, int minor, const char *name, size_t n_bytes);

/* The category of any name, known or not, as the length of the prefix. */
size_t catalog_category_bytes(const char *name, size_t n_bytes);
/* Is it an event of the program or of a package, raised with sys.audit()? Its name is not in the
 * catalogue, and neither is its category: an unknown os.frob is an event of a Python that is newer
 * than the catalogue. */
bool catalog_is_own(const char *name, size_t n_bytes);
/* THEME_UNKNOWN for an unknown event */
enum catalog_theme catalog_theme_of(const char *name, size_t n_bytes);
/* THEME_COUNT if there is none; "code_execution" is accepted too */
enum catalog_theme catalog_theme_find(const char *name, size_t n_bytes);
static inline const char *catalog_theme_name(enum catalog_theme t)
{
	return catalog_themes[t].name;
}
const char *catalog_platform_name(enum catalog_platform p);

/* The events whose names are nearest to an unknown name, best first; at most max, fewer or none if
 * nothing is near. */
size_t catalog_nearest(const char *name, size_t n_bytes, const struct catalog_event **ret,
		       size_t max);
/* How to read argument number `arg` if it is a number with a name (AF_INET, O_RDONLY, SIGTERM) or
 * permission bits; else READING_VALUE. e may be NULL. */
unsigned catalog_arg_reading(const struct catalog_event *e, uint32_t arg);
