#!/bin/bash
# fresh.sh: the README's two commands, on bare Debian releases: the smallest root that debootstrap makes, and nothing else.
#
#   tests/fresh.sh                       bookworm, trixie and sid, each as root and as an ordinary user
#   tests/fresh.sh trixie sid            these releases
#   tests/fresh.sh --user root           as root only; also: --user ordinary
#   tests/fresh.sh --demo                the first command alone
#   tests/fresh.sh --fast                in place of `tests/run`: `tests/run --fast` (build, unit, lint, filter)
#   tests/fresh.sh --compilers           in place of both commands: build with each gcc from 12 and each clang from 14 that the
#                                        release has, warnings as errors: plain, and as a release (LTO, _FORTIFY_SOURCE=3)
#   tests/fresh.sh --shell SUITE         a shell in such a root
#
# Needs root, debootstrap, tmux, git, and a Debian mirror among apt's sources; the last commit of this checkout is what is tried.
# Roots are kept in ${AUDITVIEW_FRESH:-~/.cache/auditview-fresh}, bare; a trial works on an overlay of one, with a /proc, /dev, /sys
# and /tmp of its own, in namespaces of its own, and leaves nothing but its logs: SUITE-USER.log and SUITE-USER.demo beside the root.
# The checkout stands in a home of mode 0700, LANG is C. The last lines are a table; the exit status is 0 if nothing failed.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
cache=${AUDITVIEW_FRESH:-${XDG_CACHE_HOME:-$HOME/.cache}/auditview-fresh}
suites=() users=(root ordinary) mode=both shell=
while [ $# -gt 0 ]; do
	case $1 in
	--user) users=("$2"); shift ;;
	--demo | --fast | --compilers) mode=${1#--} ;;
	--shell) shell=1 ;;
	-*) sed -n '2,/^set/{/^#/s/^# \?//p}' "$0" >&2; exit 2 ;;
	*) suites+=("$1") ;;
	esac
	shift
done
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie sid)
[ "$(id -u)" = 0 ] || { echo "fresh.sh: making a root needs root" >&2; exit 2; }
for tool in debootstrap tmux git unshare nsenter; do
	command -v $tool >/dev/null || { echo "fresh.sh: $tool is not installed" >&2; exit 2; }
done
say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }

# The machine's own mirror, and how apt is told to reach it. Prints nothing if there is none.
mirror() {
	apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's|^\(.*/debian/*\) main$|\1|p' | head -n 1
}

# $1: suite. The bare root is made under another name first: what has its name is complete.
make_root() {
	local root=$cache/$1 uri part
	[ ! -d "$root" ] || return 0
	uri=$(mirror)
	[ -n "$uri" ] || { say "$1: no Debian mirror among the sources of apt"; return 1; }
	say "$1: debootstrap"
	rm -rf "$root.new"
	debootstrap --variant=minbase "$1" "$root.new" "$uri" >"$cache/$1.debootstrap" 2>&1 ||
		{ say "$1: debootstrap failed, see $cache/$1.debootstrap"; return 1; }
	for part in /etc/apt/apt.conf.d/*; do # a proxy, if there is one
		! grep -qi acquire "$part" || cp "$part" "$root.new/etc/apt/apt.conf.d/"
	done
	[ ! -e /etc/apt/apt.conf ] || cp /etc/apt/apt.conf "$root.new/etc/apt/"
	cp /etc/resolv.conf "$root.new/etc/" 2>/dev/null
	rm -f "$root.new"/var/lib/apt/lists/*Packages* "$root.new"/var/cache/apt/archives/*.deb
	mv "$root.new" "$root"
}

# Runs as the first process of the trial's namespaces; $1: bare root, $2: the trial's folder.
# bash waits for whatever child it is given, as an init must.
inside_init() {
	local root=$2/root node
	mount --make-rprivate / && mkdir -p "$2/upper" "$2/work" "$root" || exit 1
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root" || exit 1
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
	mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
	mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/var/cache/apt/archives"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
	mount --bind "$2/debs" "$root/var/cache/apt/archives"
	for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		IFS=: read -r name major minor <<<"$node"
		mknod -m 666 "$root/dev/$name" c "$major" "$minor"
	done
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	for node in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${node#*:}" "$root/dev/${node%:*}"; done
	: >"$2/ready"
	trap 'exit 0' TERM
	while :; do sleep 3600 & wait $!; done
}
if [ -n "${FRESH_INIT-}" ]; then inside_init "$FRESH_BASE" "$FRESH_INIT"; fi

# ---- one trial ----

folder= holder= kept= # of the trial that runs; where the packages of its release are kept
end_trial() {
	[ -z "$holder" ] || { kill -KILL "$holder" 2>/dev/null; wait "$holder" 2>/dev/null; holder=; }
	[ -z "$folder" ] || mv -n "$folder"/debs/*.deb "$kept/" 2>/dev/null
	[ -z "$folder" ] || { tmux -L "fresh-$$" kill-server 2>/dev/null; rm -rf --one-file-system "$folder"; folder=; }
}
trap end_trial EXIT
trap 'exit 1' INT TERM HUP

# $1: suite
begin_trial() {
	make_root "$1" || return 1
	folder=$(mktemp -d "$cache/trial.XXXXXX")
	chmod 755 "$folder"
	# Each trial has its own folder of packages, because apt locks it.
	kept=$cache/debs-$1
	mkdir -p "$kept" "$folder/debs/partial" || return 1
	cp -l "$kept"/*.deb "$folder/debs/" 2>/dev/null
	FRESH_INIT=$folder FRESH_BASE=$cache/$1 \
		unshare --mount --pid --ipc --uts --fork --kill-child "$BASH" "${BASH_SOURCE[0]}" </dev/null >"$folder/init.log" 2>&1 &
	holder=$!
	for ((i = 0; i < 300; i++)); do
		[ ! -e "$folder/ready" ] || break
		sleep 0.1
	done
	first=$(ps -o pid= --ppid "$holder" | tr -d ' ')
	[ -e "$folder/ready" ] && [ -n "$first" ] || { say "$1: no root: $(tail -n 1 "$folder/init.log")"; return 1; }
	git clone -q --no-hardlinks "$top" "$folder/clone" || return 1
	in_root root groupadd -f tty
	in_root root useradd -m -s /bin/bash ordinary
	for home in root home/ordinary; do
		root_file=/proc/$first/root$folder/root/$home
		chmod 700 "$root_file"
		cp -a "$folder/clone" "$root_file/auditview" || return 1
	done
	in_root root chown -R ordinary:ordinary /home/ordinary
}

# enter USER: the words before a command that runs it in the trial's root, in that user's home
enter() {
	local home=/root ids=(--reuid=0 --regid=0 --clear-groups)
	if [ "$1" = ordinary ]; then
		home=/home/ordinary
		ids=(--reuid=ordinary --regid=ordinary --init-groups --inh-caps=-all --bounding-set=-all)
	fi
	words=(nsenter -t "$first" -m -p -i -u chroot "$folder/root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		HOME=$home USER="$1" LOGNAME="$1" SHELL=/bin/bash TERM=xterm-256color LANG=C setpriv "${ids[@]}" nice -n "${FRESH_NICE:-5}"
		/bin/sh -c 'cd "$HOME" && exec "$@"' sh)
}
in_root() {
	local user=$1
	shift
	enter "$user"
	"${words[@]}" "$@"
}

# Ends all processes of the trial but its first. A build of a demo that failed would go on beside the tests.
end_all() { in_root root kill -KILL -1 2>/dev/null; }

# The first command: opens on a terminal, shows the shop's events, and ends by q, and k if q asks what becomes of the shop.
# It has failed if for 15 minutes neither the screen nor the log of its build has changed.
# $1: user, $2: log
demo() {
	local i screen= seen= now t=(tmux -L "fresh-$$" -f /dev/null)
	enter "$1"
	"${t[@]}" new-session -d -x 110 -y 32 "$(printf '%q ' "${words[@]}" auditview/tests/demo/run); echo status \$?; sleep 5"
	for ((i = 0; i < 900; i++)); do
		sleep 1
		screen=$("${t[@]}" capture-pane -p 2>/dev/null) || break
		now=$screen$(in_root "$1" stat -c %s auditview/build/last-build.log 2>/dev/null)
		[ "$now" = "$seen" ] || i=0
		seen=$now
		case $screen in
		*Events*shop.py*) printf '%s\n' "$screen" >"$2"; break ;;
		*"status "[0-9]*) break ;;
		esac
	done
	case $screen in
	*Events*shop.py*) ;;
	*) printf '%s\n' "$screen" >"$2"; "${t[@]}" kill-server 2>/dev/null; echo "did not open"; end_all; return 1 ;;
	esac
	"${t[@]}" send-keys q
	for ((i = 0; i < 60; i++)); do
		sleep 1
		screen=$("${t[@]}" capture-pane -p 2>/dev/null) || break
		case $screen in
		# the status is the shop's, which q or k has ended: 128+9
		*"status 0"* | *"status 137"*) "${t[@]}" kill-server 2>/dev/null; echo "ok"; return 0 ;;
		*"status "[0-9]*) break ;;
		*"k kill"*"Esc stay"*) "${t[@]}" send-keys k ;; # what q asks, because the screen started the shop
		esac
	done
	printf '%s\n' "$screen" >>"$2"
	"${t[@]}" kill-server 2>/dev/null
	echo "did not end"
	end_all
	return 1
}

rows=() failed=0
# $1: suite, $2: user
both_commands() {
	local log=$cache/$1-$2.log shown line=- warnings status started=$SECONDS setup
	: >"$log"
	if [ "$2" = ordinary ]; then # without rights, and without sudo: what is missing was installed before
		in_root root auditview/tests/setup.sh >>"$log" 2>&1 || { rows+=("$1|$2|failed|-|-|-"); failed=1; return; }
	fi
	setup=$((SECONDS - started))
	say "$1 $2: tests/demo/run"
	shown=$(demo "$2" "$cache/$1-$2.demo") || failed=1
	[ "$2" = ordinary ] || setup=$((SECONDS - started))
	in_root "$2" cat auditview/build/last-build.log >>"$log" 2>/dev/null
	if [ $mode = demo ]; then
		warnings=$(grep -c 'warning:' "$log")
		[ "$warnings" = 0 ] || failed=1
		rows+=("$1|$2|$setup s|$shown|-|$warnings")
		return
	fi
	say "$1 $2: tests/run${fast:+ --fast}"
	[ -z "$fast" ] || in_root "$2" auditview/tests/setup.sh >>"$log" 2>&1
	in_root "$2" auditview/tests/run $fast >>"$log" 2>&1
	status=$?
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
	warnings=$(grep -c 'warning:' "$log")
	[ "$status" = 0 ] && [ "$warnings" = 0 ] || failed=1
	rows+=("$1|$2|$setup s|$shown|${line:-status $status, see $log}|$warnings")
}

# Prints the compilers of the release that are new enough, as package names.
compilers() {
	in_root root apt-get -qq update >&2
	in_root root apt-cache pkgnames | grep -E '^(gcc-(1[2-9]|[2-9][0-9])|clang-(1[4-9]|[2-9][0-9]))$' | sort -V
}

# $1: suite
all_compilers() {
	local cc log=$cache/$1-compilers.log how result warnings
	: >"$log"
	in_root root auditview/tests/setup.sh >>"$log" 2>&1 || { rows+=("$1|set-up|failed|-|-|-"); failed=1; return; }
	for cc in ${FRESH_COMPILERS:-$(compilers 2>>"$log")}; do
		in_root root env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "$cc" >>"$log" 2>&1 ||
			{ rows+=("$1|$cc|not installable|-|-|-"); continue; }
		for how in ${FRESH_HOW:-plain release}; do
			say "$1 $cc $how"
			set -- "$1"
			[ $how = plain ] || set -- "$1" --buildtype=release -Db_lto=true -Dc_args=-D_FORTIFY_SOURCE=3
			case $how$cc in releaseclang*) # LTO of clang wants a linker that reads its files
				in_root root env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "${cc/clang/lld}" >>"$log" 2>&1
				set -- "$@" -Dc_link_args=-fuse-ld=lld ;;
			esac
			echo "== $1 $cc $how" >>"$log"
			in_root root sh -c 'cd auditview && rm -rf build-cc && CC=$1 && export CC && shift &&
				meson setup build-cc -Dwerror=true "$@" && ninja -k 0 -C build-cc' sh "$cc" "${@:2}" >"$folder/build.log" 2>&1 &&
				result=built || { result=failed; failed=1; }
			cat "$folder/build.log" >>"$log"
			warnings=$(grep -cE '(^|[^a-z])(warning|error):' "$folder/build.log")
			rows+=("$1|$cc|$how|$result|-|$warnings")
		done
	done
}

mkdir -p "$cache"
fast=
[ $mode != fast ] || fast=--fast
[ $mode != compilers ] || users=(root)
for suite in "${suites[@]}"; do
	for user in "${users[@]}"; do
		if ! begin_trial "$suite"; then
			rows+=("$suite|$user|no root|-|-|-")
			failed=1
		elif [ -n "$shell" ]; then
			in_root "$user" bash
		elif [ $mode = compilers ]; then
			all_compilers "$suite"
		else
			both_commands "$suite" "$user"
		fi
		end_trial
	done
done
[ -z "$shell" ] || exit 0
title="release|user|set-up|demo|tests|warnings"
[ $mode != compilers ] || title="release|compiler|how|result||warnings"
printf '%s\n' "$title" "${rows[@]}" | awk -F'|' '{ printf "%-9s %-9s %-8s %-13s %-42s %s\n", $1, $2, $3, $4, $5, $6 }'
exit $failed
