#!/bin/sh
# run_tests.sh BUILD [ONLY] [DEVICE]: runs every test program and example, or those with one of the words of ONLY in their names, with a
# time limit and prints a verdict each.
set -u
B=$1 only=${2:-} device=${3:-}
[ -n "$device" ] && export GESSO_DEVICE="$device"
# under the address sanitizer other drivers are kept out of the process: Mesa's leak, which would fail every test
pocl=/etc/OpenCL/vendors/pocl.icd
case "$B" in *address*)
    [ -f $pocl ] && export OCL_ICD_VENDORS="${OCL_ICD_VENDORS:-$pocl}"
    export LSAN_OPTIONS="suppressions=tools/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}" ;;
esac
pass=0 fail=0 failed=
export GESSO_TUNING=off # what was measured on this machine is not what the tests are about; test_tune has folders of its own
export GESSO_BUILD="$B" # where the tests of the program find it
for t in "$B"/tests/test_* "$B"/examples/*; do
    [ -x "$t" ] || continue
    case "$t" in *.d|*.o) continue ;; esac
    name=$(basename "$t") start=$(date +%s)
    wanted=
    for word in $only; do case "$name" in *"$word"*) wanted=1 ;; esac; done
    [ -z "$only" ] || [ -n "$wanted" ] || continue
    if timeout 900 "$t" >"$t.log" 2>&1; then
        pass=$((pass + 1))
        echo "ok    $name ($(($(date +%s) - start)) s)"
        grep -a '^SKIP' "$t.log"
    else
        fail=$((fail + 1)) failed="$failed $name"
        echo "FAIL  $name ($(($(date +%s) - start)) s); the end of $t.log:"
        tail -n 60 "$t.log"
    fi
done
[ -n "$failed" ] && echo "failed:$failed"
echo "$pass passed, $fail failed"
[ "$fail" = 0 ] && [ "$pass" -gt 0 ]
