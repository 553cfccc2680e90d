/*
 * sample: events as the order service of the demo raises them, with a clock of our own.
 */
#include "sample.h"

#include <stdarg.h>

#include "../unit/capture_util.h"

struct shop {
	struct writer *w;
	uint64_t now_ns;
	uint32_t main, http, worker;
	uint32_t run;  /* stack: <module> at its last line */
	uint32_t task; /* of the events that follow; 0: none */
	unsigned n_stacks;
};

static uint32_t str(struct shop *s, const char *text)
{
	return writer_string(s->w, text, strlen(text));
}

static uint32_t frame(struct shop *s, uint32_t parent, const char *function, const char *file,
		      uint32_t line)
{
	struct frame_info f = { .kind = FRAME_PYTHON,
				.function = str(s, function),
				.file = str(s, file),
				.line = line,
				.first_line = line > 3 ? line - 3 : 1 };
	return writer_stack(s->w, parent, writer_frame(s->w, &f));
}

#define APP    "/srv/shop/app.py"
#define DB     "/srv/shop/db.py"
#define REPORT "/srv/shop/report.py"
#define TAX    "/srv/shop/plugins/tax.py"
#define LIB    "/usr/lib/python3.12/"

/* Write arguments described by a format: s string, i int, b bytes, n None, o object (type, attr
 * fd), l list of strings up to NULL, e dictionary of strings up to NULL, t ("host", port). */
static uint32_t args(struct shop *s, const char *format, ...)
{
	struct strbuf b = { 0 };
	va_list ap;
	va_start(ap, format);
	put_container(&b, VALUE_TUPLE, strlen(format), strlen(format));
	for (const char *p = format; *p; p++)
		switch (*p) {
		case 's': put_str(&b, va_arg(ap, const char *)); break;
		case 'i': put_int(&b, va_arg(ap, int)); break;
		case 'n': strbuf_addc(&b, VALUE_NONE); break;
		case 'b': {
			const char *text = va_arg(ap, const char *);
			strbuf_addc(&b, VALUE_BYTES);
			strbuf_add_varint(&b, strlen(text));
			strbuf_adds(&b, text);
			break;
		}
		case 'B': { /* cut: full length, then the kept part */
			int full = va_arg(ap, int);
			strbuf_addc(&b, VALUE_BYTES_CUT);
			strbuf_add_varint(&b, (uint64_t)full);
			strbuf_add_varint(&b, 256);
			for (int i = 0; i < 256; i++)
				strbuf_addc(
				    &b,
				    (char)(i < 16
					       ? "\xe3\0\0\0\0\0\0\0\0\0\0\0\0\a\0"[i < 15 ? i : 14]
					       : i * 7));
			break;
		}
		case 'o': put_object(&b, va_arg(ap, const char *), 0); break;
		case 'S': { /* a socket */
			int fd = va_arg(ap, int);
			put_object(&b, "socket.socket", 2);
			put_counted(&b, "fd");
			put_int(&b, fd);
			put_counted(&b, "family");
			put_int(&b, 2);
			break;
		}
		case 'c': { /* a code object */
			put_object(&b, "code", 3);
			put_counted(&b, "name");
			put_str(&b, va_arg(ap, const char *));
			put_counted(&b, "file");
			put_str(&b, va_arg(ap, const char *));
			put_counted(&b, "line");
			put_int(&b, 1);
			break;
		}
		case 't': {
			put_container(&b, VALUE_TUPLE, 2, 2);
			put_str(&b, va_arg(ap, const char *));
			put_int(&b, va_arg(ap, int));
			break;
		}
		case 'e': { /* a dictionary: name, value, …, NULL */
			const char *items[32];
			unsigned n = 0;
			while ((items[n] = va_arg(ap, const char *)))
				n++;
			put_container(&b, VALUE_DICT, n / 2, n / 2);
			for (unsigned i = 0; i < n; i++)
				put_str(&b, items[i]);
			break;
		}
		case 'l': {
			const char *items[16];
			unsigned n = 0;
			while ((items[n] = va_arg(ap, const char *)))
				n++;
			put_container(&b, VALUE_LIST, n, n);
			for (unsigned i = 0; i < n; i++)
				put_str(&b, items[i]);
			break;
		}
		default: abort();
		}
	va_end(ap);
	uint32_t id = writer_value(s->w, b.s, b.n);
	strbuf_fini(&b);
	return id;
}

static void event(struct shop *s, uint32_t thread, uint64_t after_us, const char *name,
		  uint32_t stack, uint32_t arguments)
{
	s->now_ns += after_us * 1000;
	uint64_t objects[4] = { 0x7fc06d23ad40, 0x7fc06d57bc40, 0x7fc06d57bd80, 0x7fc06d57be00 };
	struct event_info e = { .time_ns = s->now_ns,
				.name = str(s, name),
				.thread = thread,
				.args = arguments,
				.stack = stack,
				.task = s->task,
				.n_objects = 4,
				.objects = objects };
	writer_event(s->w, &e);
}

/* Import `module` from `at`: the events that CPython raises for a .pyc. */
static void import(struct shop *s, uint32_t at, const char *module, const char *file, unsigned us,
		   unsigned depth)
{
	uint32_t lib = frame(s, at, "_find_and_load", "<frozen importlib._bootstrap>", 1360);
	uint32_t spec = frame(
	    s, frame(s, lib, "_find_and_load_unlocked", "<frozen importlib._bootstrap>", 1331),
	    "find_spec", "<frozen importlib._bootstrap_external>", 1509);
	uint32_t load = frame(
	    s, frame(s, lib, "_find_and_load_unlocked", "<frozen importlib._bootstrap>", 1332),
	    "get_code", "<frozen importlib._bootstrap_external>", 1012);
	char pyc[200];
	snprintf(pyc, sizeof(pyc), "%s__pycache__/%s.cpython-312.pyc", LIB, module);
	event(s, s->main, us, "import", at,
	      args(s, "snlll", module, "/srv/shop", LIB, NULL, "finder", NULL, "hook", NULL));
	event(s, s->main, us / 4 + 1, "os.listdir", spec, args(s, "s", "/srv/shop"));
	event(s, s->main, us / 4 + 1, "open", load, args(s, "ssi", pyc, "r", 524288));
	event(s, s->main, us / 4 + 1, "marshal.loads", load, args(s, "B", 23457));
	uint32_t body = frame(s, load, "<module>", file, 1);
	event(s, s->main, us / 8 + 1, "exec", load, args(s, "c", "<module>", file));
	for (unsigned i = 0; i < depth; i++) {
		char name[80], path[200];
		snprintf(name, sizeof(name), "%s.part%u", module, i);
		snprintf(path, sizeof(path), "%s%s/part%u.py", LIB, module, i);
		import(s, frame(s, body, "<module>", file, 3 + i), name, path, us / 2 + 1, 0);
	}
}

static void start_up(struct shop *s)
{
	static const char *const early[] = { "zipimport", "encodings", "codecs", "io",       "abc",
					     "site",      "os",        "stat",   "posixpath" };
	for (unsigned i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		event(s, s->main, 12, "import", 0,
		      args(s, "snlll", early[i], LIB, NULL, "finder", NULL, "hook", NULL));
		event(s, s->main, 9, "exec", 0, args(s, "c", "<module>", early[i]));
	}
	event(s, s->main, 1700, "cpython.run_file", 0, args(s, "s", "app.py"));
	uint32_t top = frame(s, 0, "_run_code", "<frozen runpy>", 88);
	event(s, s->main, 100, "exec", top, args(s, "c", "<module>", APP));
	static const struct {
		const char *module;
		unsigned line, us, depth;
	} imports[] = { { "json", 2, 9000, 4 },
			{ "os", 3, 300, 0 },
			{ "ssl", 4, 8000, 3 },
			{ "threading", 6, 1200, 0 },
			{ "urllib.request", 7, 12000, 6 },
			{ "http.server", 8, 7000, 2 },
			{ "db", 10, 4000, 1 },
			{ "report", 11, 3000, 1 } };
	for (unsigned i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
		char file[120];
		snprintf(file, sizeof(file), "%s%s.py", imports[i].line >= 10 ? "/srv/shop/" : LIB,
			 imports[i].module);
		import(s, frame(s, 0, "<module>", APP, imports[i].line), imports[i].module, file,
		       imports[i].us, imports[i].depth);
	}
	uint32_t main_at = frame(s, 0, "<module>", APP, 57);
	event(s, s->main, 28000, "open",
	      frame(s, frame(s, main_at, "main", APP, 42), "settings", APP, 37),
	      args(s, "ssi", "/srv/shop/settings.json", "r", 524288));
	uint32_t migrate = frame(s, main_at, "main", APP, 43);
	event(s, s->main, 300, "glob.glob", frame(s, migrate, "migrate", DB, 16),
	      args(s, "si", "/srv/shop/migrations/*.sql", 0));
	event(s, s->main, 700, "open", frame(s, migrate, "migrate", DB, 17),
	      args(s, "ssi", "/srv/shop/migrations/001.sql", "r", 524288));
	event(s, s->main, 200, "sqlite3.connect",
	      frame(s, frame(s, migrate, "migrate", DB, 18), "connect", DB, 8),
	      args(s, "s", "/srv/shop/shop.db"));
	uint32_t server = frame(s,
				frame(s, frame(s, main_at, "main", APP, 44), "TCPServer.__init__",
				      LIB "socketserver.py", 453),
				"TCPServer.server_bind", LIB "socketserver.py", 473);
	event(s, s->main, 12000, "socket.__new__", server,
	      args(s, "oiii", "socket.socket", 2, 1, 0));
	event(s, s->main, 400, "socket.bind", server, args(s, "St", 3, "127.0.0.1", 8077));
	event(s, s->main, 900, "_thread.start_new_thread",
	      frame(s, frame(s, main_at, "main", APP, 46), "Thread.start", LIB "threading.py", 992),
	      args(s, "oon", "method", "tuple"));
}

static void order(struct shop *s, unsigned number)
{
	static const char *const cities[] = { "Utrecht", "大阪",      "Kraków",
					      "Łódź",    "São Paulo", "Reykjavík" };
	char text[200], path[200], url[120];
	uint32_t main_at = frame(s, 0, "<module>", APP, 57);
	uint32_t post = frame(s, main_at, "main", APP, 49),
		 get = frame(s, main_at, "main", APP, 50);
	uint32_t request = frame(s, frame(s, post, "urlopen", LIB "urllib/request.py", 215),
				 "OpenerDirector.open", LIB "urllib/request.py", 515);
	uint32_t send = frame(
	    s, frame(s, request, "AbstractHTTPHandler.do_open", LIB "urllib/request.py", 1344),
	    "HTTPConnection.request", LIB "http/client.py", 1336);
	uint32_t connect = frame(s, send, "create_connection", LIB "socket.py", 837);
	event(s, s->main, 96000 + number % 7 * 1000, "urllib.Request", request,
	      args(s, "snos", "http://127.0.0.1:8077/orders/", "dict", "POST"));
	event(s, s->main, 150, "http.client.connect", send,
	      args(s, "osi", "http.client.HTTPConnection", "127.0.0.1", 8077));
	event(s, s->main, 220, "socket.getaddrinfo", connect,
	      args(s, "siiii", "127.0.0.1", 8077, 0, 1, 0));
	event(s, s->main, 180, "socket.__new__", connect,
	      args(s, "oiii", "socket.socket", 2, 1, 6));
	event(s, s->main, 210, "socket.connect", connect, args(s, "St", 5, "127.0.0.1", 8077));
	snprintf(text, sizeof(text),
		 "POST /orders/ HTTP/1.1\r\nHost: 127.0.0.1:8077\r\nContent-Length: %u\r\n\r\n",
		 40 + number % 5);
	event(s, s->main, 190, "http.client.send", send,
	      args(s, "ob", "http.client.HTTPConnection", text));
	uint32_t accept = frame(s, frame(s, 0, "Thread.run", LIB "threading.py", 1010),
				"socket.accept", LIB "socket.py", 296);
	event(s, s->http, 130, "socket.__new__", accept, args(s, "oiii", "socket.socket", 2, 1, 0));
	event(s, s->http, 420, "_thread.start_new_thread",
	      frame(s, frame(s, 0, "Thread.run", LIB "threading.py", 1010), "Thread.start",
		    LIB "threading.py", 992),
	      args(s, "oon", "method", "tuple"));
	struct thread_info t = { .process = 0, .tid = 9000 + number % 400, .name = 0 };
	char name[60];
	snprintf(name, sizeof(name), "Thread-%u (process_request_thread)", number % 4 + 1);
	t.name = str(s, name);
	if (number < 4)
		s->worker = writer_thread(s->w, &t);
	uint32_t handler = frame(s, frame(s, 0, "Thread.run", LIB "threading.py", 1010),
				 "Handler.do_POST", APP, 27);
	event(s, s->worker, 360, "sqlite3.connect", frame(s, handler, "connect", DB, 8),
	      args(s, "s", "/srv/shop/shop.db"));
	event(s, s->worker, 260, "sqlite3.connect/handle", frame(s, handler, "connect", DB, 8),
	      args(s, "o", "sqlite3.Connection"));
	uint32_t report = frame(s, handler, "archive", REPORT, 8);
	event(s, s->worker, 5200, "tempfile.mkdtemp", report, args(s, "s", "/tmp/shop-ltrw6yqw"));
	snprintf(path, sizeof(path), "/tmp/shop-ltrw6yqw/%s-%u.txt", cities[number % 6], number);
	event(s, s->worker, 130, "open", frame(s, handler, "archive", REPORT, 10),
	      args(s, "ssi", path, "w", 524865));
	event(s, s->worker, 360, "subprocess.Popen", frame(s, handler, "archive", REPORT, 13),
	      args(s, "slse", "/usr/bin/gzip", "/usr/bin/gzip", "-9", path, NULL,
		   "/tmp/shop-ltrw6yqw", "HOME", "/srv", "PATH", "/usr/bin:/bin", "LANG", "C",
		   "SHOP_REGION", "eu", "LC_ALL", "C", NULL));
	event(s, s->worker, 2900, "shutil.rmtree", frame(s, handler, "archive", REPORT, 14),
	      args(s, "sn", "/tmp/shop-ltrw6yqw"));
	snprintf(text, sizeof(text), "%s-%u.txt.gz", cities[number % 6], number);
	event(s, s->worker, 170, "os.remove", frame(s, handler, "archive", REPORT, 14),
	      args(s, "si", text, 8));
	snprintf(url, sizeof(url), "http://127.0.0.1:8077/orders/%u", number);
	request = frame(s, frame(s, get, "urlopen", LIB "urllib/request.py", 215),
			"OpenerDirector.open", LIB "urllib/request.py", 515);
	send = frame(
	    s, frame(s, request, "AbstractHTTPHandler.do_open", LIB "urllib/request.py", 1344),
	    "HTTPConnection.request", LIB "http/client.py", 1336);
	connect = frame(s, send, "create_connection", LIB "socket.py", 837);
	event(s, s->main, 900, "urllib.Request", request, args(s, "snos", url, "dict", "GET"));
	event(s, s->main, 120, "socket.getaddrinfo", connect,
	      args(s, "siiii", "127.0.0.1", 8077, 0, 1, 0));
	event(s, s->main, 240, "socket.connect", connect, args(s, "St", 5, "127.0.0.1", 8077));
	snprintf(text, sizeof(text), "GET /orders/%u HTTP/1.1\r\nHost: 127.0.0.1:8077\r\n\r\n",
		 number);
	event(s, s->main, 190, "http.client.send", send,
	      args(s, "ob", "http.client.HTTPConnection", text));
	event(s, s->worker, 210, "sqlite3.connect",
	      frame(s,
		    frame(s, frame(s, 0, "Thread.run", LIB "threading.py", 1010), "Handler.do_GET",
			  APP, 17),
		    "load_order", DB, 28),
	      args(s, "s", "/srv/shop/shop.db"));
}

static void the_tax(struct shop *s)
{
	uint32_t main_at = frame(s, 0, "<module>", APP, 57);
	import(s, frame(s, main_at, "main", APP, 51), "plugins.tax", TAX, 9000, 4);
	uint32_t load = frame(s, main_at, "main", APP, 52);
	uint32_t at = frame(s, load, "load", TAX, 8);
	event(s, s->main, 4000, "ctypes.dlopen", at, args(s, "s", "libc.so.6"));
	event(s, s->main, 300, "ctypes.dlsym", frame(s, load, "load", TAX, 9),
	      args(s, "os", "ctypes.CDLL", "getpid"));
	event(s, s->main, 500, "pickle.find_class", frame(s, load, "load", TAX, 10),
	      args(s, "ss", "builtins", "ValueError"));
	event(s, s->main, 200, "exec", frame(s, load, "load", TAX, 11),
	      args(s, "c", "<module>", "<tax:eu>"));
	event(s, s->main, 600, "socket.connect", frame(s, load, "load", TAX, 15),
	      args(s, "St", 6, "127.0.0.1", 5432));
	for (int i = 0; i < 12; i++)
		event(s, s->main, 20, "os.chmod", frame(s, load, "close", REPORT, 20),
		      args(s, "sii", "/srv/shop/var/log", 0644, -1));
	event(s, s->main, 90, "shop.order", frame(s, load, "do_POST", APP, 27),
	      args(s, "is", 7, "12.50"));
	struct note_info lost = {
		.kind = NOTE_LOST, .time_ns = s->now_ns + 1000, .process = 0, .a = 312, .b = 4100000
	};
	writer_note(s->w, &lost);
	event(s, s->main, 5000, "open", frame(s, load, "settings", APP, 37),
	      args(s, "ssi", "/srv/shop/\x1b[31mred\xe2\x80\xae.json", "r", 0));
}

static uint32_t environment(struct shop *s, const char *const *items)
{
	struct strbuf b = { 0 };
	unsigned n = 0;
	while (items[n])
		n++;
	put_container(&b, VALUE_DICT, n / 2, n / 2);
	for (unsigned i = 0; i < n; i++)
		put_str(&b, items[i]);
	uint32_t id = writer_value(s->w, b.s, b.n);
	strbuf_fini(&b);
	return id;
}

static void write_shop(const char *path, unsigned n_orders, bool with_tax, bool ends)
{
	struct shop s = { 0 };
	struct writer_options options = { .wall_anchor_ns = 4102444800000000000u,
					  .creator = "auditview test",
					  .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct strbuf prefixes = { 0 };
	put_container(&prefixes, VALUE_LIST, 1, 1);
	put_str(&prefixes, "/usr/lib/python3.12");
	struct process_info p = { .pid = 4121,
				  .ns_pid = 4121,
				  .ppid = 1200,
				  .python_hex = 0x030c01f0,
				  .python = str(&s, "3.12.1"),
				  .exe = str(&s, "/usr/bin/python3.12"),
				  .cwd = str(&s, "/srv/shop"),
				  .name = str(&s, "app.py"),
				  .prefixes = writer_value(s.w, prefixes.s, prefixes.n),
				  .exit_status = -1,
				  .flags = PROCESS_LAUNCHED };
	strbuf_fini(&prefixes);
	p.environ = environment(&s, (const char *[]){ "HOME", "/srv", "PATH", "/usr/bin:/bin",
						      "LANG", "en_GB.UTF-8", "SHOP_DB", "shop.db",
						      "SHOP_REGION", "eu", NULL });
	writer_process(s.w, &p);
	struct process_info gzip = { .pid = 9412,
				     .ns_pid = 9412,
				     .ppid = 4121,
				     .exe = str(&s, "/usr/bin/gzip"),
				     .name = str(&s, "gzip"),
				     .start_ns = 1400000000,
				     .end_ns = 1403000000,
				     .exit_status = 0,
				     .flags = PROCESS_EXECED };
	writer_process(s.w, &gzip);
	struct thread_info main_thread = { .process = 0,
					   .tid = 4121,
					   .name = str(&s, "MainThread") };
	s.main = writer_thread(s.w, &main_thread);
	struct thread_info http = { .process = 0, .tid = 4123, .name = str(&s, "http") };
	s.http = writer_thread(s.w, &http);
	s.worker = s.http;
	start_up(&s);
	for (unsigned i = 1; i <= n_orders; i++)
		order(&s, i);
	if (with_tax)
		the_tax(&s);
	else
		event(&s, s.main, 900, "open",
		      frame(&s, frame(&s, 0, "<module>", APP, 57), "settings", APP, 37),
		      args(&s, "ssi", "/srv/shop/legacy.json", "r", 524288));
	if (!ends) {
		must(writer_flush(s.w));
		writer_destroy(s.w);
		return;
	}
	p.end_ns = s.now_ns + 3000000;
	p.exit_status = 0;
	writer_process_update(s.w, 0, &p);
	struct note_info ended = { .kind = NOTE_EXITED, .time_ns = p.end_ns, .process = 0, .a = 0 };
	writer_note(s.w, &ended);
	const char *goodbye = "target restored: yes";
	struct note_info bye = { .kind = NOTE_GOODBYE,
				 .time_ns = p.end_ns,
				 .process = 0,
				 .text = str(&s, goodbye),
				 .a = 300000,
				 .b = 1 };
	writer_note(s.w, &bye);
	must(writer_close(s.w));
}

void sample_write(const char *path, unsigned n_orders)
{
	write_shop(path, n_orders, true, true);
}

void plain_write(const char *path, unsigned n_orders)
{
	write_shop(path, n_orders, false, true);
}

void live_write(const char *path, unsigned n_orders)
{
	unlink(path); /* a file that is there already would be replaced at the end alone */
	write_shop(path, n_orders, true, false);
}

void hosts_write(const char *path)
{
	static const char *const hosts[] = { "web-1", "web-2" };
	struct shop s = { 0 };
	struct writer_options options = { .wall_anchor_ns = 4102444800000000000u,
					  .creator = "auditview test" };
	uint32_t threads[ARRAY_LEN(hosts)], stack;
	must(writer_open(path, &options, &s.w));
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct strbuf file = { 0 };
		strbuf_addf(&file, "%s.avc", hosts[i]);
		struct host_info h = { .name = str(&s, hosts[i]),
				       .label = str(&s, strbuf_str(&file)),
				       .wall_anchor_ns = options.wall_anchor_ns };
		strbuf_fini(&file);
		struct process_info p = { .pid = 812,
					  .ns_pid = 812,
					  .ppid = 1,
					  .python_hex = 0x030c01f0,
					  .python = str(&s, "3.12.1"),
					  .cwd = str(&s, "/srv/shop"),
					  .name = str(&s, "app.py"),
					  .exit_status = -1,
					  .flags = PROCESS_ATTACHED,
					  .host = writer_host(s.w, &h) };
		struct thread_info t = { .process = writer_process(s.w, &p),
					 .tid = 812,
					 .name = str(&s, "MainThread") };
		threads[i] = writer_thread(s.w, &t);
	}
	stack = frame(&s, 0, "main", APP, 44);
	for (int i = 0; i < 12; i++)
		if (i % 3)
			event(&s, threads[i % 2], 700, "socket.connect", stack,
			      args(&s, "St", 5, i % 2 ? "10.0.0.7" : "10.0.0.8", 5432));
		else
			event(&s, threads[i % 2], 300, "open", stack,
			      args(&s, "ssi", "/srv/shop/settings.json", "r", 524288));
	must(writer_close(s.w));
}

void lesson_write(const char *path)
{
	static const char *const words[] = { "python3", "-I", "-S", "-c", "import json" };
	struct shop s = { 0 };
	struct writer_options options = { .creator = "auditview test", .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct strbuf argv = { 0 };
	put_container(&argv, VALUE_LIST, ARRAY_LEN(words), ARRAY_LEN(words));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		put_str(&argv, words[i]);
	struct process_info p = { .pid = 7,
				  .ppid = 1,
				  .python_hex = 0x030c01f0,
				  .name = str(&s, "-c \"import json\""),
				  .argv = writer_value(s.w, argv.s, argv.n),
				  .exit_status = 0,
				  .end_ns = 9,
				  .flags = PROCESS_LAUNCHED };
	strbuf_fini(&argv);
	struct thread_info t = { .process = writer_process(s.w, &p), .tid = 7 };
	event(&s, writer_thread(s.w, &t), 1, "exec", 0, args(&s, "s", "code"));
	must(writer_close(s.w));
}

/* A task, and the names of those that wait for it, up to NULL. */
static uint32_t task(struct shop *s, const char *name, int id, const char *const *waiters)
{
	struct strbuf b = { 0 };
	unsigned n = 0;
	while (waiters[n])
		n++;
	put_container(&b, VALUE_LIST, 3, 3);
	put_str(&b, name);
	put_int(&b, id);
	put_container(&b, VALUE_LIST, n, n);
	for (unsigned i = 0; i < n; i++)
		put_str(&b, waiters[i]);
	uint32_t value = writer_value(s->w, b.s, b.n);
	strbuf_fini(&b);
	return value;
}

void tasks_write(const char *path)
{
	static const char *const none[] = { NULL }, *const fetched[] = { "orders", "main", NULL };
	struct shop s = { 0 };
	struct writer_options options = { .creator = "auditview test", .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct process_info p = { .pid = 812,
				  .ppid = 1,
				  .python_hex = 0x030e00f0,
				  .python = str(&s, "3.14.0"),
				  .name = str(&s, "fetch.py"),
				  .end_ns = 9000000,
				  .flags = PROCESS_LAUNCHED };
	struct thread_info thread = { .process = writer_process(s.w, &p), .tid = 812 };
	uint32_t t = writer_thread(s.w, &thread),
		 run = frame(&s, 0, "<module>", "/srv/fetch.py", 31),
		 main = frame(&s, run, "main", "/srv/fetch.py", 22),
		 fetch = frame(&s, run, "fetch", "/srv/fetch.py", 9);
	event(&s, t, 100, "cpython.run_file", 0, args(&s, "s", "/srv/fetch.py"));
	s.task = task(&s, "main", 0x7f10, none);
	event(&s, t, 900, "open", main, args(&s, "ssi", "/srv/orders.txt", "r", 0));
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "fetch-1", "fetch-2",
						     "fetch-of-the-customers-of-yesterday" };
		s.task = task(&s, names[i], 0x7f20 + 16 * i, fetched);
		event(&s, t, 400, "socket.__new__", fetch, args(&s, "oiii", "socket", 2, 1, 0));
		event(&s, t, 60, "socket.getaddrinfo", fetch,
		      args(&s, "siiii", "customers.example", 443, 0, 1, 0));
	}
	s.task = 0;
	event(&s, t, 5000, "cpython._PySys_ClearAuditHooks", 0, args(&s, ""));
	must(writer_close(s.w));
}

void workers_write(const char *path)
{
	struct shop s = { 0 };
	struct writer_options options = { .creator = "auditview test", .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	for (unsigned pid = 50; pid < 53; pid++) {
		struct process_info p = { .pid = pid,
					  .ppid = pid == 50 ? 1 : 50,
					  .python_hex = 0x030b02f0,
					  .python = str(&s, "3.11.2"),
					  .name = str(&s, "-m gunicorn app:app"),
					  .end_ns = 290000000,
					  .flags = PROCESS_ATTACHED | PROCESS_TICK_TIMES };
		struct thread_info info = { .process = writer_process(s.w, &p), .tid = pid };
		uint32_t thread = writer_thread(s.w, &info);
		event(&s, thread, 100, "os.chmod", 0, args(&s, "i", 7));
		event(&s, thread, 2, "os.chmod", 0, args(&s, "i", 8));
		event(&s, thread, 50000, "os.chmod", 0, args(&s, "i", 9));
		/* an import of 14 ms, of which 12 are those of the one below it */
		uint32_t app = frame(&s, 0, "<module>", "/srv/app.py", 2),
			 lib = frame(&s, app, "_find_and_load", "<frozen importlib._bootstrap>", 9),
			 body = frame(&s, lib, "<module>", "/srv/shop/__init__.py", 4);
		event(&s, thread, 1, "import", app, args(&s, "s", "shop"));
		event(&s, thread, 2000, "import", body, args(&s, "s", "shop.tax"));
		event(&s, thread, 12000, "exec",
		      frame(&s, body, "_find_and_load", "<frozen importlib._bootstrap>", 9),
		      args(&s, "s", "tax"));
	}
	must(writer_close(s.w));
}

void held_write(const char *path)
{
	struct shop s = { 0 };
	struct strbuf b = { 0 };
	struct writer_options options = { .creator = "auditview test", .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct process_info p = { .pid = 812,
				  .ppid = 1,
				  .python_hex = 0x030c01f0,
				  .python = str(&s, "3.12.1"),
				  .name = str(&s, "nightly.py"),
				  .end_ns = 9000000,
				  .flags = PROCESS_LAUNCHED };
	struct thread_info thread = { .process = writer_process(s.w, &p), .tid = 812 };
	uint32_t t = writer_thread(s.w, &thread),
		 run = frame(&s, 0, "<module>", "/srv/nightly.py", 31),
		 tidy = frame(&s, run, "tidy", "/srv/nightly.py", 9);
	event(&s, t, 100, "cpython.run_file", 0, args(&s, "s", "/srv/nightly.py"));
	event(&s, t, 900, "os.remove", tidy, args(&s, "si", "/srv/out/report.txt", -1));
	put_container(&b, VALUE_LIST, 2, 2);
	for (int i = 0; i < 2; i++) {
		put_container(&b, VALUE_DICT, 1, 1);
		put_str(&b, "vars");
		put_container(&b, VALUE_DICT, 3, 3);
		put_str(&b, i ? "folder" : "path");
		put_str(&b, i ? "/srv/out" : "/srv/out/report.txt");
		put_str(&b, i ? "dry_run" : "age_days");
		put_int(&b, i ? 0 : 31);
		put_str(&b, "note\x1b");
		put_str(&b, "\x1b[31mred");
	}
	writer_event_locals(s.w, 1, writer_value(s.w, b.s, b.n));
	strbuf_fini(&b);
	event(&s, t, 5000, "cpython._PySys_ClearAuditHooks", 0, args(&s, ""));
	must(writer_close(s.w));
}

void quiet_write(const char *path)
{
	struct shop s = { 0 };
	struct writer_options options = { .creator = "auditview test", .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct process_info p = { .pid = 4121,
				  .ppid = 1,
				  .python_hex = 0x030c01f0,
				  .python = str(&s, "3.12.1"),
				  .name = str(&s, "app.py"),
				  .exit_status = -1,
				  .flags = PROCESS_ATTACHED };
	writer_process(s.w, &p);
	must(writer_flush(s.w));
	writer_destroy(s.w);
}

void crowd_write(const char *path, unsigned n)
{
	struct shop s = { 0 };
	struct writer_options options = { .wall_anchor_ns = 4102444800000000000u,
					  .creator = "auditview test",
					  .host = "shop-1" };
	must(writer_open(path, &options, &s.w));
	struct process_info p = { .pid = 100,
				  .ppid = 1,
				  .name = str(&s, "sh run"),
				  .exit_status = -1,
				  .end_ns = 5,
				  .flags = PROCESS_LAUNCHED };
	writer_process(s.w, &p); /* the program that it became: */
	p = (struct process_info){ .pid = 100,
				   .ppid = 1,
				   .python_hex = 0x030c01f0,
				   .name = str(&s, "app.py"),
				   .start_ns = 5,
				   .end_ns = 90,
				   .flags = PROCESS_LAUNCHED };
	uint32_t app = writer_process(s.w, &p);
	for (unsigned i = 0; i < n; i++) {
		p = (struct process_info){ .pid = 200 + i,
					   .ppid = 100,
					   .name = str(&s, "gzip -9"),
					   .start_ns = 10,
					   .end_ns = 20 };
		writer_process(s.w, &p);
	}
	p = (struct process_info){
		.pid = 300, .ppid = 100, .name = str(&s, "sh"), .start_ns = 10, .end_ns = 20
	};
	writer_process(s.w, &p);
	p = (struct process_info){ .pid = 301,
				   .ppid = 300,
				   .name = str(&s, "x.py"),
				   .python_hex = 0x030c01f0,
				   .start_ns = 10,
				   .end_ns = 20 };
	writer_process(s.w, &p);
	struct thread_info t = { .process = app, .tid = 100, .name = str(&s, "MainThread") };
	s.main = writer_thread(s.w, &t);
	t = (struct thread_info){ .process = app, .tid = 101, .name = str(&s, "worker") };
	s.worker = writer_thread(s.w, &t);
	event(&s, s.main, 1, "open", frame(&s, 0, "load", "/srv/shop/util.py", 3),
	      args(&s, "ssi", "/etc/hosts", "r", 0));
	event(&s, s.worker, 1, "open", frame(&s, 0, "load", "/srv/shop/db/util.py", 4),
	      args(&s, "ssi", "/etc/hosts", "r", 0));
	event(&s, s.worker, 1, "open", frame(&s, 0, "load", "/srv/shop/db/__init__.py", 5),
	      args(&s, "ssi", "/etc/hosts", "r", 0));
	for (unsigned i = 0; i < n; i++) {
		char name[32];
		snprintf(name, sizeof(name), "Thread-%u (work)", i + 1);
		t = (struct thread_info){ .process = app, .tid = 110 + i, .name = str(&s, name) };
		event(&s, writer_thread(s.w, &t), 1, "open", 0,
		      args(&s, "ssi", "/etc/hosts", "r", 0));
	}
	must(writer_close(s.w));
}
