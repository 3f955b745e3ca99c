#!/bin/bash
# ci.sh: all that can be checked without a GPU, from a fresh clone, within 25 minutes on two idle cores. Cheap steps first; after the
# build the checks of other platforms run beside the tests. Ends with the time of every step and fails when one has failed.
# What a step prints is kept in build/ci/STEP.log; of a failed one the end is shown.
set -u
cd "$(dirname "$0")/.."
out=build/ci
rm -rf $out && mkdir -p $out
began=$SECONDS

minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

step() { # name command...
    local name=$1 start=$SECONDS status=0
    shift
    "$@" >"$out/$name.log" 2>&1 || status=$?
    echo "$name $((SECONDS - start)) $status" >>$out/steps
    if [ $status = 0 ]; then
        echo "== ok    $name ($(minutes $((SECONDS - start))))"
        grep -a '^SKIP' "$out/$name.log" | sort | uniq -c | sed 's/^ *1 /      /'
    else
        echo "== FAIL  $name ($(minutes $((SECONDS - start)))), exit status $status; the end of $out/$name.log:"
        tail -n 80 "$out/$name.log"
    fi
    return $status
}

finish() {
    local failed=
    echo "== time of each step"
    while read -r name seconds status; do
        printf '%8s  %s%s\n' "$(minutes "$seconds")" "$name" "$([ "$status" = 0 ] || echo '  FAILED')"
        [ "$status" = 0 ] || failed="$failed $name"
    done <$out/steps
    printf '%8s  all\n' "$(minutes $((SECONDS - began)))"
    [ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
    exit 0
}

# Host code under valgrind and sanitizers, then other platforms; each on its own, so that one failure does not hide another.
beside() {
    [ $extras = 1 ] || return
    step valgrind make test-valgrind
    step sanitizers make SAN=address,undefined CFLAGS='-O1 -g' test-outside test-planner
    step fuzz make -j"$(nproc)" fuzz FUZZ_SECONDS=5
    step oclgrind make test-oclgrind
    step rusticl make test-rusticl
}

step packages tools/deps.sh || finish
extras=1
if ! tools/deps.sh mesa-opencl-icd oclgrind valgrind clang libclang-rt-dev; then
    extras=0
    echo "SKIP valgrind, sanitizers, fuzz, oclgrind, rusticl: their packages cannot be installed here"
fi
step layers make check-layers || finish
step build make -j"$(nproc)" WERROR=1 build-tests || finish
beside &
step tests make WERROR=1 test
wait
finish
