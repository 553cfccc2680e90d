/*
 * native_code: does the processor run the code that /proc/PID/maps shows, or is that code only the
 * input of a translator of instructions?
 *
 * valgrind, qemu-user, DynamoRIO, Pin and others map a program as its loader would, so its modules,
 * symbols and data look as usual; but the processor runs translations of them. Code written into
 * such a target would never run as written, and a thread that is sent there from outside is lost.
 * These facts prove a translator, whatever its name:
 *
 *   text       Python's functions are not in an executable mapping (qemu-user: the guest's text is
 *              data)
 *   machine    Python's module is code for another processor
 *   loader     Python was loaded by another dynamic loader than the one that the kernel started
 *              (AT_BASE of the auxiliary vector), or is a program but not the one that the kernel
 *              started (valgrind); and no thread waits in a system call made from a module that
 *              this loader has loaded
 *   threads    every thread that waits in a system call has made it from executable memory that
 *              belongs to no file (a cache of translations: DynamoRIO, Pin)
 *
 * The second half of "loader" admits programs that load themselves: packed programs (UPX), restored
 * programs (DMTCP). Nothing is stopped.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct maps;
struct python_runtime;

/* Find the runtime of one module, maps->modules[i]. ERR_NOT_PYTHON; ERR_UNSUPPORTED with cause and
 * cure: a Python that cannot be watched; with err->sys ENOEXEC: its code is translated. Data that
 * cannot be read proves nothing. */
MUST_CHECK struct err *runtime_find(pid_t pid, const struct mem_reader *mem,
				    const struct maps *maps, size_t i, struct python_runtime *ret);

/* The reason why no module has a runtime. ERR_NOT_PYTHON; ERR_UNSUPPORTED: a 32-bit Python. */
MUST_CHECK struct err *runtimes_find_none(pid_t pid, const struct mem_reader *mem,
					  const struct maps *maps);
