#!/bin/sh
# run.sh: build auditview for arm64 and test it in an emulated machine (arm64.sh). The last line has the counts.
#
#   run.sh [OPTION]… [-- ARGUMENT…]
#       --fetch        download what is missing (minutes, once); without it, what is not in the cache is a reason to skip
#       --unit         the unit tests, too
#       --only REGEX   which end-to-end cells (tests/e2e/run.py); default: attach, launch, values, stacks
#       --full         all end-to-end groups
#       --16k, --cpu NAME, --timeout SECONDS   as arm64.sh has them
#   ARGUMENT…: further ones of tests/e2e/run.py
#
# The exit status is 77 if the test bed cannot be had here; the reason is on stderr.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${AUDITVIEW_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/auditview-tests}/arm64
build=${AUDITVIEW_ARM64_BUILD:-$cache/build$(echo "$root" | tr / _)}
only='^(attach|launch|values|stacks) ' unit= fetch= guest='' timeout=1500 more_fetch=
while [ $# -gt 0 ]; do
	case $1 in
	--fetch) fetch=1 ;;
	--unit) unit=1 ;;
	--only) only=$2; shift ;;
	--full) only=. ;;
	--16k) guest="$guest --16k" more_fetch="$more_fetch --16k" ;;
	--cpu) guest="$guest --cpu $2"; shift ;;
	--timeout) timeout=$2; shift ;;
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
if [ -n "$unit" ]; then
	find "$build/tests/unit" -maxdepth 1 -type f -perm -100 -name 'test_*' -exec cp {} "$job/tree/build/tests/unit/" \;
fi
cat >"$job/run" <<-'END'
	#!/bin/bash
	cd /job/tree
	export SOURCE_ROOT=$PWD HOME=/tmp AUDITVIEW_TEST_SLOW=7 TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1
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
	for argument in --only "$only" "$@"; do printf " '%s'" "$argument"; done
	echo
	sed '1d' "$job/run"
} >"$job/run.new"
mv "$job/run.new" "$job/run"
sh "$here/arm64.sh" run $guest --timeout "$timeout" "$job"
