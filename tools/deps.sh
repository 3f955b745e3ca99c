#!/bin/sh
# deps.sh [PACKAGE...]: installs the Debian packages that Gesso builds and tests with, and those named, and says which.
# Without apt it lists what is needed and stops when something is missing.
set -u
need="gcc make pkg-config libc6-dev ocl-icd-opencl-dev opencl-headers pocl-opencl-icd libclblast-dev libpng-dev
libjpeg62-turbo-dev libcairo2-dev libinih-dev libcjson-dev zlib1g-dev libcmocka-dev fonts-dejavu-core $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
    missing=
    for pc in libpng libjpeg cairo libcjson zlib; do
        pkg-config --exists $pc 2>/dev/null || missing="$missing $pc"
    done
    for h in CL/cl.h clblast_c.h ini.h cmocka.h; do
        echo "#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <$h>" | ${CC:-cc} -E -x c - >/dev/null 2>&1 || missing="$missing $h"
    done
    [ -z "$missing" ] && exit 0
    echo "deps: missing here:$missing" >&2
    echo "deps: this system has no apt; install the equivalents of these Debian packages, then run make again:" >&2
    echo "$need" >&2
    exit 1
fi

missing=
for p in $need; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "deps: installing from the distribution:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "deps: not root and no sudo; run: apt-get install$missing" >&2; exit 1; }
    sudo=sudo
fi
$sudo apt-get update -qq || echo "deps: apt-get update failed; trying with the lists at hand" >&2
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    { echo "deps: installation failed; run by hand: apt-get install$missing" >&2; exit 1; }
