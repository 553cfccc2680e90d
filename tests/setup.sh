#!/bin/sh
# setup.sh: install what building and testing auditview needs, if it is missing.
#
# Idempotent and quiet: if everything is installed, it prints nothing and needs neither root, a network nor a package manager. It
# installs with apt; with another package manager it prints the command.
# Usage: tests/setup.sh [--build] [--list MANAGER]
#   --build         only what the build needs, not the test tools
#   --list MANAGER  print the packages' names for apt, dnf, pacman or apk, and end (the README's list is that of --build)
set -eu

# How it is found: c = a program, h = a header, p = a module of pkg-config. "-": comes with another package, or does not exist
# there; auditview builds without libunwind, vterm, sqlite3 and cmocka, and says what is then missing.
needs='
build c:cc             gcc              gcc                gcc        gcc
build h:stdio.h        libc6-dev        glibc-devel        -          musl-dev
build h:linux/types.h  linux-libc-dev   kernel-headers     -          linux-headers
build c:objcopy        binutils         binutils           binutils   binutils
build c:meson          meson            meson              meson      meson
build c:ninja          ninja-build      ninja-build        ninja      ninja-build
build c:pkg-config     pkg-config       pkgconf-pkg-config pkgconf    pkgconf
build c:python3        python3          python3            python     python3
build p:ncursesw       libncurses-dev   ncurses-devel      ncurses    ncurses-dev
build p:libpcre2-8     libpcre2-dev     pcre2-devel        pcre2      pcre2-dev
build p:libunwind      libunwind-dev    libunwind-devel    libunwind  libunwind-dev
build p:libelf         libelf-dev       elfutils-devel     libelf     elfutils-dev
build p:libdw          libdw-dev        elfutils-devel     libelf     elfutils-dev
build p:libzstd        libzstd-dev      libzstd-devel      zstd       zstd-dev
build p:libxxhash      libxxhash-dev    xxhash-devel       xxhash     xxhash-dev
build p:vterm          libvterm-dev     libvterm-devel     libvterm   libvterm-dev
build p:sqlite3        libsqlite3-dev   sqlite-devel       sqlite     sqlite-dev
test  c:clang          clang            clang              clang      clang
test  c:clang-format   clang-format     clang-tools-extra  -          clang-extra-tools
test  r:               libclang-rt-dev  compiler-rt        compiler-rt compiler-rt
test  p:cmocka         libcmocka-dev    libcmocka-devel    cmocka     cmocka-dev
test  c:tmux           tmux             tmux               tmux       tmux
test  c:ps             procps           procps-ng          procps-ng  procps-ng
test  c:setpriv        util-linux       util-linux         util-linux util-linux-misc
test  c:strace         strace           strace             strace     strace
test  c:sqlite3        sqlite3          sqlite             -          sqlite
'

# The column of a package manager's names.
column() {
	case $1 in
	apt) echo 3 ;;
	dnf) echo 4 ;;
	pacman) echo 5 ;;
	apk) echo 6 ;;
	*) echo "usage: tests/setup.sh [--build] [--list apt|dnf|pacman|apk]" >&2; exit 2 ;;
	esac
}
list() { # $1: manager; the table's lines on standard input
	awk -v c="$(column "$1")" 'NF && $c != "-" && !seen[$c]++ { printf "%s%s", n++ ? " " : "", $c } END { print "" }'
}

is_there() { # $1: how it is found
	case $1 in
	c:*) command -v "${1#c:}" >/dev/null 2>&1 ;;
	h:*) echo "#include <${1#h:}>" | cc -E - >/dev/null 2>&1 ;;
	p:*) "$(command -v pkg-config || command -v pkgconf || echo false)" --exists "${1#p:}" ;; # asked anew: it may have been installed
	r:*) # what clang's sanitizers and fuzzer are linked with
		[ -n "$(find "$(clang -print-resource-dir 2>/dev/null || echo /nonexistent)/lib" -name '*fuzzer*.a' 2>/dev/null | head -n 1)" ] ;;
	esac
}

wanted=$needs
if [ "${1-}" = --build ]; then
	wanted=$(echo "$needs" | grep '^build')
	shift
fi
case ${1-} in
--list) echo "$wanted" | list "${2-}"; exit ;;
'') ;;
*) column "" ;;
esac

missing_of() { # prints the wanted lines of what is not there
	echo "$wanted" | while read -r when how names; do
		[ -z "$when" ] || is_there "$how" || echo "$when $how $names"
	done
}
missing=$(missing_of)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing, and not installed, because there is no apt here:" >&2
	echo "$missing" | sed 's/^[a-z]* *c:\([^ ]*\).*/  the program \1/; s/^[a-z]* *h:\([^ ]*\).*/  the header \1/
		s/^[a-z]* *p:\([^ ]*\).*/  \1 (as pkg-config names it)/; s/^[a-z]* *r:.*/  runtime libraries of clang/' >&2
	for manager in "dnf:dnf install" "pacman:pacman -S" "apk:apk add"; do
		! command -v "${manager%%:*}" >/dev/null 2>&1 ||
			echo "as root: ${manager#*:} $(echo "$missing" | list "${manager%%:*}")" >&2
	done
	# The test tools may be missing: their tests are skipped.
	! echo "$missing" | grep '^build' | grep -qv -e p:libunwind -e p:vterm -e p:sqlite3 || exit 1
	exit 0
fi

as_root=
packages=$(echo "$missing" | list apt)
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "cannot install $packages: not root, and sudo is not there; as root: apt-get install $packages" >&2
		exit 1
	fi
	as_root=sudo
fi

log=$(mktemp)
status=$(mktemp)
trap 'rm -f "$log" "$status"' EXIT
apt() { $as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qy -o DPkg::Lock::Timeout=300 "$@"; }

# Reads what apt-get prints and says how far it is: on a terminal in one line that is written again, else now and then a line.
progress() {
	tee "$log" | awk -v tty="$([ -t 2 ] && echo 1)" '
		function show(what, i, always) {
			if (tty) printf "\r\033[K  %s", what > "/dev/stderr"
			else if (always || i % 50 == 0) print "  " what > "/dev/stderr"
			shown = 1
		}
		/newly installed/ { n = $1 + $3 }
		/^Need to get/ { show("fetching " $4 " " $5, 0, 1) }
		/^Get:/ { show("fetching package " ++got " of " n ": " $5, got) }
		/^Unpacking/ { show("unpacking package " ++unpacked " of " n ": " $2, unpacked) }
		/^Setting up/ { show("setting up package " ++ready " of " n ": " $3, ready) }
		{ fflush() }
		END { if (tty && shown) printf "\r\033[K" > "/dev/stderr" }'
}
install() {
	{ apt --no-install-recommends install $packages 2>&1; echo $? >"$status"; } | progress
	[ "$(cat "$status")" = 0 ]
}
echo "installing $(echo "$packages" | wc -w) packages and what they need: $packages" >&2
# The lists of a fresh system are empty: update only if the plain install fails.
if ! install; then
	echo "  fetching apt's lists of packages" >&2
	apt update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	# Debian 12 has the runtime of one version of clang only under that version's name.
	case " $packages " in *" libclang-rt-dev "*)
		if ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then
			version=$(apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
			packages=$(echo " $packages " | sed "s/ libclang-rt-dev / ${version:+libclang-rt-$version-dev} /")
		fi
	esac
	install || { cat "$log" >&2; exit 1; }
fi
still=$(missing_of)
[ -z "$still" ] || echo "installed, and still not found: $(echo "$still" | awk '{ printf "%s ", substr($2, 3) }')" >&2
