/*
 * filter_ready: see filter_ready.h. Names have a hyphen, which no event of CPython has.
 */
#include "model/filter_ready.h"

#include <string.h>

/* clang-format off */
const struct ready_filter ready_filters[READY_FILTERS] = {
	{ "files-written", "opened for writing, renamed, removed",
	  "open.flags & O_WRONLY|O_RDWR and file or event in {os.truncate, os.rename, os.link, os.symlink, os.mkdir, os.remove, os.rmdir}" },
	{ "files-read", "opened for reading",
	  "open and file and not open.flags & O_WRONLY" },
	{ "commands-run", "other programs that are started",
	  "command" },
	{ "network-out", "connections and datagrams to a host",
	  "peer and not event in {socket.bind, socket.getaddrinfo, socket.gethostbyname, socket.gethostbyaddr, socket.getnameinfo}" },
	{ "names-looked-up", "names of hosts and their addresses",
	  "event in {socket.getaddrinfo, socket.gethostbyname, socket.gethostbyaddr, socket.getnameinfo}" },
	{ "code-from-strings", "eval, exec, compile and -c of a text",
	  "compile.filename ~ \"^<(?!frozen )\" or exec.code_object.file ~ \"^<(?!frozen )\" or cpython.run_command" },
	{ "native-loaded", "libraries and modules of machine code",
	  "ctypes.dlopen or sqlite3.load_extension or import.filename ~ \"\\.(so|pyd|dylib)\"" },
	{ "objects-unpickled", "classes, functions that pickles name",
	  "pickle.find_class" },
	{ "permissions-changed", "modes, owners and attributes of files",
	  "event in {os.chmod, os.chown, os.chflags, os.setxattr, os.removexattr, shutil.chown, shutil.copymode}" },
	{ "only-my-code", "what your code does, without imports",
	  "caller and not top.file ~ \"^<frozen |/importlib/\" and not stack.file ~ \"^<frozen site>|/python[0-9.]+t?/site[.]py$\"" },
};
/* clang-format on */

const struct ready_filter *ready_filter_find(const char *name, size_t n)
{
	for (size_t i = 0; i < READY_FILTERS; i++)
		if (strlen(ready_filters[i].name) == n && !memcmp(ready_filters[i].name, name, n))
			return &ready_filters[i];
	return NULL;
}
