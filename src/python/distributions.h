/*
 * distributions: which files belong to which installed distribution ("PyYAML 6.0"), from what
 * installers leave in a folder of sys.path.
 *
 * Sources: *.dist-info (RECORD, else top_level.txt; METADATA; direct_url.json of an editable
 * install, PEP 610), *.egg-info as a folder or file (installed-files.txt, else top_level.txt;
 * PKG-INFO), *.egg (a zip file or a folder), *.egg-link (setuptools develop), and conda-meta/
 * *.json of the environment. Where none of them says which files there are, a module that has the
 * distribution's name is taken. A file below another distribution's folder is of the distribution
 * that names it most exactly; vendored copies (pip/_vendor) are of the one that installed them.
 *
 * All of it is hostile: no path that is given leads out of the folder, but for an editable
 * install, whose project is elsewhere by its nature; that name decides only how a frame is
 * labelled. Sizes, numbers and time are bounded; what is beyond a bound is left out.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum {
	DISTRIBUTIONS_MAX = 4096,       /* in one folder */
	DISTRIBUTIONS_PATHS_MAX = 8192, /* given for one folder */
	DISTRIBUTIONS_PATH_BYTES = 1024
};

/*
 * Append to *to what the folder `folder` (absolute, as the target names it) has installed, as
 * records: name NUL version NUL ("?" if unknown) flags NUL ("e" editable, else "-") path NUL …
 * NUL. Paths are absolute; one that ends with a slash is a folder with all that is below it. Stops
 * at deadline_ns (monotonic_ns()). Nothing is appended for a folder that cannot be read.
 */
void distributions_read(int root_fd, const char *folder, uint64_t deadline_ns, struct strbuf *to);
