#!/bin/sh
# pythons.sh: the Pythons that tests can use, one a line: version, TAB, program to run.
#
#   tests/pythons.sh            those on this machine: $PYTHONS, pyenv's, uv's, the system's, and those that earlier runs put into the cache
#   tests/pythons.sh --sid      first fetch Debian sid's 3.13, 3.14, 3.15 and 3.14-dbg, if apt reaches a Debian mirror
#   tests/pythons.sh --nogil    first build the free-threaded 3.13 from Debian's source, if that can be fetched (minutes)
#   tests/pythons.sh --musl     only: print the 3.13 that is linked with musl (version+musl), built first from Debian's source
#                               (minutes) with the packages musl-tools and musl-dev; with its folder's librefhook.so
#   tests/pythons.sh --ldso     also the sid Pythons as "ld.so python" (the loader is the program): version+ldso
#   tests/pythons.sh --old      also those older than 3.8, which have no audit events
#
# The version ends in "t" for free-threaded and "d" for debug builds. What was skipped, and why, goes to stderr. Nothing is
# installed: packages are unpacked into ${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/auditview-tests}, and run there
# with that suite's own libc. $PYTHONS, if set, is a list of further programs, separated by blanks.
set -u
HOME=${HOME:-/tmp}
here=$(cd "$(dirname "$0")" && pwd)
cache=${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auditview-tests}
root=$cache/sid/root
sid= nogil= ldso= old= musl=
for argument; do
	case $argument in
	--sid) sid=1 ;;
	--nogil) nogil=1 ;;
	--ldso) ldso=1 ;;
	--old) old=1 ;;
	--musl) musl=1 ;;
	*) echo "usage: pythons.sh [--sid] [--nogil] [--ldso] [--old] | --musl" >&2; exit 2 ;;
	esac
done

note() { echo "pythons.sh: $*" >&2; }

# An apt configuration of our own: the machine's mirror and keys, other suites, lists and archives in the cache.
# $1: folder, $2: suites, $3: types
apt_configure() {
	mkdir -p "$1/lists/partial" "$1/archives/partial" || return 1
	uri=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's|^\(.*/debian/*\) main$|\1|p' | head -n 1)
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	if [ -z "$uri" ] || [ ! -r $key ]; then
		note "skipped $2: no Debian mirror among the sources of apt"
		return 1
	fi
	printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$3" "$uri" "$2" $key >"$1/debian.sources"
	cat >"$1/apt.conf" <<-END
		Dir::Etc::sourcelist "$1/debian.sources";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$1/lists";
		Dir::Cache "$1";
		APT::Get::List-Cleanup "0";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "1";
	END
	if ! APT_CONFIG=$1/apt.conf timeout 120 apt-get -qq update >"$1/update.log" 2>&1; then
		note "skipped $2: apt-get update failed: $(tail -n 1 "$1/update.log")"
		return 1
	fi
}

sid_fetch() {
	[ ! -e "$cache/sid/complete" ] || return 0
	if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		note "skipped Debian sid: needs x86-64, apt-get and dpkg-deb"
		return 0
	fi
	apt_configure "$cache/apt-sid" sid deb || return 0
	packages='libc6 zlib1g libexpat1 libffi8 libssl3t64 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libzstd1 libgcc-s1
		python3.14-dbg libpython3.14-dbg'
	for v in 3.13 3.14 3.15; do
		packages="$packages python$v-minimal libpython$v-minimal libpython$v-stdlib"
	done
	sid_unpack $packages
	[ -x "$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" ] && : >"$cache/sid/complete"
}

# The shared libraries, for applications that embed Python (tests/e2e/check_embed.py).
sid_fetch_libraries() {
	[ -e "$cache/sid/complete" ] && [ ! -e "$cache/sid/libraries" ] || return 0
	apt_configure "$cache/apt-sid" sid deb || return 0
	sid_unpack libpython3.13 libpython3.14 libpython3.15
	[ -e "$root/usr/lib/x86_64-linux-gnu/libpython3.14.so.1.0" ] && : >"$cache/sid/libraries"
}

sid_unpack() {
	mkdir -p "$cache/debs" "$root"
	for package; do
		(cd "$cache/debs" && APT_CONFIG=$cache/apt-sid/apt.conf timeout 300 apt-get -qq download "$package") \
			>"$cache/apt-sid/download.log" 2>&1 ||
			note "no package $package: $(tail -n 1 "$cache/apt-sid/download.log")"
		for deb in "$cache/debs/${package}_"*.deb; do
			[ -e "$deb" ] || continue
			dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --exclude='*.a' --exclude='./usr/lib/debug' \
				--exclude='./usr/share/doc' && rm "$deb"
		done
	done
}

nogil_build() {
	[ ! -x "$cache/nogil/bin/python3.13t" ] || return 0
	apt_configure "$cache/apt-source" "trixie forky" deb-src || return 0
	mkdir -p "$cache/nogil-build"
	cd "$cache/nogil-build" || return 0
	if ! APT_CONFIG=$cache/apt-source/apt.conf timeout 300 apt-get -qq source --download-only python3.13 >fetch.log 2>&1; then
		note "skipped free-threaded 3.13: $(tail -n 1 fetch.log)"
		return 0
	fi
	tar -xf python3.13_*.orig.tar.xz && cd Python-3.13* &&
		nice -n 19 ./configure -q --disable-gil --prefix="$cache/nogil" --without-ensurepip --disable-test-modules \
			CFLAGS=-O2 >../build.log 2>&1 &&
		nice -n 19 make -s -j2 >>../build.log 2>&1 && make -s install >>../build.log 2>&1 ||
		note "skipped free-threaded 3.13: the build failed, see $cache/nogil-build/build.log"
	rm -rf "$cache/nogil-build"/Python-3.13*
}

# What the victims need is built in; modules that need a library that is not built for musl (zlib, libffi …) are left out.
musl_build() {
	[ ! -x "$cache/musl/bin/python3.13" ] || return 0
	if ! command -v musl-gcc >/dev/null; then
		note "skipped musl: no musl-gcc (packages musl-tools, musl-dev)"
		return 0
	fi
	apt_configure "$cache/apt-musl" "trixie forky" deb-src || return 0
	mkdir -p "$cache/musl-build"
	cd "$cache/musl-build" || return 0
	if ! APT_CONFIG=$cache/apt-musl/apt.conf timeout 300 apt-get -qq source --download-only python3.13 >fetch.log 2>&1; then
		note "skipped musl: $(tail -n 1 fetch.log)"
		return 0
	fi
	# configure asks the compiler for its triplet, and musl-gcc prints gcc's.
	cat >musl-cc <<-'END'
		#!/bin/sh
		case " $* " in *print-multiarch*) echo x86_64-linux-musl ;; *) exec musl-gcc "$@" ;; esac
	END
	chmod 755 musl-cc
	tar -xf python3.13_*.orig.tar.xz && cd Python-3.13* || return 0
	{
		echo '*static*'
		for m in math:mathmodule _struct select:selectmodule _random:_randommodule _bisect:_bisectmodule _heapq:_heapqmodule \
			_posixsubprocess fcntl:fcntlmodule array:arraymodule _queue:_queuemodule _opcode _contextvars:_contextvarsmodule \
			_interpreters:_interpretersmodule _pickle _socket:socketmodule _asyncio:_asynciomodule mmap:mmapmodule resource; do
			echo "${m%:*} ${m#*:}.c"
		done
		printf '_json _json.c\n_datetime _datetimemodule.c\n'
	} >Modules/Setup.local
	CC=$PWD/../musl-cc PKG_CONFIG_LIBDIR=/nonexistent nice -n 19 ./configure -q --prefix="$cache/musl" --without-ensurepip \
		--disable-test-modules CFLAGS=-O2 >../build.log 2>&1 &&
		nice -n 19 make -s -j2 python pybuilddir.txt >>../build.log 2>&1 &&
		mkdir -p "$cache/musl/lib" "$cache/musl/bin" && cp -r Lib "$cache/musl/lib/python3.13" &&
		mkdir -p "$cache/musl/lib/python3.13/lib-dynload" && cp "$(find build -name '_sysconfigdata*.py')" "$cache/musl/lib/python3.13/" &&
		musl-gcc -O2 -fPIC -shared -w -D_GNU_SOURCE -o "$cache/musl/librefhook.so" "$here/e2e/refhook.c" >>../build.log 2>&1 &&
		cp python "$cache/musl/bin/python3.13" ||
		note "skipped musl: the build failed, see $cache/musl-build/build.log"
	rm -rf "$cache/musl-build"/Python-3.13*
}

# Prints one line if the program runs and is new enough. $1: program, $2: suffix of the version. Running it takes 50 ms: the
# answer is kept as long as the program is the same file.
report() {
	[ -x "$1" ] || return 0
	key=$(stat -L -c '%n %s %Y %i' "$1")
	version=$(sed -n "s|^$key ||p" "$cache/versions" 2>/dev/null | tail -n 1)
	if [ -z "$version" ]; then
		version=$(ask_version "$1")
		[ -z "$version" ] || { mkdir -p "$cache" && echo "$key $version" >>"$cache/versions"; }
	fi
	case $version in
	3.[89].* | 3.[1-9][0-9].*) ;;
	'') note "skipped $1: it does not run"; return 0 ;;
	*) [ -n "$old" ] || { note "skipped $1: $version is older than 3.8"; return 0; } ;;
	esac
	printf '%s\t%s\n' "$version$2" "$1"
}

ask_version() {
	"$1" -S -c 'import sys, sysconfig
v = "%d.%d.%d" % sys.version_info[:3]
if sys.version_info[3] != "final":
    v += "%s%d" % (dict(alpha="a", beta="b", candidate="rc")[sys.version_info[3]], sys.version_info[4])
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    v += "t"
if hasattr(sys, "gettotalrefcount"):
    v += "d"
print(v)' 2>/dev/null
}

# Several tests may run this at once: only one at a time changes the cache. Building the one of musl takes minutes, for which
# those that do not want it need not wait: it has folders and a lock of its own.
if mkdir -p "$cache" && exec 9>"$cache/lock${musl:+-musl}" && command -v flock >/dev/null; then
	flock 9
fi
[ -z "$sid" ] || (sid_fetch && sid_fetch_libraries)
[ -z "$nogil" ] || (nogil_build)

if [ -n "$musl" ]; then
	(musl_build)
	report "$cache/musl/bin/python3.13" +musl
	exit
fi

{
	for program in ${PYTHONS-}; do
		report "$program" ""
	done
	for program in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9] \
		/usr/local/bin/python3.[0-9] /usr/local/bin/python3.[0-9][0-9] \
		"${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/*/bin/python3.[0-9]* "$cache"/nogil/bin/python3.[0-9][0-9]t; do
		report "$program" ""
	done
	loader=$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
	for program in "$root"/usr/bin/python3.[0-9][0-9] "$root"/usr/bin/python3.[0-9][0-9]d; do
		[ -x "$program" ] && [ -x "$loader" ] || continue
		name=$(basename "$program")
		# The copy finds its standard library as the original does: from its own folder's parent.
		copy=$root/usr/bin/relinked-$name
		[ -e "$root/usr/bin/l" ] || ln -s ../lib/x86_64-linux-gnu "$root/usr/bin/l"
		if [ ! -x "$copy" ] && ! python3 "$here/relink_interp.py" "$program" "$copy" "$loader" '$ORIGIN/l'; then
			note "skipped $program: its interpreter could not be changed"
			continue
		fi
		report "$copy" ""
		[ -n "$ldso" ] || continue
		wrapper=$root/usr/bin/ldso-$name
		printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "${loader%/*}" "$program" >"$wrapper.new"
		chmod 755 "$wrapper.new" && mv "$wrapper.new" "$wrapper"
		report "$wrapper" +ldso
	done
} | sort -t "$(printf '\t')" -k 1,1V -u
