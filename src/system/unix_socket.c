/*
 * unix_socket: see unix_socket.h.
 */
#include "system/unix_socket.h"

#include <dirent.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/monotonic.h"
#include "system/proc_file.h"
#include "system/remote_io.h"

enum {
	NAME_BYTES = 109,     /* sun_path, and a NUL (unix(7)) */
	SEARCH_NS = 20000000, /* of processor time, for the process at the other end */
	WAIT_MS = 200,        /* the kernel answers at once */
};

struct unix_socket {
	uint8_t type, state;
	uint32_t peer; /* inode; 0 none */
	char name[NAME_BYTES];
};

static bool is_in_our_namespace(pid_t pid)
{
	char ours[64], its[64];
	ssize_t n = readlink("/proc/self/ns/net", ours, sizeof(ours) - 1);
	ours[n > 0 ? n : 0] = 0;
	return n > 0 && proc_link_read(pid, "ns/net", its, sizeof(its)) > 0 && !strcmp(ours, its);
}

static void name_copy(char to[NAME_BYTES], const char *name, size_t n)
{
	n = n < NAME_BYTES ? n : NAME_BYTES - 1;
	/* the kernel adds the NUL of a path (Linux 6.1 net/unix/af_unix.c, unix_bind_bsd()) */
	while (n > 1 && name[0] && !name[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = name[i] ? name[i] : '@';
	to[n] = 0;
}

/* An answer, which is of the kernel. */
static bool answer_read(const char *bytes, size_t n_bytes, uint32_t inode, struct unix_socket *ret)
{
	struct nlmsghdr h;
	struct unix_diag_msg msg;
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(msg));
	if (n_bytes < at)
		return false;
	memcpy(&h, bytes, sizeof(h));
	memcpy(&msg, bytes + NLMSG_HDRLEN, sizeof(msg));
	if (h.nlmsg_type != SOCK_DIAG_BY_FAMILY || h.nlmsg_len > n_bytes || msg.udiag_ino != inode)
		return false;
	*ret = (struct unix_socket){ .type = msg.udiag_type, .state = msg.udiag_state };
	while (at + RTA_LENGTH(0) <= h.nlmsg_len) {
		struct rtattr a;
		memcpy(&a, bytes + at, sizeof(a));
		if (a.rta_len < RTA_LENGTH(0) || a.rta_len > h.nlmsg_len - at)
			break;
		const char *data = bytes + at + RTA_LENGTH(0);
		size_t n = a.rta_len - RTA_LENGTH(0);
		if (a.rta_type == UNIX_DIAG_NAME)
			name_copy(ret->name, data, n);
		else if (a.rta_type == UNIX_DIAG_PEER && n == sizeof(ret->peer))
			memcpy(&ret->peer, data, n);
		at += RTA_ALIGN(a.rta_len);
	}
	return true;
}

/* sock_diag(7), UNIX domain sockets. */
static bool socket_look(int fd, uint32_t inode, struct unix_socket *ret)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req req;
	} ask = { .h = { .nlmsg_len = sizeof(ask),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST },
		  .req = { .sdiag_family = AF_UNIX,
			   .udiag_states = UINT32_MAX,
			   .udiag_ino = inode,
			   .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER,
			   .udiag_cookie = { UINT32_MAX, UINT32_MAX } } };
	char answer[4096];
	if (send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return false;
	ssize_t n = recv(fd, answer, sizeof(answer), 0);
	return n > 0 && answer_read(answer, (size_t)n, inode, ret);
}

/* ---- the process at the other end ---- */

static bool has_socket(pid_t pid, uint32_t inode)
{
	char path[32], wanted[32];
	bool is_found = false;
	struct remote_io io = remote_io_of(pid);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	DIR *folder = io.is_direct ? opendir(path) : NULL;
	for (struct dirent *e; folder && !is_found && (e = readdir(folder));) {
		char link[64];
		ssize_t n = readlinkat(dirfd(folder), e->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		is_found = n > 0 && !strcmp(link, wanted);
	}
	if (folder)
		closedir(folder);
	return is_found;
}

/* Append " curl[4121]" or " python3[44] and 1 more". The process itself is looked at first: it is
 * often at both ends, and then that is found in any case. */
static void add_holders(pid_t self, uint32_t inode, char *to, size_t cap)
{
	uint64_t end_ns = thread_cpu_ns() + SEARCH_NS;
	DIR *folder = opendir("/proc");
	pid_t first = has_socket(self, inode) ? self : 0;
	unsigned n_more = 0;
	for (struct dirent *e; folder && thread_cpu_ns() < end_ns && (e = readdir(folder));) {
		pid_t pid = (pid_t)atoi(e->d_name);
		if (pid <= 0 || pid == self || !has_socket(pid, inode))
			continue;
		n_more += first != 0;
		first = first ? first : pid;
	}
	if (folder)
		closedir(folder);
	char name[32];
	if (!first || proc_file_read(first, "comm", name, sizeof(name)) <= 0)
		return;
	name[strcspn(name, "\n")] = 0;
	size_t n = strlen(to);
	snprintf(to + n, cap - n, n_more ? " %s[%d] and %u more" : " %s[%d]", name, (int)first,
		 n_more);
}

bool unix_socket_name(pid_t pid, uint64_t inode, char *to, size_t cap)
{
	struct timeval limit = { .tv_usec = WAIT_MS * 1000 };
	struct unix_socket socket_here, other = { 0 };
	if (inode > UINT32_MAX || !is_in_our_namespace(pid))
		return false;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	bool ok = socket_look(fd, (uint32_t)inode, &socket_here);
	if (ok && socket_here.peer && !socket_look(fd, socket_here.peer, &other))
		other = (struct unix_socket){ 0 };
	close(fd);
	if (!ok || (!socket_here.peer && !socket_here.name[0]))
		return false;
	snprintf(to, cap, "unix%s %s%s", socket_here.type == SOCK_DGRAM ? "-dgram" : "",
		 socket_here.name, socket_here.state == TCP_LISTEN ? " listening" : "");
	if (!socket_here.peer)
		return true;
	size_t n = strlen(to);
	snprintf(to + n, cap - n, "->%s", other.name);
	add_holders(pid, socket_here.peer, to, cap);
	return true;
}
