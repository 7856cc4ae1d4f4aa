#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Codebooks of any vectors: fit, assign, export, and what they refuse.

setup() {
    cd "$BATS_TEST_TMPDIR"
}

field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p"
}

# A file of ROWS x COLUMNS f32 numbers whose bytes come from standard input, behind numpy's header.
matrix() {
    header="{'descr': '<f4', 'fortran_order': False, 'shape': ($2, $3), }"
    { printf '\223NUMPY\001\000\166\000'; printf '%-117s\n' "$header"; cat; } > "$1"
}

# 300 vectors of two numbers: a hundred times each of (0, 0), (1, 0) and (0, 2).
heaps() {
    for _ in $(seq 100); do
        printf '\000\000\000\000\000\000\000\000'
        printf '\000\000\200\077\000\000\000\000'
        printf '\000\000\000\000\000\000\000\100'
    done | matrix heaps.npy 300 2
}

# The bytes behind the header of 128, as whole numbers of that many bytes.
numbers() {
    tail -c +129 "$1" | od -An -v -t "u$2" | tr -s ' \n' ' '
}

@test "fit finds the heaps and assign names them" {
    heaps
    "$VQVAE" codebook fit heaps.npy -k 3 -o book.safetensors --json > out
    [ "$(field inertia < out)" = 0.0 ]
    [ "$(field looked_at < out)" = 300 ]
    "$VQVAE" codebook assign book.safetensors heaps.npy -o codes.npy -d far.npy --json > out
    [ "$(field codes_used < out)" = 3 ]
    [ "$(field mean_distance < out)" = 0.0 ]
    awk -v p="$(field perplexity < out)" 'BEGIN { exit !(p > 2.999999 && p < 3.000001) }'
    [ "$(stat -c %s codes.npy)" -eq $((128 + 300)) ]
    [ "$(stat -c %s far.npy)" -eq $((128 + 1200)) ]
    head -c 128 codes.npy | grep -qa "'|u1', 'fortran_order': False, 'shape': (300,)"
    # Three codes in turns, all different.
    numbers codes.npy 1 | awk '{ for (i = 1; i <= 300; i++) if ($i != $(1 + (i - 1) % 3)) exit 1
                                 exit $1 == $2 || $2 == $3 || $1 == $3 }'
}

@test "fit gives the same bytes for any number of threads, and others for another seed" {
    heaps
    "$VQVAE" codebook fit heaps.npy -k 2 -o one.npy --threads 1 --seed 3 > out
    "$VQVAE" codebook fit heaps.npy -k 2 -o two.npy --threads 2 --seed 3 > out
    cmp one.npy two.npy
    "$VQVAE" codebook fit heaps.npy -k 3 -o some.npy --sample 50 --json > out
    [ "$(field looked_at < out)" = 50 ]
    [ "$(field vectors < out)" = 300 ]
}

@test "assign --top gives the nearest first" {
    printf '\000\000\000\000\000\000\200\077\000\000\000\100' | matrix book.npy 3 1
    printf '\000\000\100\100\000\000\000\000' | matrix data.npy 2 1
    "$VQVAE" codebook assign book.npy data.npy -o codes.npy --top 2 > out
    head -c 128 codes.npy | grep -qa "'shape': (2, 2)"
    [ "$(numbers codes.npy 1)" = ' 2 1 0 1 ' ]
}

@test "more codes than a byte holds are wider" {
    head -c $((300 * 8)) /dev/zero | matrix book.npy 300 2
    heaps
    "$VQVAE" codebook assign book.npy heaps.npy -o codes.npy > out
    head -c 128 codes.npy | grep -qa "'<u2'"
    [ "$(numbers codes.npy 2 | tr -d ' 0')" = '' ] # ties go to the lowest
}

@test "export takes the codebook out of a model" {
    "$VQVAE" train /usr/share/datasets/fashion-mnist:t10k -o run --preset tiny --steps 2 \
        --threads 1 -q > out
    "$VQVAE" codebook export run -o book.npy --json > out
    [ "$(field codes < out)" -gt 1 ]
    "$VQVAE" codebook export run/best.safetensors --level level.0 -o again.npy > out
    cmp book.npy again.npy
    run "$VQVAE" codebook export run --level level.7 -o none.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *'has no codebook "level.7"'* ]]
}

@test "blocks of rows are joined, and a failure names its block" {
    heaps
    { head -c $((65536 * 8)) /dev/zero; tail -c 2400 heaps.npy; } | matrix many.npy 65836 2
    "$VQVAE" codebook assign heaps.npy many.npy -o codes.npy --json > out
    [ "$(field vectors < out)" = 65836 ]
    [ "$(field codes_used < out)" = 3 ]
    # Codes 0, 1 and 2 are the first of the three heaps.
    tail -c 600 codes.npy | od -An -v -t u2 | tr -s ' ' '\n' | sed '/^$/d' |
        awk '$1 != (NR - 1) % 3 { exit 1 } END { exit NR != 300 }'
    { head -c $((65536 * 8)) /dev/zero; printf '\000\000\200\177\000\000\000\000'; } |
        matrix many.npy 65537 2
    run "$VQVAE" codebook assign heaps.npy many.npy -o codes.npy --force
    [ "$status" -eq 1 ]
    [[ "$output" == *"rows 65536 to 65536: codebook: vector 0 holds inf"* ]]
    [ "$(stat -c %s codes.npy)" -eq $((128 + 2 * 65836)) ] # what was there is there
}

@test "codes and distances are two files" {
    heaps
    for other in codes.npy ./codes.npy "../$(basename "$PWD")/codes.npy"; do
        run "$VQVAE" codebook assign heaps.npy heaps.npy -o codes.npy -d "$other"
        [ "$status" -eq 2 ]
        [[ "$output" == *"-o codes.npy and --distances $other are one file"* ]]
        [ ! -e codes.npy ]
    done
    "$VQVAE" codebook assign heaps.npy heaps.npy -o codes.npy > out
    ln codes.npy linked.npy
    ln -s codes.npy symbolic.npy
    for other in linked.npy symbolic.npy; do
        run "$VQVAE" codebook assign heaps.npy heaps.npy -o codes.npy -d "$other" --force
        [ "$status" -eq 2 ]
        [[ "$output" == *"are one file"* ]]
    done
    mkdir folder
    "$VQVAE" codebook assign heaps.npy heaps.npy -o codes.npy -d folder/codes.npy --force > out
    [ "$(stat -c %s folder/codes.npy)" -eq $((128 + 1200)) ]
    [ "$(stat -c %s codes.npy)" -eq $((128 + 600)) ]
}

@test "what is wrong is told in words" {
    heaps
    head -c 12 /dev/zero | matrix three.npy 1 3
    run "$VQVAE" codebook fit heaps.npy -o book.npy
    [ "$status" -eq 2 ]
    [[ "$output" == *"codebook fit needs -k N"* ]]
    run "$VQVAE" codebook fit heaps.npy -k 301 -o book.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"300 vectors cannot tell 301 codes apart"* ]]
    run "$VQVAE" codebook fit none.npy -k 3 -o book.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"none.npy"* ]]
    run "$VQVAE" codebook assign three.npy heaps.npy -o codes.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"the vectors of heaps.npy have 2 numbers, those of three.npy 3"* ]]
    run "$VQVAE" codebook assign three.npy three.npy -o codes.npy --top 2
    [ "$status" -eq 2 ]
    [[ "$output" == *"three.npy has 1 codes"* ]]
    run "$VQVAE" codebook assing heaps.npy three.npy -o codes.npy
    [ "$status" -eq 2 ]
    [[ "$output" == *'did you mean "assign"?'* ]]
    run "$VQVAE" codebook assign heaps.npy -o codes.npy
    [ "$status" -eq 2 ]
    [[ "$output" == *"codebook assign takes 2 files after it, not 1"* ]]
    touch there.npy
    run "$VQVAE" codebook fit heaps.npy -k 2 -o there.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"there.npy exists; --force overwrites it"* ]]
    printf '\000\000\200\177\000\000\000\000' | matrix infinite.npy 1 2
    run "$VQVAE" codebook assign heaps.npy infinite.npy -o codes.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"vector 0 holds inf"* ]]
    [ ! -e codes.npy ]
}
