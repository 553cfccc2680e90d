/*
 * descriptor: what a descriptor of another process is: the path of a file, the addresses of a
 * socket.
 *
 * It is what it is now. The process may close the descriptor, and open another one by the same
 * number, at any time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As proc(5) has it in /proc/PID/fd: "/etc/passwd", "/tmp/a (deleted)", "pipe:[123]",
 * "socket:[123]", "anon_inode:[eventpoll]". The file itself is not touched. Returns the number of
 * bytes, a NUL is added; 0 if there is no such descriptor, or it may not be known. */
size_t descriptor_read(pid_t pid, int fd, char *to, size_t cap);
/* Is that text a socket? *ret_inode: its number. */
bool descriptor_is_socket(const char *text, uint64_t *ret_inode);

enum { DESCRIPTOR_SOCKET_BYTES = 384 };
/* The addresses of a TCP or UDP socket in the network namespace of the process, with a NUL:
 * "tcp 127.0.0.1:40112->127.0.0.1:80", "tcp [::]:80 listening", "udp 127.0.0.1:53"; of a Unix
 * socket what unix_socket_name() says. Returns false if there is no such socket: it is neither
 * bound nor connected, it is of another family, or it is not among the first that the kernel lists.
 * It costs as much as reading the lists of sockets, and of a Unix socket some milliseconds. */
bool descriptor_socket(pid_t pid, uint64_t inode, char to[DESCRIPTOR_SOCKET_BYTES]);

/* The same in the text of one of the kernel's lists, /proc/PID/net/NAME; name: "tcp", "tcp6",
 * "udp" or "udp6". */
bool descriptor_socket_in(const char *name, const char *text, uint64_t inode,
			  char to[DESCRIPTOR_SOCKET_BYTES]);
