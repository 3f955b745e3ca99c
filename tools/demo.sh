#!/bin/sh
# demo.sh BUILD [DATA]: trains the conditional GAN on digits for about two minutes and says where the pictures are. DATA is a folder with
# MNIST's four IDX files (plain or .gz); without it a set of drawn digits is made.
set -eu
B=$1 data=${2:-} out=$B/demo
gesso=$B/gesso
mkdir -p "$out"
if [ -n "$data" ]; then
    [ -d "$data" ] || { echo "demo: $data: no such folder; DATA is a folder with MNIST's IDX files" >&2; exit 1; }
    echo "demo: data from $data"
else
    data=$out/digits
    [ -e "$data/train-images-idx3-ubyte" ] || { echo "demo: drawing digits into $data"; "$gesso" data make digits -q -o "$data"; }
fi
rm -rf "$out/run"
echo "demo: training configs/cgan_digits.ini for about two minutes; Ctrl-C stops it and keeps what it has"
status=0
trap : INT # the program catches Ctrl-C and saves; the rest below then shows what there is
"$gesso" train configs/cgan_digits.ini --set data.dataset=mnist --set data.data_dir="$data" --run "$out/run" || status=$?
[ $status = 0 ] || [ $status = 130 ] || exit $status
"$gesso" generate "$out/run" --grid --scale 2 -q -o "$out/digits.png" >/dev/null
echo
echo "demo: the digits that the network draws, a row a class: $out/digits.png"
echo "demo: grids of every epoch in $out/run/samples/, the losses in $out/run/plots/"
echo "demo: more of one class: $gesso generate $out/run --label 7 --count 16 -o $out/sevens"
