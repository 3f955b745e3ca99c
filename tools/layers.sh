#!/bin/sh
# Fails when a file of one folder includes a header of a folder that it may not know (see docs/ARCHITECTURE.md).
set -u
fail=0
allow() { # folder, then the folders it may include
    d=$1; shift
    ok="$d $*"
    for f in $(find "src/$d" -name '*.[ch]' 2>/dev/null); do
        for inc in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$f" | sort -u); do
            case " $ok gesso " in *" $inc "*) ;; *) echo "$f: folder $d may not include $inc/"; fail=1 ;; esac
        done
    done
}
allow base
allow device base
allow graph base
allow plan base graph device
allow nn base graph
allow models base graph nn
allow data base
allow io base
allow train base graph device plan nn models data io
allow eval base graph device plan nn models data io train
allow bench base graph device plan nn models data io train eval
allow cli base graph device plan nn models data io train eval bench
exit $fail
