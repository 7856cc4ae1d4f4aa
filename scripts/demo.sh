#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains on Fashion-MNIST and shows what was reached. Where runs/demo is newer than the program
# it only shows. DEMO_STEPS trains for another number of steps than the preset's.
set -eu
cd "$(dirname "$0")/.."
vqvae=build/${PRESET:-release}/vqvae
data=/usr/share/datasets/fashion-mnist
run=runs/demo

# The seal is written last: a demonstration that was interrupted starts again.
seal=$run/demo.txt
if [ ! -f "$seal" ] || [ -n "$(find "$vqvae" -newer "$seal")" ]; then
    echo 'demo: training on Fashion-MNIST, about a minute on two cores'
    rm -rf "$run"
    mkdir -p runs
    "$vqvae" train "$data:train" -o "$run" --preset fashion-mnist \
        ${DEMO_STEPS:+--steps "$DEMO_STEPS"}
    "$vqvae" eval "$run" "$data:t10k" --grid "$run/reconstructions.png" >"$seal.part"
    "$vqvae" report "$run" --quiet
    mv "$seal.part" "$seal"
fi

cat <<END

What the model reaches on the 10,000 test images, which it has never seen:
$(sed 's/^/    /' "$seal")
Where to look:
    $run/report.html           curves, pictures, use of the codes
    $run/reconstructions.png   test images above what comes back
    $run/best.safetensors      the model, which PyTorch can load as well
END
