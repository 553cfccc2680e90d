#!/bin/sh
# run.sh: build auditview for arm64 and test it in an emulated machine (arm64.sh). The last line has the counts.
#
#   run.sh [OPTION]… [-- ARGUMENT…]
#       --fetch        download what is missing (minutes, once); without it, what is not in the cache is a reason to skip
#       --unit         the unit tests, too, and the probe's readers inside the guest's Pythons (tests/probe/inside.py)
#       --only REGEX   which end-to-end cells (tests/e2e/run.py); default: attach, launch, values, stacks
#       --full         all end-to-end groups
#       --ci           the short form that tests/run --ci runs: unit tests of what depends on the CPU, first and last event, attaching
#                      to three kinds of targets, values, stacks. On a quiet machine the guest is up in 3 s; if it took more than
#                      10, this machine is too busy to emulate another, and the tests are skipped
#       --16k, --cpu NAME, --timeout SECONDS, --memory MIB   as arm64.sh has them
#       --with OPTION  what the guest has besides, as `arm64.sh fetch` has it (--sid, --nogil, --cc, …); with --fetch it is downloaded
#   ARGUMENT…: further ones of tests/e2e/run.py, such as -v, -j 1, --python REGEX
#
# The tests use all Pythons that the guest has: those of $PYTHONS below.
#
# The exit status is 77 if the test bed cannot be had here; the reason is on stderr.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/auditview-tests}/arm64
build=${AUDITVIEW_ARM64_BUILD:-$cache/build$(echo "$root" | tr / _)}
only='^(attach|launch|values|stacks) ' unit= fetch= guest='' python= slowest=600 timeout=1500 more_fetch=
while [ $# -gt 0 ]; do
	case $1 in
	--fetch) fetch=1 ;;
	--unit) unit=1 ;;
	--only) only=$2; shift ;;
	--full) only=. ;;
	--ci)
		only='^(launch +first and last|attach +(busy|sleeping|in_epoll) |values |stacks +equal)' unit=1 slowest=10 timeout=270 python=--python=^3.11.[0-9]*$
		: "${AUDITVIEW_ARM64_TARGETS=auditview tests/e2e/librefhook.so tests/probe/libinside.so $(printf 'tests/unit/test_%s ' cfi machine_code order python \
			sigframe slot task unwind weak)}"
		;;
	--16k) guest="$guest --16k" more_fetch="$more_fetch --16k" ;;
	--cpu) guest="$guest --cpu $2"; shift ;;
	--timeout) timeout=$2; shift ;;
	--memory) guest="$guest --memory $2"; shift ;;
	--with) more_fetch="$more_fetch $2"; shift ;;
	--) shift; break ;;
	*) sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
	shift
done
if [ -n "$fetch" ]; then
	sh "$here/arm64.sh" fetch $more_fetch || exit $?
fi
cross=$(sh "$here/arm64.sh" cross) || exit $?
[ -d "$build" ] || meson setup "$build" "$root" $cross >"$cache/setup.log" 2>&1 || {
	tail -n 5 "$cache/setup.log" >&2
	rm -rf "$build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
nice ninja -C "$build" -j "${AUDITVIEW_ARM64_JOBS:-2}" ${AUDITVIEW_ARM64_TARGETS-} >"$build/ninja.log" 2>&1 || {
	grep -E 'error|FAILED' "$build/ninja.log" | head -n 10 >&2
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
mkdir -p "$job/tree/build/tests/e2e" "$job/tree/build/tests/unit"
cp -r "$root/src" "$root/tests" "$root/data" "$root/meson.build" "$root/README.md" "$job/tree/"
cp "$build/auditview" "$job/tree/build/"
cp "$build/tests/e2e/librefhook.so" "$job/tree/build/tests/e2e/"
if [ -e "$build/tests/native/read_stacks" ]; then # cells of doctor run it
	mkdir "$job/tree/build/tests/native"
	cp "$build/tests/native/read_stacks" "$job/tree/build/tests/native/"
fi
if [ -n "$unit" ]; then
	mkdir "$job/tree/build/tests/probe"
	cp "$build/tests/probe/libinside.so" "$job/tree/build/tests/probe/"
	find "$build/tests/unit" -maxdepth 1 -type f -perm -100 -name 'test_*' -exec cp {} "$job/tree/build/tests/unit/" \;
fi
cat >"$job/run" <<-'END'
	#!/bin/bash
	cd /job/tree
	PYTHONS=$(ls /usr/bin/python3.11d /opt/*/usr/bin/relinked-python3.* /opt/nogil/bin/python3.13t 2>/dev/null)
	export PYTHONS
	export SOURCE_ROOT=$PWD HOME=/tmp AUDITVIEW_TEST_SLOW=7 TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1
	read -r up _ </proc/uptime
	[ "${up%.*}" -le SLOWEST ] || { echo "skipped: the guest was up only after $up s: this machine is too busy"; exit 77; }
	failed=0 passed=0 skipped=0
	for t in build/tests/unit/test_*; do
		[ -x "$t" ] || continue
		timeout 240 "$t" >/tmp/unit.log 2>&1
		status=$?
		if [ $status = 0 ]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "FAIL  ${t##*/} (status $status)"
			grep -a -E 'ERROR|Failure' /tmp/unit.log | head -n 5
		fi
	done
	for python in /usr/bin/python3.11 $PYTHONS; do
		[ -e build/tests/probe/libinside.so ] || break
		timeout 600 "$python" -W ignore tests/probe/inside.py "$PWD/build/tests/probe/libinside.so" >/tmp/unit.log 2>&1
		status=$?
		if [ $status = 0 ]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "FAIL  the probe's readers inside $python (status $status)"
			tail -n 5 /tmp/unit.log
		fi
	done
	[ "$passed$failed" = 00 ] || echo "unit programs: $passed passed, $failed failed"
	python3 -B tests/e2e/run.py --build build --no-fetch "$@" | tee /tmp/e2e.log
	set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' /tmp/e2e.log | tail -n 1)
	passed=$((passed + ${1:-0})) failed=$((failed + ${2:-1})) skipped=$((skipped + ${3:-0}))
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
END
# The arguments become those of the job.
{
	sed '1q' "$job/run"
	printf 'set --'
	for argument in --only "$only" $python "$@"; do printf " '%s'" "$argument"; done
	echo
	sed "1d; s/SLOWEST/$slowest/" "$job/run"
} >"$job/run.new"
mv "$job/run.new" "$job/run"
sh "$here/arm64.sh" run $guest --timeout "$timeout" "$job"
