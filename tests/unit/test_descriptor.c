/* Descriptors of other processes: the kernel's texts of them, and our own as an example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "system/descriptor.h"
#include "system/unix_socket.h"

#define REST " 00000000:00000000 00:00000000 00000000     0        0 "
#define HEAD                                                                                       \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode\n"

static const char tcp[] = HEAD
    "   0: 00000000:07E8 00000000:0000 0A" REST "1151 1 000000006ab00027 100 0 0 10 0\n"
    "   1: 0100007F:A5B8 0200000A:0050 01" REST "77 2 00000000ad49d113 20 0 0 10 -1\n"
    "   2: 0100007F:0001 0200000A:0002 01" REST "9 1151 77 20 0 0 10 -1\n"
    "   3: 0100007F:0001 0200000A:0002 01" REST "42";
static const char tcp6[] = HEAD
    "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A" REST
    "5 1 0 100 0 0 10 0\n"
    "   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:0007 01" REST
    "6 1 0 100 0 0 10 0\n"
    "   2: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:0017 01" REST
    "7 1 0 100 0 0 10 0\n";

static void the_kernels_lists_are_understood(void **state)
{
	static const struct {
		const char *name, *text, *socket; /* NULL: not found */
		uint64_t inode;
	} rows[] = {
		{ "tcp", tcp, "tcp 0.0.0.0:2024 listening", 1151 },
		{ "tcp", tcp, "tcp 127.0.0.1:42424->10.0.0.2:80", 77 },
		{ "tcp", tcp, "tcp 127.0.0.1:1->10.0.0.2:2", 9 },
		{ "tcp", tcp, NULL, 42 }, /* its line is cut, so its number may be, too */
		{ "tcp", tcp, NULL, 1 },
		{ "tcp", tcp, NULL, 100 },
		{ "tcp", "", NULL, 100 },
		{ "udp", tcp, "udp 127.0.0.1:42424->10.0.0.2:80", 77 },
		{ "udp", tcp, "udp 0.0.0.0:2024", 1151 },
		{ "tcp6", tcp6, "tcp [::1]:8080 listening", 5 },
		{ "tcp6", tcp6, "tcp 127.0.0.1:8080->127.0.0.2:7", 6 },
		{ "tcp6", tcp6, "tcp [2001:db8::1]:22->[2001:db8::2]:23", 7 },
		{ "tcp", " 0: 0:0 0:0 1 0 0 0 0 0 8 \n", NULL, 8 },
		{ "tcp", " 0: 010000:1 010000:2 01 0 0 0 0 0 8 \n", NULL, 8 },
		{ "tcp", " 0: 0100007F 0100007F 01 0 0 0 0 0 8 \n", NULL, 8 },
		{ "tcp", " 0: XXXXXXXX:1 0100007F:2 01 0 0 0 0 0 8 \n", NULL, 8 },
		{ "tcp", " 8 \n 8 ", NULL, 8 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char to[DESCRIPTOR_SOCKET_BYTES] = "";
		bool is = descriptor_socket_in(rows[i].name, rows[i].text, rows[i].inode, to);
		if (is != (rows[i].socket != NULL) || (is && strcmp(to, rows[i].socket) != 0))
			fail_msg("row %zu: %s", i, to);
	}
}

static void a_text_is_a_socket_or_not(void **state)
{
	uint64_t inode;
	assert_true(descriptor_is_socket("socket:[18446744073709551615]", &inode));
	assert_true(inode == UINT64_MAX);
	assert_false(descriptor_is_socket("socket:[1", &inode));
	assert_false(descriptor_is_socket("socket:[1]x", &inode));
	assert_false(descriptor_is_socket("/socket:[1]", &inode));
	assert_false(descriptor_is_socket("pipe:[1]", &inode));
}

static void our_own_are_found(void **state)
{
	char text[4096], name[DESCRIPTOR_SOCKET_BYTES], wanted[DESCRIPTOR_SOCKET_BYTES];
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n_a = sizeof(a);
	uint64_t inode;
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), s = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0 && s >= 0);
	char exe[4096];
	ssize_t n_exe = readlink("/proc/self/exe", exe, sizeof(exe));
	assert_int_equal(descriptor_read(getpid(), fd, text, sizeof(text)), n_exe);
	assert_memory_equal(text, exe, (size_t)n_exe);
	close(fd);
	assert_int_equal(descriptor_read(getpid(), fd, text, sizeof(text)), 0);

	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 1), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n_a), 0);
	assert_true(descriptor_read(getpid(), s, text, sizeof(text)) > 0);
	assert_true(descriptor_is_socket(text, &inode));
	assert_int_equal(fstat(s, &st), 0);
	assert_true(inode == st.st_ino);
	assert_true(descriptor_socket(getpid(), inode, name));
	snprintf(wanted, sizeof(wanted), "tcp 127.0.0.1:%u listening", ntohs(a.sin_port));
	assert_string_equal(name, wanted);
	close(s);
}

static const char *name_of(int fd)
{
	static char name[DESCRIPTOR_SOCKET_BYTES];
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	name[0] = 0;
	(void)unix_socket_name(getpid(), st.st_ino, name, sizeof(name));
	return name;
}

static int unix_socket(int type, const char *path, size_t n_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	memcpy(a.sun_path, path, n_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n_path)),
			 0);
	return fd;
}

static void unix_sockets_have_a_name_and_a_peer(void **state)
{
	char self[64], path[64], abstract[64] = "", want[256];
	int pair[2];
	FILE *comm = fopen("/proc/self/comm", "re");
	assert_true(comm && fscanf(comm, "%40[^\n]", self) == 1);
	fclose(comm);
	snprintf(self + strlen(self), 20, "[%d]", (int)getpid());
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (!name_of(pair[0])[0]) {
		print_message("this kernel does not answer sock_diag(7) about Unix sockets\n");
		skip();
	}
	snprintf(want, sizeof(want), "unix -> %s", self);
	assert_string_equal(name_of(pair[0]), want);

	snprintf(path, sizeof(path), "/tmp/auditview-descriptor-%d\n", (int)getpid());
	int server = unix_socket(SOCK_STREAM, path, strlen(path));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, path, strlen(path));
	assert_int_equal(listen(server, 1), 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_string_equal(name_of(client), ""); /* neither bound nor connected */
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
	int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	snprintf(want, sizeof(want), "unix %s listening", path);
	assert_string_equal(name_of(server), want);
	snprintf(want, sizeof(want), "unix ->%s %s", path, self);
	assert_string_equal(name_of(client), want);
	snprintf(want, sizeof(want), "unix %s-> %s", path, self);
	assert_string_equal(name_of(accepted), want);
	unlink(path);

	snprintf(abstract + 1, sizeof(abstract) - 1, "auditview-%d", (int)getpid());
	int bound = unix_socket(SOCK_DGRAM, abstract, 1 + strlen(abstract + 1));
	snprintf(want, sizeof(want), "unix-dgram @%s", abstract + 1);
	assert_string_equal(name_of(bound), want);
	close(pair[1]);
	assert_string_equal(name_of(pair[0]), ""); /* its peer has gone */
	int all[] = { pair[0], server, client, accepted, bound };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close(all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernels_lists_are_understood),
		cmocka_unit_test(a_text_is_a_socket_or_not),
		cmocka_unit_test(our_own_are_found),
		cmocka_unit_test(unix_sockets_have_a_name_and_a_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
