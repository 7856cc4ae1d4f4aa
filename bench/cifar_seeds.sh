#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Preset cifar10 on CIFAR-10, three seeds, each measured on all test images; then the mean.
# bench/cifar_seeds.sh DATA.tar [option of vqvae train ...]; DATA.tar has train/CLASS and
# test/CLASS. VQVAE names the program.
set -eu
program=${VQVAE:-build/release/vqvae}
[ $# -ge 1 ] || { echo "usage: $0 DATA.tar [option of vqvae train ...]" >&2; exit 2; }
data=$1
shift
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

for seed in 0 1 2; do
    "$program" train "$data:train" -o "$runs/$seed" --preset cifar10 --seed $seed --quiet "$@"
    "$program" eval "$runs/$seed/model.safetensors" "$data:test" --json --quiet |
        tee "$runs/$seed.json"
done
sed -E 's/.*"nmse":([0-9.]+).*/\1/' "$runs"/*.json |
    awk '{ sum += $1 } END { printf "mean nmse of %d seeds: %.5f\n", NR, sum / NR }'
