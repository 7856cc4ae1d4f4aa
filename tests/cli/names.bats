#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names of files whose bytes are not UTF-8, which Latin-1 systems left on many a disk.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    header="{'descr': '|u1', 'fortran_order': False, 'shape': (16, 8, 8), }"
    printf '\223NUMPY\1\0'"\\$(printf %o $((${#header} + 1)))"'\0%s\n' "$header" > images.npy
    yes 'The quick brown fox jumps over 13 lazy dogs.' | head -c 1024 >> images.npy
    "$VQVAE" train images.npy -o run --preset tiny --steps 2 --batch 4 --threads 1 -q > out
    "$VQVAE" encode run images.npy -o codes.npy -q > out
    mkdir folder
    "$VQVAE" decode run codes.npy -o folder -n 4 -q > out
    mv folder/000000.png $'folder/caf\xe9.png'
    head -c 60 folder/000001.png > $'folder/b\xe4d.png'
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    cp -r "$BATS_FILE_TMPDIR/folder" $'f\xf6lder'
    model=$BATS_FILE_TMPDIR/run
}

@test "an index shows the bytes, and holds every image" {
    "$VQVAE" encode "$model" $'f\xf6lder' -o $'\xe9.npy' --json -q > out
    grep -q '"codes":"\\\\xe9.npy","index":"\\\\xe9.index.jsonl","images":4,"skipped":1,' out
    grep -q '"source": "f\\\\xf6lder", "path": "caf\\\\xe9.png", .*"row": 3' $'\xe9.index.jsonl'
    grep -q '"path": "b\\\\xe4d.png", .*"skipped": ".*image b\\\\xe4d.png: PNG' $'\xe9.index.jsonl'
    [ "$(wc -l < $'\xe9.index.jsonl')" -eq 6 ]
}

@test "a run remembers its data, goes on, and makes a page of UTF-8" {
    "$VQVAE" train $'f\xf6lder' --valid $'f\xf6lder' -o run --preset tiny --steps 2 --batch 2 \
        --threads 1 -q > out
    grep -q 'f\\\\xf6lder"' run/config.json
    "$VQVAE" train -o run --resume --steps 3 --threads 1 -q > out
    grep -q '"path": "b\\\\xe4d.png"' run/skipped.jsonl
    "$VQVAE" report run > out
    iconv -f UTF-8 -t UTF-8 run/report.html > page
    grep -q 'f\\xf6lder' page
    "$VQVAE" reconstruct "$model" $'f\xf6lder' -o pairs --json -q > out
    grep -q '"image":"caf\\\\xe9.png"' out
    [ -e $'pairs/caf\xe9.png' ]
}
