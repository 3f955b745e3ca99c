#!/bin/sh
# platform_tests.sh rusticl|oclgrind|valgrind BUILD [ONLY]: runs the tests that touch a device on another platform than the
# default one. docs/PLATFORMS.md says what is expected of each.
#   rusticl    Mesa's OpenCL on llvmpipe
#   oclgrind   a simulator; any access out of bounds that it reports is a failure, with RACES=1 any data race too (slow)
#   valgrind   host code on the null device, without any OpenCL driver in the process
set -u
platform=$1 B=$2 only=${3:-}

# Tests that open a device; under valgrind all that are quick enough on the null device.
case $platform in
valgrind) tests="base device plan ops_ref nn idx safetensors checkpoint config metrics" ;;
rusticl) tests="device device_cache kernels gemm loops lower plan ops" ;;
*) tests="device device_cache kernels plan ops" ;; # one 64 x 64 tile takes the simulator ten seconds
esac

run() { # test program
    case $platform in
    rusticl)
        icd=$(ls /etc/OpenCL/vendors/rusticl.icd /usr/share/OpenCL/vendors/rusticl.icd 2>/dev/null | head -n 1)
        [ -n "$icd" ] || { echo "Rusticl is not installed (Debian: mesa-opencl-icd)"; return 1; }
        OCL_ICD_VENDORS=$icd RUSTICL_ENABLE=llvmpipe timeout 900 "$1" ;;
    oclgrind)
        command -v oclgrind >/dev/null || { echo "oclgrind is not installed (Debian: oclgrind)"; return 1; }
        # its own cache folder: Gesso's cache cannot see Oclgrind's --build-options. 1 GiB, since some tests hold more than
        # the default of 128 MiB. Races are seen only in code that was not optimised, and looking for them is slow.
        races=
        [ -n "${RACES:-}" ] && races="--data-races --build-options -cl-opt-disable"
        : >"$1.oclgrind"
        XDG_CACHE_HOME=$cache timeout 1800 oclgrind --global-mem-size 1073741824 $races \
            --log "$1.oclgrind" "$1" || return 1
        [ -s "$1.oclgrind" ] || return 0
        echo "Oclgrind reports:"; head -n 60 "$1.oclgrind"; return 1 ;;
    valgrind)
        command -v valgrind >/dev/null || { echo "valgrind is not installed (Debian: valgrind)"; return 1; }
        GESSO_DEVICE=null OCL_ICD_VENDORS=/nonexistent timeout 900 valgrind -q --error-exitcode=9 --leak-check=full \
            --errors-for-leak-kinds=definite "$1" ;;
    *) echo "platform_tests.sh: rusticl, oclgrind or valgrind, not \"$platform\"" >&2; exit 2 ;;
    esac
}

cache=$(mktemp -d) || exit 1
trap 'rm -rf "$cache"' EXIT
pass=0 fail=0 failed=
for name in $tests; do
    t=$B/tests/test_$name
    [ -x "$t" ] || continue
    case $name in *"$only"*) ;; *) continue ;; esac
    start=$(date +%s)
    if run "$t" >"$t.$platform.log" 2>&1; then
        pass=$((pass + 1))
        echo "ok    test_$name on $platform ($(($(date +%s) - start)) s)"
        grep -a '^SKIP' "$t.$platform.log"
    else
        fail=$((fail + 1)) failed="$failed test_$name"
        echo "FAIL  test_$name on $platform; the end of $t.$platform.log:"
        tail -n 60 "$t.$platform.log"
    fi
done
[ -n "$failed" ] && echo "failed on $platform:$failed"
echo "$platform: $pass passed, $fail failed"
[ "$fail" = 0 ] && [ "$pass" -gt 0 ]
