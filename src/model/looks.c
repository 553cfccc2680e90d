/*
 * looks: see looks.h. To recognise another kind of bytes, add a row to signatures[].
 */
#include "model/looks.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "model/arguments.h"
#include "model/trace.h"
#include "model/value_text.h"

#define BYTES(text) text, sizeof(text) - 1

/* clang-format off */
static const struct {
	const char *bytes;
	uint8_t n;
	const char *what;
} signatures[] = {
	{ BYTES("\x1f\x8b\x08"), "a gzip stream" },
	{ BYTES("BZh"), "a bzip2 stream" },
	{ BYTES("\xfd" "7zXZ"), "an xz stream" },
	{ BYTES("\x28\xb5\x2f\xfd"), "a zstd stream" },
	{ BYTES("PK\x03\x04"), "a zip archive (a wheel, a jar, a document)" },
	{ BYTES("\x7f" "ELF"), "an ELF program or library" },
	{ BYTES("\x89PNG\r\n"), "a PNG picture" },
	{ BYTES("\xff\xd8\xff"), "a JPEG picture" },
	{ BYTES("GIF8"), "a GIF picture" },
	{ BYTES("%PDF-"), "a PDF document" },
	{ BYTES("SQLite format 3"), "an SQLite database" },
	{ BYTES("\x93NUMPY"), "a NumPy array" },
	{ BYTES("\x89HDF"), "an HDF5 file" },
	{ BYTES("PAR1"), "a Parquet file" },
	{ BYTES("-----BEGIN OPENSSH PRIVATE KEY"), "a private key" },
	{ BYTES("-----BEGIN PRIVATE KEY"), "a private key" },
	{ BYTES("-----BEGIN RSA PRIVATE KEY"), "a private key" },
	{ BYTES("-----BEGIN EC PRIVATE KEY"), "a private key" },
	{ BYTES("-----BEGIN CERTIFICATE"), "a certificate" },
	{ BYTES("ssh-rsa "), "a public key of ssh" },
	{ BYTES("ssh-ed25519 "), "a public key of ssh" },
	{ BYTES("SSH-2.0-"), "the greeting of an ssh peer" },
	{ BYTES("\x16\x03\x01"), "the beginning of a TLS handshake" },
	{ BYTES("\x16\x03\x03"), "the beginning of a TLS handshake" },
	{ BYTES("<?xml"), "XML" },
	{ BYTES("<!DOCTYPE html"), "HTML" },
	{ BYTES("<!doctype html"), "HTML" },
	{ BYTES("<html"), "HTML" },
	{ BYTES("#!/"), "a script" },
	{ BYTES("GET /"), "an HTTP request" },
	{ BYTES("POST /"), "an HTTP request" },
	{ BYTES("PUT /"), "an HTTP request" },
	{ BYTES("HEAD /"), "an HTTP request" },
	{ BYTES("DELETE /"), "an HTTP request" },
	{ BYTES("HTTP/1."), "an HTTP answer" },
	{ BYTES("SELECT "), "SQL" },
	{ BYTES("INSERT INTO "), "SQL" },
	{ BYTES("CREATE TABLE "), "SQL" },
};

/* Ports that events speak of most; the names are those of the IANA registry. */
static const struct {
	uint16_t port;
	const char *name;
} ports[] = {
	{ 21, "ftp" }, { 22, "ssh" }, { 23, "telnet" }, { 25, "smtp" }, { 53, "domain" }, { 80, "http" }, { 110, "pop3" },
	{ 119, "nntp" }, { 123, "ntp" }, { 143, "imap" }, { 389, "ldap" }, { 443, "https" }, { 465, "submissions" },
	{ 514, "syslog" }, { 587, "submission" }, { 636, "ldaps" }, { 873, "rsync" }, { 993, "imaps" }, { 995, "pop3s" },
	{ 1433, "ms-sql-s" }, { 1521, "oracle" }, { 1883, "mqtt" }, { 2181, "zookeeper" }, { 2379, "etcd-client" },
	{ 3306, "mysql" }, { 5432, "postgresql" }, { 5672, "amqp" }, { 6379, "redis" }, { 8125, "statsd" }, { 9042, "cassandra" },
	{ 9092, "kafka" }, { 9200, "elasticsearch" }, { 11211, "memcache" }, { 27017, "mongodb" },
};
/* clang-format on */

const char *looks_port(int64_t port)
{
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (ports[i].port == port)
			return ports[i].name;
	return NULL;
}

static bool all_of(const uint8_t *s, size_t n, const char *set)
{
	for (size_t i = 0; i < n; i++)
		if (!s[i] || !strchr(set, s[i]))
			return false;
	return n > 0;
}

/* CPython Python/marshal.c: TYPE_CODE is 'c', its top bit FLAG_REF; then argcount, posonlyargcount
 * and kwonlyargcount as 32-bit numbers, which are small. */
static bool is_code(const uint8_t *s, size_t n)
{
	return n >= 13 && (s[0] & 0x7f) == 'c' && !s[2] && !s[3] && !s[4] && !s[6] && !s[7] &&
	       !s[8] && !s[10] && !s[11] && !s[12];
}

/* CPython Lib/importlib/_bootstrap_external.py, MAGIC_NUMBER: two bytes of a number between 3390
 * (3.7) and 3999, then \r\n. */
static bool is_pyc(const uint8_t *s, size_t n)
{
	unsigned magic = n >= 4 ? s[0] | (unsigned)s[1] << 8 : 0;
	return magic >= 3390 && magic < 4000 && s[2] == '\r' && s[3] == '\n';
}

static const char hex[] = "0123456789abcdefABCDEF",
		  base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-";

/* A text of letters and digits that is not a word: digests, identifiers, encoded bytes. n is its
 * full length. */
static const char *token(const uint8_t *s, size_t n)
{
	if (n == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
	    all_of(s, 8, hex) && all_of(s + 24, 12, hex))
		return "a UUID";
	if (all_of(s, n, hex))
		return n == 32    ? "an MD5 digest, or a UUID"
		       : n == 40  ? "a SHA-1 digest"
		       : n == 64  ? "a SHA-256 digest"
		       : n == 128 ? "a SHA-512 digest"
				  : NULL;
	if (n > 40 && !memcmp(s, "eyJ", 3) && memchr(s, '.', n))
		return "a JSON web token";
	bool digit = false, upper = false, lower = false;
	for (size_t i = 0; i < n && i < 200; i++) {
		digit |= isdigit(s[i]) != 0;
		upper |= isupper(s[i]) != 0;
		lower |= islower(s[i]) != 0;
	}
	if (n >= 40 && n % 4 == 0 && digit && upper && lower && all_of(s, n, base64) &&
	    !memchr(s, '/', n < 4 ? n : 4))
		return "base64";
	return NULL;
}

bool looks_like(struct strbuf *to, const struct value_node *v, int minor)
{
	const uint8_t *s = v->bytes;
	size_t n = v->n_bytes;
	bool is_bytes = value_is_bytes(v->tag);
	if ((!is_bytes && !value_is_text(v->tag)) || n < 3)
		return false;
	if (is_bytes && is_code(s, n)) {
		strbuf_adds(to, "a code object");
		if (minor)
			strbuf_addf(to, " of Python 3.%d", minor);
		return true;
	}
	if (is_bytes && is_pyc(s, n)) {
		strbuf_adds(to, "a .pyc file");
		return true;
	}
	/* CPython Lib/pickle.py: PROTO (0x80) and the protocol, then from protocol 4 on FRAME
	 * (0x95) */
	if (is_bytes && s[0] == 0x80 && s[1] >= 2 && s[1] <= 5 &&
	    (s[1] < 4 || n < 11 || s[2] == 0x95 || s[n - 1] == '.')) {
		strbuf_addf(to, "a pickle, protocol %d", s[1]);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++)
		if (n >= signatures[i].n && !memcmp(s, signatures[i].bytes, signatures[i].n)) {
			strbuf_adds(to, signatures[i].what);
			return true;
		}
	bool is_object = s[0] == '{' && memchr("\"}\n ", s[1], 4),
	     is_array = s[0] == '[' && memchr("{[\"]\n", s[1], 5);
	if ((is_object || is_array) &&
	    (value_is_cut(v) || s[n - 1] == (is_object ? '}' : ']') || s[n - 1] == '\n')) {
		strbuf_adds(to, "JSON");
		return true;
	}
	const char *what = value_is_cut(v) ? NULL : token(s, n);
	if (what)
		strbuf_adds(to, what);
	return what != NULL;
}

/* ---- where it came from ---- */

static bool name_is(const struct trace *t, uint32_t name, const char *text)
{
	size_t n;
	const char *s = trace_name(t, name, &n);
	return n == strlen(text) && !memcmp(s, text, n);
}

static bool ends_in(const struct value_node *v, const char *const *endings, size_t n_endings)
{
	for (size_t i = 0; i < n_endings; i++) {
		size_t n = strlen(endings[i]);
		if (v->n_bytes >= n && !memcmp(v->bytes + v->n_bytes - n, endings[i], n))
			return true;
	}
	return false;
}

uint64_t looks_opened(struct trace *t, const struct event *e)
{
	static const char *const pyc[] = { ".pyc" }, *const py[] = { ".py", ".pyc", ".pyw",
								     ".pth" };
	enum { ROWS_MAX = 200 };
	static const uint64_t soon_ns = 1000000000;
	bool is_marshal = name_is(t, e->name, "marshal.loads") ||
			  name_is(t, e->name, "marshal.load");
	bool is_source = name_is(t, e->name, "compile"),
	     is_pickle = name_is(t, e->name, "pickle.find_class");
	if (!is_marshal && !is_source && !is_pickle)
		return UINT64_MAX;
	uint64_t at = e->seq;
	for (unsigned i = 0; i < ROWS_MAX && at > 0; i++) {
		struct event other;
		if (!trace_event(t, --at, &other) || other.thread != e->thread)
			continue;
		if (other.time_ns + soon_ns < e->time_ns)
			break;
		if (name_is(t, other.name, "marshal.loads") || name_is(t, other.name, "import"))
			break; /* that open belongs to the other event */
		if (!name_is(t, other.name, "open"))
			continue;
		struct arguments all;
		struct argument arg;
		arguments_init(&all, t, &other);
		if (!arguments_next(&all, &arg) ||
		    !(value_is_text(arg.value.tag) || value_is_bytes(arg.value.tag)))
			continue;
		if (is_pickle || (is_marshal ? ends_in(&arg.value, pyc, ARRAY_LEN(pyc))
					     : ends_in(&arg.value, py, ARRAY_LEN(py))))
			return at;
		break; /* another file was opened later: the source is unknown */
	}
	return UINT64_MAX;
}
