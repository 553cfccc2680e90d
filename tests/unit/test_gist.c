#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "model/catalog.h"
#include "model/gist.h"
#include "model/value_iter.h"

/* ---- a value, written by hand ---- */

static void put_int(struct strbuf *b, int64_t v)
{
	strbuf_addc(b, VALUE_INT);
	strbuf_add_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_text(struct strbuf *b, enum value_tag tag, const char *s, size_t n)
{
	strbuf_addc(b, (char)tag);
	strbuf_add_varint(b, n);
	strbuf_add(b, s, n);
}

static void put_cut(struct strbuf *b, enum value_tag tag, uint64_t full, const char *s)
{
	strbuf_addc(b, (char)tag);
	strbuf_add_varint(b, full);
	strbuf_add_varint(b, strlen(s));
	strbuf_adds(b, s);
}

static void put_container(struct strbuf *b, enum value_tag tag, uint64_t full, uint64_t kept)
{
	strbuf_addc(b, (char)tag);
	strbuf_add_varint(b, full);
	strbuf_add_varint(b, kept);
}

static void put_object(struct strbuf *b, const char *type, unsigned n_attrs)
{
	strbuf_addc(b, VALUE_OBJECT);
	strbuf_add_varint(b, strlen(type));
	strbuf_adds(b, type);
	strbuf_add_varint(b, n_attrs);
}

static void put_attr(struct strbuf *b, const char *name)
{
	strbuf_add_varint(b, strlen(name));
	strbuf_adds(b, name);
}

/* s: text, b: bytes, i: int, n: None, t: text cut (full length, head), T: bytes cut, ?: unreadable,
 * a: list of texts up to NULL, h: (host, port), c: code object (name, file), o: object of type with
 * text attribute name */
static void put_args(struct strbuf *b, const char *kinds, va_list ap)
{
	put_container(b, VALUE_TUPLE, strlen(kinds), strlen(kinds));
	for (; *kinds; kinds++) {
		const char *s;
		struct strbuf list = { 0 };
		size_t n = 0;

		switch (*kinds) {
		case 's':
			s = va_arg(ap, const char *);
			put_text(b, VALUE_STR, s, strlen(s));
			break;
		case 'b':
			s = va_arg(ap, const char *);
			put_text(b, VALUE_BYTES, s, strlen(s));
			break;
		case 'i': put_int(b, va_arg(ap, int)); break;
		case 'n': strbuf_addc(b, VALUE_NONE); break;
		case '?': strbuf_addc(b, VALUE_UNREADABLE); break;
		case 't':
			n = (size_t)va_arg(ap, int);
			put_cut(b, VALUE_STR_CUT, n, va_arg(ap, const char *));
			break;
		case 'T':
			n = (size_t)va_arg(ap, int);
			put_cut(b, VALUE_BYTES_CUT, n, va_arg(ap, const char *));
			break;
		case 'a':
			while ((s = va_arg(ap, const char *))) {
				put_text(&list, VALUE_STR, s, strlen(s));
				n++;
			}
			put_container(b, VALUE_LIST, n, n);
			strbuf_add(b, strbuf_str(&list), list.n);
			break;
		case 'h':
			put_container(b, VALUE_TUPLE, 2, 2);
			s = va_arg(ap, const char *);
			put_text(b, VALUE_STR, s, strlen(s));
			put_int(b, va_arg(ap, int));
			break;
		case 'c':
			put_object(b, "code", 3);
			put_attr(b, "name");
			s = va_arg(ap, const char *);
			put_text(b, VALUE_STR, s, strlen(s));
			put_attr(b, "file");
			s = va_arg(ap, const char *);
			put_text(b, VALUE_STR, s, strlen(s));
			put_attr(b, "line");
			put_int(b, 12);
			break;
		case 'o':
			put_object(b, va_arg(ap, const char *), 1);
			put_attr(b, "name");
			s = va_arg(ap, const char *);
			put_text(b, VALUE_STR, s, strlen(s));
			break;
		default: fail_msg("kind %c", *kinds);
		}
		strbuf_fini(&list);
	}
}

static void check(const char *expected, size_t max_cells, const char *event, const char *kinds, ...)
{
	struct strbuf bytes = { 0 }, gist = { 0 };
	struct value_iter it;
	va_list ap;

	va_start(ap, kinds);
	put_args(&bytes, kinds, ap);
	va_end(ap);
	value_iter_init_bytes(&it, NULL, bytes.s, bytes.n, NULL, 0);
	gist_add(&gist, catalog_find_str(event), &it, max_cells);
	assert_string_equal(strbuf_str(&gist), expected);
	strbuf_fini(&bytes);
	strbuf_fini(&gist);
}

static void test_readings(void **state)
{
	check("127.0.0.1:5432", 0, "socket.connect", "oh", "socket.socket", "x", "127.0.0.1", 5432);
	check("[::1]:80", 0, "socket.connect", "nh", "::1", 80);
	check("/run/a.sock", 0, "socket.connect", "ns", "/run/a.sock");
	check("AF_INET SOCK_STREAM", 0, "socket.__new__", "niii", 2, 1 | 02000000, 0);
	check("99 77", 0, "socket.__new__", "niii", 99, 77, 0);
	check("/etc/hosts r", 0, "open", "ssi", "/etc/hosts", "r", 524288);
	check("/etc/hosts O_RDWR|O_CREAT", 0, "open", "sni", "/etc/hosts", 2 | 0100 | 02000000);
	check("fd 3 w", 0, "open", "isi", 3, "w", 0);
	check("a.gz", 0, "os.remove", "si", "a.gz", -1);
	check("a.gz in fd 8", 0, "os.remove", "si", "a.gz", 8);
	check("/usr/bin/gzip -9 'a b' '$x'", 0, "subprocess.Popen", "sann", "/usr/bin/gzip",
	      "/usr/bin/gzip", "-9", "a b", "$x", NULL);
	check("gzip -9 a b", 0, "subprocess.Popen", "nsnn", "gzip -9 a b");
	check("<module> of app.py", 0, "exec", "c", "<module>", "/srv/app.py");
	check("main app.py:12", 0, "exec", "c", "main", "/srv/app.py");
	check("work", 0, "_thread.start_new_thread", "onn", "function", "work");
	check("CDLL libc.so.6 getpid", 0, "ctypes.dlsym", "os", "ctypes.CDLL", "libc.so.6",
	      "getpid");
	check("builtins.ValueError", 0, "pickle.find_class", "ss", "builtins", "ValueError");
	check("41 SIGTERM", 0, "os.kill", "ii", 41, 15);
	check("a 0644", 0, "os.chmod", "sii", "a", 0644, -1);
	check("[cut] 3 of 23 457 B", 0, "marshal.loads", "T", 23457, "abc");
	check("GET http://x/", 0, "urllib.Request", "snns", "http://x/", "GET");
	check("http://x/", 0, "urllib.Request", "snnn", "http://x/");
	check("4 096 B ACCESS_DEFAULT", 0, "mmap.__new__", "iiii", -1, 4096, 0, 0);
	check("GET / HTTP/1.1\\r\\nHost", 0, "http.client.send", "nb", "GET / HTTP/1.1\r\nHost");
}

static void test_what_does_not_fit_the_reading(void **state)
{
	check("?? r", 0, "open", "?si", "r", 0);
	check("\"\" r", 0, "open", "ssi", "", "r", 0);
	check("None", 0, "os.listdir", "n");
}

static void test_hostile_values(void **state)
{
	check("\"a\\x1b[2Jb c\" r", 0, "open", "ssi", "a\x1b[2Jb c", "r", 0);
	check("1 2", 0, "no.such.event", "ii", 1, 2);
	check("\"a b\" None x", 0, "no.such.event", "sns", "a b", "x");
	check("", 0, "socket.connect", "");
	check("", 0, "open", "");
}

static void test_width(void **state)
{
	check("/srv/…/settings.json r", 24, "open", "ssi", "/srv/shop/config/live/settings.json",
	      "r", 0);
	check("/srv/…/live/settings.json r", 28, "open", "ssi",
	      "/srv/shop/config/live/settings.json", "r", 0);
	check("…/settings.json r", 19, "open", "ssi", "/srv/shop/config/live/settings.json", "r",
	      0);
	check("…/sett…s.json r", 15, "open", "ssi", "/srv/shop/config/live/settings.json", "r", 0);
	check("\"…/a settings.json\" r", 21, "open", "ssi", "/srv/shop/config/live/a settings.json",
	      "r", 0);
	check("GET http://127…/orders/7", 24, "urllib.Request", "snns",
	      "http://127.0.0.1:8077/orders/7", "GET");
	/* commands differ by their last words */
	check("/usr/bin/gzip -9 …/Utrecht-6.txt", 33, "subprocess.Popen", "sa", "/usr/bin/gzip",
	      "/usr/bin/gzip", "-9", "/tmp/shop-ltrw6yqw/Utrecht-6.txt", NULL);
	check("…/gzip -9 …/Utrecht-6.txt", 25, "subprocess.Popen", "sa", "/usr/bin/gzip",
	      "/usr/bin/gzip", "-9", "/tmp/shop-ltrw6yqw/Utrecht-6.txt", NULL);
	check("…/gzip -9 …echt-6.txt", 21, "subprocess.Popen", "sa", "/usr/bin/gzip",
	      "/usr/bin/gzip", "-9", "/tmp/shop-ltrw6yqw/Utrecht-6.txt", NULL);
	/* a backslash of an escape is one cell */
	check("\"…/\\x1b[31…u202e.json\" r", 24, "open", "ssi", "/srv/shop/\x1b[31mred\u202e.json",
	      "r", 0);
	check("…/gzip '…aulo-4.txt'", 22, "subprocess.Popen", "sa", "/usr/bin/gzip",
	      "/usr/bin/gzip", "/tmp/shop-ltrw6yqw/São Paulo-4.txt", NULL);
	check("…/gzip '…/São Paulo-4.txt'", 26, "subprocess.Popen", "sa", "/usr/bin/gzip",
	      "/usr/bin/gzip", "/tmp/shop-ltrw6yqw/São Paulo-4.txt", NULL);
	check("http://127.0.0.1/…/7", 20, "webbrowser.open", "s", "http://127.0.0.1/orders/of/7");
	check("rm -rf …", 8, "os.system", "b", "rm -rf /srv");
	check("大…", 4, "os.system", "s", "大阪大阪");

	struct strbuf path = { 0 };
	strbuf_adds(&path, "name-without-folders");
	gist_cut_path(&path, 5);
	assert_string_equal(path.s, "name-without-folders");
	strbuf_clear(&path);
	strbuf_adds(&path, "a/b/c/d/e/f");
	gist_cut_path(&path, 7);
	assert_string_equal(path.s, "a/…/e/f");
	strbuf_fini(&path);
}

/* Bytes that are no value, under every gist: the function returns, and only printable text comes
 * out. */
static void test_noise(void **state)
{
	uint32_t seed = 12345;

	for (int round = 0; round < 3000; round++) {
		char noise[80];
		struct strbuf gist = { 0 };
		struct value_iter it;

		for (size_t i = 0; i < sizeof(noise); i++) {
			seed = seed * 1664525 + 1013904223;
			noise[i] = (char)(i % 3 ? seed >> 24 : (seed >> 24) % VALUE_TAG_COUNT);
		}
		noise[0] = VALUE_TUPLE;
		noise[1] = noise[2] = 4;
		value_iter_init_bytes(&it, NULL, noise, sizeof(noise), NULL, 0);
		gist_add(&gist, &catalog_events[(size_t)round % n_catalog_events], &it,
			 (size_t)round % 60);
		for (size_t i = 0; i < gist.n; i++)
			assert_true((unsigned char)gist.s[i] >= ' ' && gist.s[i] != 0x7f);
		strbuf_fini(&gist);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readings),
		cmocka_unit_test(test_what_does_not_fit_the_reading),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
