#!/bin/sh
# platform_tests.sh rusticl|oclgrind|valgrind BUILD [ONLY]: runs the tests that touch a device on another platform than the default one.
# docs/PLATFORMS.md says what is expected of each.
#   rusticl    Mesa's OpenCL on llvmpipe; then a small training run against stored losses
#   oclgrind   a simulator; any access out of bounds that it reports is a failure. Then small op cases, unoptimised, with data races and
#              uninitialised reads as failures too; RACES=1: the tests as well (slow)
#   valgrind   host code on the null device, without any OpenCL driver in the process
set -u
platform=$1 B=$2 only=${3:-}

# Tests that open a device; under valgrind those that are quick on the null device. Then op cases for Oclgrind's closer look: an op for
# each kernel file and form of generated kernel that it gets through in seconds.
ops= forms=
case $platform in
valgrind) tests="base device plan simplify ops_ref nn idx safetensors checkpoint config metrics" ;;
rusticl) tests="device device_cache kernels gemm loops plan simplify ops lower" ;;
oclgrind)
    tests="device device_cache kernels plan simplify ops" # one 64 x 64 tile takes the simulator ten seconds
    forms="gemm:cpu_form gemm:few_form gemm:thin_form lower:conv_cpu lower:conv_own lower:conv_few lower:conv_sums lower:conv_rows lower:winograd_fused
        lower:short_rows lower:sums_of_columns lower:sums_of_negative_zeros lower:pooling lower:largest_of_windows lower:separable_maps
        rows:forward rows:gradients rows:columns_forward rows:columns_gradients rows:in_place rows:many_rows rows:any_length rows:first_element
        rows:largest_beside_nan"
    ops="cumsum max argmax mean moments gather scatter_add max_pool2d avg_pool2d resize2d pad2d broadcast_to concat permute random_normal" ;;
*) echo "platform_tests.sh: rusticl, oclgrind or valgrind, not \"$platform\"" >&2; exit 2 ;;
esac

cache=$(mktemp -d) || exit 1
trap 'rm -rf "$cache"' EXIT
log=$cache/oclgrind.txt

# Under Oclgrind with its own cache folder: Gesso's cache cannot see Oclgrind's --build-options. 1 GiB, since some tests hold more than the
# default of 128 MiB.
oclgrind_run() { # flags, command...
    flags=$1
    shift
    command -v oclgrind >/dev/null || { echo "oclgrind is not installed (Debian: oclgrind)"; return 1; }
    : >"$log"
    # shellcheck disable=SC2086
    XDG_CACHE_HOME=$cache timeout 1800 oclgrind --global-mem-size 1073741824 $flags --log "$log" "$@" || return 1
    [ -s "$log" ] || return 0
    echo "Oclgrind reports:"
    head -n 60 "$log"
    return 1
}

# Races and uninitialised reads are seen only in code that was not optimised. GESSO_POISON writes buffers in the way that the simulator
# understands, and makes of a read that nobody wrote a NaN. Gesso's own product: CLBlast's is too much for it. A cache folder apart, or it
# would get the optimised kernels of the runs before.
closely() (
    cache=$cache/unoptimised
    export GESSO_POISON=1 GESSO_GEMM=tile
    oclgrind_run "--uninitialized --data-races --build-options -cl-opt-disable" "$@"
)

# The forms for CPUs, which the simulator would not get by itself: it has local memory of its own, and too little. A skipped case is a failure.
cpu_forms() { # test program, case
    GESSO_FORMS=cpu GESSO_TEST=$2 oclgrind_run "--local-mem-size 1048576" "$1" >"$cache/forms.txt" 2>&1
    status=$?
    cat "$cache/forms.txt"
    [ "$status" = 0 ] && grep -q 'OK \]' "$cache/forms.txt" && ! grep -q '^SKIP' "$cache/forms.txt"
}

run() { # command...
    case $platform in
    rusticl)
        icd=$(ls /etc/OpenCL/vendors/rusticl.icd /usr/share/OpenCL/vendors/rusticl.icd 2>/dev/null | head -n 1)
        [ -n "$icd" ] || { echo "Rusticl is not installed (Debian: mesa-opencl-icd)"; return 1; }
        OCL_ICD_VENDORS=$icd RUSTICL_ENABLE=llvmpipe timeout 900 "$@" ;;
    oclgrind)
        if [ -n "${RACES:-}" ]; then oclgrind_run "--data-races --build-options -cl-opt-disable" "$@"
        else oclgrind_run "" "$@"; fi ;;
    valgrind)
        command -v valgrind >/dev/null || { echo "valgrind is not installed (Debian: valgrind)"; return 1; }
        GESSO_DEVICE=null OCL_ICD_VENDORS=/nonexistent timeout 900 valgrind -q --error-exitcode=9 --leak-check=full \
            --errors-for-leak-kinds=definite "$@" ;;
    esac
}

pass=0 fail=0 failed=
verdict() { # name, how, command...
    name=$1 how=$2
    shift 2
    case $name in *"$only"*) ;; *) return ;; esac
    start=$(date +%s) out=$B/tests/$name.$platform.log
    if "$how" "$@" >"$out" 2>&1; then
        pass=$((pass + 1))
        echo "ok    $name on $platform ($(($(date +%s) - start)) s)"
        grep -a '^SKIP' "$out"
    else
        fail=$((fail + 1)) failed="$failed $name"
        echo "FAIL  $name on $platform; the end of $out:"
        tail -n 60 "$out"
    fi
}

for t in $tests; do
    [ ! -x "$B/tests/test_$t" ] || verdict "test_$t" run "$B/tests/test_$t"
done
for c in $forms; do
    verdict "${c%:*}_${c#*:}" cpu_forms "$B/tests/test_${c%:*}" "${c#*:}"
done
for op in $ops; do
    verdict "check_$op" closely "$B/gesso" check --quiet --op "$op"
done
[ "$platform" != rusticl ] || verdict training run "$B/gesso" check --quiet --part training
[ -n "$failed" ] && echo "failed on $platform:$failed"
echo "$platform: $pass passed, $fail failed"
[ "$fail" = 0 ] && [ "$pass" -gt 0 ]
