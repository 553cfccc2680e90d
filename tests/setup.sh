#!/bin/sh
# setup.sh: install what building and testing auditview needs, with apt, if it is missing.
#
# Idempotent and quiet: if everything is installed, it prints nothing and needs neither root nor a network.
# Usage: tests/setup.sh [--build]     --build: only what the build needs, not the test tools
set -eu

build='gcc libc6-dev binutils meson ninja-build pkg-config python3
libncurses-dev libpcre2-dev libunwind-dev libelf-dev libdw-dev libzstd-dev libxxhash-dev libvterm-dev
libsqlite3-dev'
test='clang clang-format libclang-rt-14-dev libcmocka-dev tmux procps util-linux strace sqlite3'

wanted=$build
[ "${1-}" = --build ] || wanted="$build $test"

missing=
for package in $wanted; do
	# "ii" or "hi": installed; pkg-config may be provided by pkgconf
	state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null 2>&1; then
		as_root=sudo
	else
		echo "cannot install$missing: not root, and sudo is not there; as root: apt-get install$missing" >&2
		exit 1
	fi
fi
echo "installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# The lists of a fresh system are empty: update only if the plain install fails.
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install $missing >"$log" 2>&1; }
if ! install; then
	$as_root apt-get -qq update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	install || { cat "$log" >&2; exit 1; }
fi
