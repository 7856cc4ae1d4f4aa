#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains on Fashion-MNIST and shows what was reached. Does nothing but show where the run
# in runs/demo is newer than the program. DEMO_STEPS sets how long it trains.
set -eu
cd "$(dirname "$0")/.."
vqvae=build/${PRESET:-release}/vqvae
data=/usr/share/datasets/fashion-mnist
run=runs/demo
steps=${DEMO_STEPS:-2000}

# The seal is written last: a demonstration that was interrupted starts again.
seal=$run/demo.txt
if [ ! -f "$seal" ] || [ -n "$(find "$vqvae" -newer "$seal")" ]; then
    echo "demo: training on Fashion-MNIST, $steps steps"
    rm -rf "$run"
    mkdir -p runs
    "$vqvae" train "$data:train" -o "$run" --preset fashion-mnist --steps "$steps"
    "$vqvae" eval "$run" "$data:t10k" --json --grid "$run/reconstructions.png" >"$run/eval.json"
    "$vqvae" report "$run" -o "$run/report.html"
    "$vqvae" eval "$run" "$data:t10k" >"$seal.part"
    mv "$seal.part" "$seal"
fi

echo
echo 'What the model reaches on the 10,000 test images:'
sed 's/^/    /' "$seal"
cat <<END
Where to look:
    $run/report.html           curves, pictures, use of the codes
    $run/reconstructions.png   test images beside what comes back
    $run/model.safetensors     the model
END
