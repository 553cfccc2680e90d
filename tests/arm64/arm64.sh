#!/bin/sh
# arm64.sh: an arm64 Linux to test in, on an x86-64 Debian, from Debian packages alone. Nothing is installed; no root needed.
#
#   arm64.sh fetch [OPTION]…         download and unpack: qemu, cross compiler, sysroot, kernel, root file system (once; cached)
#       --16k          a kernel with pages of 16 KiB
#       --dbg, --trixie, --sid, --nogil   further Pythons: 3.11-dbg; Debian 13's 3.13, also -dbg; sid's 3.13 to 3.15, also -dbg; a
#                      free-threaded 3.13, built here
#       --cc           a compiler in the guest, which some end-to-end tests need
#   arm64.sh cross                   print the options of `meson setup` for a cross build with it
#   arm64.sh run [OPTION]… FOLDER    boot, copy FOLDER to /job, run /job/run there as root, return its status
#       --16k          the kernel with pages of 16 KiB (fetched before)
#       --cpu NAME     cortex-a72 (default: no PAC, no BTI, no LSE) or max,pauth-impdef=on (all of them)
#       --smp N --memory MIB --timeout SECONDS
#       --out FOLDER   what the job leaves in /out comes back there
#   arm64.sh shell [OPTION]… [FOLDER] the same, with a shell on this terminal
#
# Times are five to thirty times those of this machine. The cache is ${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/auditview-tests}/arm64. Status 77: it
# cannot be had here, and the reason is on stderr. 124: the guest did not end in time. 125: it did not come up.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/auditview-tests}/arm64
SUITE=bookworm KERNEL_SUITE=trixie
TRIPLET=aarch64-linux-gnu
export LC_ALL=C

note() { echo "arm64.sh: $*" >&2; }
skip() { note "skipped: $*"; exit 77; }

# ---- fetching ----

# An apt configuration of our own: the machine's mirror and keys. $1: folder, $2: suites, $3: architecture, $4: what is installed
apt_configure() {
	[ ! -e "$1/done" ] || return 0
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	uri=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's|^\(.*/debian/*\) main$|\1|p' | head -n 1)
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -n "$uri" ] && [ -r $key ] || skip "no Debian mirror among the sources of apt"
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nSigned-By: %s\n' "$uri" "$2" "$3" $key >"$1/debian.sources"
	cat >"$1/apt.conf" <<-END
		APT::Architecture "$3";
		APT::Architectures { "$3"; };
		Dir::Etc::sourcelist "$1/debian.sources";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$1/lists";
		Dir::State::status "${4:-/dev/null}";
		Dir::Cache "$1";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "2";
	END
	APT_CONFIG=$1/apt.conf timeout 300 apt-get -qq update >"$1/update.log" 2>&1 || skip "apt-get update failed: $(tail -n 1 "$1/update.log")"
	: >"$1/done"
}

# Download into $1 with the apt configuration $2 ("": the machine's own); the rest: packages.
download() {
	to=$1 conf=$2
	shift 2
	mkdir -p "$to"
	if [ -n "$conf" ]; then APT_CONFIG=$conf; export APT_CONFIG; else unset APT_CONFIG; fi
	(cd "$to" && timeout 900 apt-get -qq download "$@") >"$to/download.log" 2>&1 || skip "no packages: $(tail -n 1 "$to/download.log")"
	unset APT_CONFIG
}

# $1: folder of .deb files, $2: to; the rest: more arguments of tar. Links to folders (lib → usr/lib) stay what they are.
unpack() {
	from=$1 to=$2
	shift 2
	mkdir -p "$to/usr/bin" "$to/usr/sbin" "$to/usr/lib"
	for l in bin sbin lib; do [ -e "$to/$l" ] || ln -s "usr/$l" "$to/$l"; done
	for deb in "$from"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$to" --exclude='./usr/share/doc' --exclude='./usr/share/man' \
			--exclude='./usr/share/locale' --exclude='./usr/share/i18n' --exclude='*/gconv/*' "$@" || skip "cannot unpack $deb"
	done
}

# What apt would install for these, one a line. $1: apt configuration or ""; the rest: packages.
closure() {
	conf=$1
	shift
	if [ -n "$conf" ]; then APT_CONFIG=$conf; export APT_CONFIG; else unset APT_CONFIG; fi
	apt-get install -s --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
	unset APT_CONFIG
}

# Packages that run on this machine: those that it does not have installed.
host_configure() {
	apt_configure "$cache/apt-host" "$SUITE" "$(dpkg --print-architecture)" /var/lib/dpkg/status
	host=$cache/apt-host/apt.conf
}

fetch_qemu() {
	[ ! -e "$cache/qemu.done" ] || return 0
	if ! command -v qemu-system-aarch64 >/dev/null; then
		host_configure
		list=$(closure "$host" qemu-system-arm)
		[ -n "$list" ] || skip "no package qemu-system-arm"
		download "$cache/debs/qemu" "$host" $list
		unpack "$cache/debs/qemu" "$cache/qemu"
	fi
	: >"$cache/qemu.done"
}

# The compiler alone: its C library is the sysroot's.
fetch_cross() {
	[ ! -e "$cache/cross.done" ] || return 0
	host_configure
	gcc=$(APT_CONFIG=$host apt-cache depends gcc-$TRIPLET 2>/dev/null | sed -n "s/.*Depends: \(gcc-[0-9]*-$TRIPLET\)$/\1/p" | head -n 1)
	[ -n "$gcc" ] || skip "no package gcc-$TRIPLET"
	n=${gcc#gcc-} n=${n%%-*}
	list=$(closure "$host" "$gcc" qemu-user-static | grep -v -e '-arm64-cross$')
	download "$cache/debs/cross" "$host" $list "libgcc-$n-dev-arm64-cross"
	unpack "$cache/debs/cross" "$cache/cross"
	apt_configure "$cache/apt-$SUITE" "$SUITE" arm64
	download "$cache/debs/sysroot" "$cache/apt-$SUITE/apt.conf" libc6 libc6-dev linux-libc-dev libcrypt-dev libcrypt1 libgcc-s1 \
		libncurses-dev libncursesw6 libtinfo6 libpcre2-dev libpcre2-8-0 libzstd-dev libzstd1 libxxhash-dev libxxhash0 \
		libjansson-dev libjansson4 libsqlite3-dev libsqlite3-0 libelf-dev libelf1 libdw-dev libdw1 libvterm-dev libvterm0 \
		libunwind-dev libunwind8 liblzma-dev liblzma5 zlib1g-dev zlib1g libbz2-1.0 libcmocka-dev libcmocka0
	unpack "$cache/debs/sysroot" "$cache/sysroot"
	# Links of -dev packages are absolute; the linker does not look for them below the sysroot and would take the static library.
	find "$cache/sysroot" -type l -lname '/*' | while read -r link; do ln -sfn "$cache/sysroot$(readlink "$link")" "$link"; done
	rm -rf "$cache/cross/usr/$TRIPLET/lib" "$cache/cross/usr/$TRIPLET/include" # its linker scripts name absolute paths
	mkdir -p "$cache/tools"
	for tool in gcc-$n ar objcopy objdump strip readelf nm ranlib; do
		sysroot=
		[ $tool != gcc-$n ] || sysroot="--sysroot='$cache/sysroot'"
		cat >"$cache/tools/$TRIPLET-${tool%%-*}" <<-END
			#!/bin/sh
			LD_LIBRARY_PATH='$cache/cross/usr/lib/x86_64-linux-gnu' exec '$cache/cross/usr/bin/$TRIPLET-$tool' $sysroot "\$@"
		END
	done
	user=$cache/cross/usr/bin/qemu-aarch64-static
	[ -x "$user" ] || user=$(command -v qemu-aarch64-static) || skip "no qemu-aarch64-static"
	cat >"$cache/tools/run-arm64" <<-END
		#!/bin/sh
		exec '$user' -L '$cache/sysroot' "\$@"
	END
	chmod 755 "$cache"/tools/*
	printf "[constants]\ntools = '%s'\nsysroot = '%s'\n" "$cache/tools" "$cache/sysroot" >"$cache/constants.ini"
	: >"$cache/cross.done"
}

# $1: cloud-arm64 or arm64-16k
fetch_kernel() {
	[ ! -e "$cache/kernel-$1/initramfs.cpio" ] || return 0
	apt_configure "$cache/apt-$KERNEL_SUITE" "$KERNEL_SUITE" arm64
	conf=$cache/apt-$KERNEL_SUITE/apt.conf
	image=$(APT_CONFIG=$conf apt-cache depends "linux-image-$1" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	[ -n "$image" ] || skip "no package linux-image-$1 in $KERNEL_SUITE"
	download "$cache/debs/kernel-$1" "$conf" "$image"
	tree=$cache/kernel-$1/tree
	unpack "$cache/debs/kernel-$1" "$tree" --exclude='./usr/lib/linux-image*' --exclude='*/kernel/drivers/gpu' --exclude='*/kernel/drivers/net' \
		--exclude='*/kernel/sound' --exclude='*/kernel/drivers/media'
	cp "$tree"/boot/vmlinuz-* "$cache/kernel-$1/image" || skip "no kernel in $image"
	first=$cache/kernel-$1/first
	mkdir -p "$first/bin"
	cp "$cache/root/usr/bin/busybox" "$first/bin/"
	cp "$here/init-first" "$first/init"
	chmod 755 "$first/init"
	python3 "$here/modules.py" "$tree" "$first" virtio_pci virtio_console virtio_blk ext4 crc32c_generic >/dev/null || skip "no modules in $image"
	python3 "$here/mkcpio.py" "$cache/kernel-$1/initramfs.cpio" "$first" -d dev -d proc -c dev/console:5:1 -c dev/null:1:3
	rm -rf "$tree" "$cache/debs/kernel-$1"
}

fetch_root() {
	[ ! -e "$cache/root.done" ] || return 0
	apt_configure "$cache/apt-$SUITE" "$SUITE" arm64
	conf=$cache/apt-$SUITE/apt.conf
	list=$(closure "$conf" libc6 libc-bin dash bash busybox-static coreutils util-linux procps findutils grep sed gawk tmux ncurses-base python3.11 \
		libpython3.11 strace gdb-minimal libncursesw6 libpcre2-8-0 libzstd1 libxxhash0 libjansson4 libsqlite3-0 libelf1 libdw1 libvterm0 \
		libunwind8 libcmocka0 | grep -v -E '^(lib)?perl|^libgdbm|^debconf|^dpkg$|^tar$|^ucf$|^sensible-utils|^libdebuginfod-common|^libicu|^libboost')
	[ -n "$list" ] || skip "no packages of $SUITE for arm64"
	download "$cache/debs/root" "$conf" $list
	unpack "$cache/debs/root" "$cache/root" --exclude='./usr/share/perl*' --exclude='./usr/share/gdb'
	ln -sf python3.11 "$cache/root/usr/bin/python3"
	[ -e "$cache/root/usr/bin/sh" ] || ln -s dash "$cache/root/usr/bin/sh"
	mkdir -p "$cache/root/dev" "$cache/root/proc" "$cache/root/sys" "$cache/root/tmp" "$cache/root/run" "$cache/root/root" "$cache/root/job" "$cache/root/out"
	cp "$here/init" "$cache/root/init"
	chmod 755 "$cache/root/init"
	: >"$cache/root.done"
	rm -f "$cache/root.ext4"
}

# The Pythons of another suite, run with that suite's own libc, as pythons.sh does. $1: suite; $2: their versions, of which a "d"
# at the end is a debug build.
fetch_suite() {
	[ ! -e "$cache/$1.done" ] || return 0
	apt_configure "$cache/apt-$1" "$1" arm64
	packages='libc6 zlib1g libexpat1 libffi8 libssl3t64 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libzstd1 libgcc-s1'
	for v in $2; do
		case $v in
		*d) packages="$packages python${v%d}-dbg libpython${v%d}-dbg" ;;
		*) packages="$packages python$v-minimal libpython$v-minimal libpython$v-stdlib" ;;
		esac
	done
	download "$cache/debs/$1" "$cache/apt-$1/apt.conf" $packages
	root=$cache/root/opt/$1
	unpack "$cache/debs/$1" "$root" --exclude='*.a' --exclude='./usr/lib/debug'
	ln -sf ../lib/$TRIPLET "$root/usr/bin/l"
	for v in $2; do
		python3 "$here/../relink_interp.py" "$root/usr/bin/python$v" "$root/usr/bin/relinked-python$v" "/opt/$1/usr/lib/ld-linux-aarch64.so.1" \
			'$ORIGIN/l' || note "python$v of $1: its interpreter could not be changed"
	done
	: >"$cache/$1.done"
	rm -f "$cache/root.ext4"
}

# What the root file system can have besides. $1: name; the rest: packages.
fetch_more() {
	[ ! -e "$cache/$1.done" ] || return 0
	apt_configure "$cache/apt-$SUITE" "$SUITE" arm64
	more=$1
	shift
	list=$(closure "$cache/apt-$SUITE/apt.conf" "$@" | grep -v -E '^(lib)?perl|^debconf|^dpkg$|^tar$|^media-types')
	[ -n "$list" ] || skip "no packages $*"
	download "$cache/debs/$more" "$cache/apt-$SUITE/apt.conf" $list
	unpack "$cache/debs/$more" "$cache/root" --exclude='./usr/lib/debug' --exclude='*/lto1' --exclude='*/libasan.*' --exclude='*/libtsan.*' \
		--exclude='*/liblsan.*' --exclude='*/libhwasan.*' --exclude='*/libubsan.*'
	: >"$cache/$more.done"
	rm -f "$cache/root.ext4"
}

# A free-threaded 3.13, of which there is no package: built from the source, and by the program, that pythons.sh --nogil keeps.
# It takes minutes.
fetch_nogil() {
	[ ! -e "$cache/nogil.done" ] || return 0
	native=${cache%/arm64}/nogil/bin/python3.13t
	sh "$here/../pythons.sh" --nogil >/dev/null
	[ -x "$native" ] || skip "no free-threaded Python of this machine: tests/pythons.sh --nogil"
	rm -rf "$cache/nogil-build"
	mkdir -p "$cache/nogil-build"
	tar -x -C "$cache/nogil-build" --strip-components=1 -f "${cache%/arm64}"/nogil-build/python3.13_*.orig.tar.xz ||
		skip "no source of the free-threaded Python"
	(
		cd "$cache/nogil-build" &&
			printf 'ac_cv_file__dev_ptmx=yes\nac_cv_file__dev_ptc=no\n' >config.site &&
			PATH=$cache/tools:$PATH CONFIG_SITE=$PWD/config.site PKG_CONFIG_LIBDIR=$cache/sysroot/usr/lib/$TRIPLET/pkgconfig \
				nice ./configure -q --host=$TRIPLET --build=x86_64-linux-gnu --with-build-python="$native" --disable-gil --prefix=/opt/nogil \
				--without-ensurepip --disable-test-modules CFLAGS=-O2 CC=$TRIPLET-gcc AR=$TRIPLET-ar READELF=$TRIPLET-readelf &&
			PATH=$cache/tools:$PATH nice make -s -j2 && PATH=$cache/tools:$PATH make -s install DESTDIR="$cache/root"
	) >"$cache/nogil.log" 2>&1 || skip "the free-threaded Python could not be built: $cache/nogil.log"
	rm -rf "$cache/nogil-build"
	: >"$cache/nogil.done"
	rm -f "$cache/root.ext4"
}

make_image() {
	[ -e "$cache/root.ext4" ] && [ ! "$here/init" -nt "$cache/root.ext4" ] || {
		cp "$here/init" "$cache/root/init"
		chmod 755 "$cache/root/init"
		size=$(($(du -sm "$cache/root" | cut -f 1) * 5 / 4 + 150))
		mke2fs -q -F -t ext4 -O ^has_journal -m 0 -N 40000 -E root_owner=0:0 -d "$cache/root" "$cache/root.ext4.new" "${size}M" >/dev/null ||
			skip "mke2fs failed"
		mv "$cache/root.ext4.new" "$cache/root.ext4"
	}
}

fetch() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86-64; here tests can run natively"
	for tool in apt-get dpkg-deb mke2fs python3 tar; do
		command -v $tool >/dev/null || PATH=$PATH:/sbin:/usr/sbin
		command -v $tool >/dev/null || skip "needs $tool"
	done
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	fetch_qemu
	fetch_root
	fetch_kernel cloud-arm64
	fetch_cross
	for argument; do
		case $argument in
		--16k) fetch_kernel arm64-16k ;;
		--sid) fetch_suite sid '3.13 3.14 3.14d 3.15' ;;
		--trixie) fetch_suite trixie '3.13 3.13d' ;;
		--dbg) fetch_more dbg python3.11-dbg ;;
		--cc) fetch_more cc gcc libc6-dev && ln -sf gcc "$cache/root/usr/bin/cc" ;; # the link is made by a maintainer script
		--nogil) fetch_nogil ;;
		*) note "unknown: $argument"; exit 2 ;;
		esac
	done
	make_image
	exec 9>&-
}

# ---- running ----

run() {
	kernel=cloud-arm64 cpu=cortex-a72 smp=2 memory=1536 timeout=550 out= shell=$1
	shift
	while :; do
		case ${1-} in
		--16k) kernel=arm64-16k cpu=max,pauth-impdef=on ;;
		--cpu) cpu=$2; shift ;;
		--smp) smp=$2; shift ;;
		--memory) memory=$2; shift ;;
		--timeout) timeout=$2; shift ;;
		--out) out=$2; shift ;;
		*) break ;;
		esac
		shift
	done
	[ -e "$cache/root.ext4" ] && [ -e "$cache/kernel-$kernel/image" ] || skip "not fetched yet: arm64.sh fetch"
	PATH=$PATH:/sbin:/usr/sbin
	make_image
	here_now=$(mktemp -d)
	trap 'rm -rf "$here_now"' EXIT
	cat "$cache/kernel-$kernel/initramfs.cpio" >"$here_now/initrd"
	if [ -n "${1-}" ]; then
		python3 "$here/mkcpio.py" "$here_now/job.cpio" "$1:/job" && cat "$here_now/job.cpio" >>"$here_now/initrd"
	fi
	truncate -s 64M "$here_now/out"
	qemu=$(command -v qemu-system-aarch64) data=
	if [ -d "$cache/qemu" ]; then
		qemu=$cache/qemu/usr/bin/qemu-system-aarch64 data="-L $cache/qemu/usr/share/qemu"
		LD_LIBRARY_PATH=$cache/qemu/usr/lib/x86_64-linux-gnu
		export LD_LIBRARY_PATH
	fi
	set -- $data -M virt -cpu "$cpu" -smp "$smp" -m "$memory" -accel tcg,thread=multi -nodefaults -display none -nic none -no-reboot \
		-kernel "$cache/kernel-$kernel/image" -initrd "$here_now/initrd" -append "console=hvc0 quiet panic=-1" \
		-drive "file=$cache/root.ext4,format=raw,if=none,id=root,snapshot=on" -device virtio-blk-pci,drive=root \
		-drive "file=$here_now/out,format=raw,if=none,id=out" -device virtio-blk-pci,drive=out \
		-device virtio-serial-pci -device virtconsole,chardev=c
	if [ -n "$shell" ]; then
		"$qemu" "$@" -chardev stdio,id=c,signal=off
		return
	fi
	timeout "$timeout" "$qemu" "$@" -chardev stdio,id=c,signal=off </dev/null 2>"$here_now/stderr" |
		sed -u 's/\r$//' | tee "$here_now/console" | grep --line-buffered -v '^guest-exit '
	status=$(sed -n 's/^guest-exit //p' "$here_now/console" | tail -n 1)
	[ -z "$out" ] || { mkdir -p "$out" && tar -xf "$here_now/out" -C "$out" 2>/dev/null; }
	[ -n "$status" ] || { cat "$here_now/stderr" >&2; note "the guest did not end within $timeout s"; return 124; }
	return "$status"
}

command=${1-}
[ -z "$command" ] || shift
case $command in
fetch) fetch "$@" ;;
cross) [ -e "$cache/constants.ini" ] && echo "--cross-file $cache/constants.ini --cross-file $here/cross.ini" || skip "not fetched yet: arm64.sh fetch" ;;
run) run "" "$@" ;;
shell) run shell "$@" ;;
*) sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
