#!/bin/sh
# run_tests.sh BUILD [ONLY] [DEVICE]: runs every test program and example, or those with one of the words of ONLY in their names, with a
# time limit and prints a verdict each, as they end. As many at a time as there are cores (JOBS=n: n): most of a test's time goes to one thread,
# which compiles kernels or computes the reference.
set -u

if [ "$1" = --one ]; then # PROGRAM: leaves "ok NAME" or "FAIL NAME" in PROGRAM.verdict
    t=$2 name=$(basename "$2") start=$(date +%s) verdict=ok
    timeout 1200 "$t" >"$t.log" 2>&1 || verdict=FAIL
    echo "$verdict $name" >"$t.verdict"
    text=$(if [ $verdict = ok ]; then
        echo "ok    $name ($(($(date +%s) - start)) s)"
        grep -a '^SKIP' "$t.log"
    else
        echo "FAIL  $name ($(($(date +%s) - start)) s); the end of $t.log:"
        tail -n 60 "$t.log"
    fi)
    printf '%s\n' "$text" # at once, so that verdicts do not mix
    exit 0
fi

B=$1 only=${2:-} device=${3:-}
[ -n "$device" ] && export GESSO_DEVICE="$device"
# under the address sanitizer other drivers are kept out of the process: Mesa's leak, which would fail every test
pocl=/etc/OpenCL/vendors/pocl.icd
case "$B" in *address*)
    [ -f $pocl ] && export OCL_ICD_VENDORS="${OCL_ICD_VENDORS:-$pocl}"
    export LSAN_OPTIONS="suppressions=tools/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}" ;;
esac
export GESSO_TUNING=off # what was measured on this machine is not what the tests are about; test_tune has folders of its own
export GESSO_BUILD="$B" # where the tests of the program find it

# The longest first, or the last one would run alone.
long="test_golden test_check test_ugatit_model test_ugatit test_ops"
list() {
    for name in $long; do echo "$B/tests/$name"; done
    for t in "$B"/tests/test_* "$B"/examples/*; do
        case " $long " in *" $(basename "$t") "*) ;; *) echo "$t" ;; esac
    done
}

chosen=
for t in $(list); do
    [ -x "$t" ] || continue
    case "$t" in *.d|*.o) continue ;; esac
    name=$(basename "$t") wanted=
    for word in $only; do case "$name" in *"$word"*) wanted=1 ;; esac; done
    [ -z "$only" ] || [ -n "$wanted" ] || continue
    rm -f "$t.verdict"
    chosen="$chosen $t"
done
[ -n "$chosen" ] || { echo "no test has \"$only\" in its name"; exit 1; }

# shellcheck disable=SC2086
printf '%s\n' $chosen | xargs -n 1 -P "${JOBS:-$(nproc 2>/dev/null || echo 2)}" "$0" --one

pass=0 failed=
for t in $chosen; do
    case $(cat "$t.verdict" 2>/dev/null) in
    ok*) pass=$((pass + 1)) ;;
    *) failed="$failed $(basename "$t")" ;;
    esac
done
[ -n "$failed" ] && echo "failed:$failed"
# shellcheck disable=SC2086
echo "$pass passed, $(set -- $failed; echo $#) failed"
[ -z "$failed" ]
