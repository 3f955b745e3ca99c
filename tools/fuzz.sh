#!/bin/sh
# fuzz.sh SECONDS ONLY PROGRAM...: runs each libFuzzer program for that long. Seeds come from tests/fuzz/corpus/<name>/ where
# there are any; what is found on the way is kept in build-fuzz/corpus/<name>/ for the next run, a crash in build-fuzz/.
set -u
seconds=$1 only=$2
shift 2
failed=
for program in "$@"; do
    name=${program##*/fuzz_}
    case "$name" in *"$only"*) ;; *) continue ;; esac
    found=build-fuzz/corpus/$name seeds=tests/fuzz/corpus/$name
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    echo "  FUZZ $name, $seconds s"
    if "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/$name-" "$found" $seeds >"build-fuzz/$name.log" 2>&1; then
        grep -aE 'number_of_executed_units|average_exec_per_sec' "build-fuzz/$name.log"
    else
        failed="$failed $name"
        tail -n 40 "build-fuzz/$name.log"
    fi
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
