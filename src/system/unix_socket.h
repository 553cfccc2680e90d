/*
 * unix_socket: what a Unix socket of another process is, and which process has its other end.
 *
 * The kernel is asked by sock_diag(7), which knows the sockets of our network namespace. The socket
 * itself is not touched: a duplicate of it (pidfd_getfd(2)) would delay its last close.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Write the name of a Unix socket, with a NUL:
 *
 *   "unix /run/app.sock listening"
 *   "unix ->/run/app.sock gunicorn[812]"    it was connected to a socket that this process has
 *   "unix /run/app.sock-> curl[4121]"       it was accepted
 *   "unix -> python3[44] and 1 more"        of a pair, whose other end several processes have
 *   "unix-dgram @name"                      an abstract name
 *
 * Each byte NUL of an address is "@". A process is named if we may look at its descriptors, it is
 * trusted (remote_io.h), and it is found within some milliseconds; then further ones may be missing
 * in the count. False if there is no such socket, the process is in another network namespace, or
 * the kernel does not say.
 */
bool unix_socket_name(pid_t pid, uint64_t inode, char *to, size_t cap);
