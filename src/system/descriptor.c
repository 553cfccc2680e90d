/*
 * descriptor: see descriptor.h.
 */
#include "system/descriptor.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "system/proc_file.h"
#include "system/unix_socket.h"

enum { TABLE_BYTES = 1 << 20 }; /* read of one list: some 7,000 sockets */

size_t descriptor_read(pid_t pid, int fd, char *to, size_t cap)
{
	char name[32];
	snprintf(name, sizeof(name), "fd/%d", fd);
	ssize_t n = proc_link_read(pid, name, to, cap);
	return n > 0 ? (size_t)n : 0;
}

bool descriptor_is_socket(const char *text, uint64_t *ret_inode)
{
	int end = 0;
	return sscanf(text, "socket:[%" SCNu64 "]%n", ret_inode, &end) == 1 && end && !text[end];
}

/* An address as the kernel writes it, "0100007F:1F90": words of 32 bits in the byte order of the
 * machine, and the port (Linux 6.1 net/ipv4/tcp_ipv4.c, get_tcp4_sock(); net/ipv6/tcp_ipv6.c).
 * *ret_is_any: no address and no port. */
static bool add_address(const char *hex, char *to, size_t cap, bool *ret_is_any)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t words[4] = { 0 };
	unsigned port;
	char text[INET6_ADDRSTRLEN];
	const char *colon = strchr(hex, ':');
	size_t n_words = colon ? (size_t)(colon - hex) / 8 : 0;
	if ((n_words != 1 && n_words != 4) || sscanf(colon, ":%x", &port) != 1)
		return false;
	for (size_t i = 0; i < n_words; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	bool is_mapped = n_words == 4 && !memcmp(words, mapped, sizeof(mapped));
	bool is_6 = n_words == 4 && !is_mapped;
	if (!inet_ntop(is_6 ? AF_INET6 : AF_INET, is_mapped ? &words[3] : &words[0], text,
		       sizeof(text)))
		return false;
	snprintf(to, cap, is_6 ? "[%s]:%u" : "%s:%u", text, port);
	*ret_is_any = !port && !(words[0] | words[1] | words[2] | words[3]);
	return true;
}

/* One line of a list: is it the socket? "sl local remote state queues timer retransmits uid timeout
 * inode …" */
static bool line_is(const char *name, const char *line, uint64_t inode,
		    char to[DESCRIPTOR_SOCKET_BYTES])
{
	char local[48], remote[48], here[56], there[56];
	unsigned state;
	uint64_t its;
	bool is_local_any, is_remote_any, is_tcp = !strncmp(name, "tcp", 3);
	if (sscanf(line, " %*s %47s %47s %x %*s %*s %*s %*s %*s %" SCNu64, local, remote, &state,
		   &its) != 4 ||
	    its != inode || !add_address(local, here, sizeof(here), &is_local_any) ||
	    !add_address(remote, there, sizeof(there), &is_remote_any))
		return false;
	enum { LISTENING = 10 }; /* TCP_LISTEN, include/net/tcp_states.h */
	snprintf(to, DESCRIPTOR_SOCKET_BYTES, "%.3s %s%s%s", name, here, is_remote_any ? "" : "->",
		 !is_remote_any                 ? there
		 : is_tcp && state == LISTENING ? " listening"
						: "");
	return true;
}

bool descriptor_socket_in(const char *name, const char *text, uint64_t inode,
			  char to[DESCRIPTOR_SOCKET_BYTES])
{
	char wanted[24];
	size_t n = (size_t)snprintf(wanted, sizeof(wanted), " %" PRIu64 " ", inode);
	/* the number may be another column of another line */
	for (const char *at = text; (at = strstr(at, wanted)); at += n - 1) {
		const char *line = at;
		while (line > text && line[-1] != '\n')
			line--;
		if (line_is(name, line, inode, to))
			return true;
	}
	return false;
}

bool descriptor_socket(pid_t pid, uint64_t inode, char to[DESCRIPTOR_SOCKET_BYTES])
{
	/* The lists of TCP come last: the kernel walks a table that grows with the machine's memory
	 * (Linux 6.18: 5 ms where the lists of UDP take 0.2). */
	static const char *const names[] = { "udp", "udp6", "tcp", "tcp6" };
	char *text = malloc(TABLE_BYTES);
	bool is_found = unix_socket_name(pid, inode, to, DESCRIPTOR_SOCKET_BYTES);
	for (size_t i = 0; text && i < ARRAY_LEN(names) && !is_found; i++) {
		char path[16];
		snprintf(path, sizeof(path), "net/%s", names[i]);
		is_found = proc_file_read(pid, path, text, TABLE_BYTES) > 0 &&
			   descriptor_socket_in(names[i], text, inode, to);
	}
	free(text);
	return is_found;
}
