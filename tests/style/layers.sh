#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Refuses an include that points upward or sideways between the layers of src/, and anything but
# public headers in cli/ and examples/.
set -eu
# shellcheck disable=SC2046 # no file of ours has a blank in its name

awk '
BEGIN {
    # A layer may include those that its row names, and itself.
    allow("base", "")
    allow("kernels", "base")
    allow("tensor", "base kernels")
    allow("data", "base tensor")
    allow("nn", "base kernels tensor")
    allow("quantize", "base kernels tensor nn")
    allow("model", "base kernels tensor nn quantize")
    allow("train", "base kernels tensor nn quantize model")
    allow("prior", "base kernels tensor nn quantize model train")
    allow("codec", "base kernels tensor nn quantize model train prior")
    allow("interop", "base kernels tensor nn quantize model train prior")
    # A public header belongs to a layer too; those without a row belong to base.
    split("tensor data quantize model train prior codec interop", names, " ")
    for (i in names) public[names[i]] = 1
}
function allow(layer, below,   parts, i) {
    known[layer] = 1
    may[layer, layer] = 1
    split(below, parts, " ")
    for (i in parts) may[layer, parts[i]] = 1
}
function refuse(why) {
    printf "%s:%d: %s includes %s\n", FILENAME, FNR, why, target
    bad = 1
}
FNR == 1 {
    n = split(FILENAME, path, "/")
    outside = path[1] != "src"
    layer = outside ? "" : path[2]
    if (!outside && !(layer in known)) { printf "%s: %s is no layer\n", FILENAME, layer; bad = 1 }
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    target = $0
    sub(/^[^"<]*["<]/, "", target)
    sub(/[">].*/, "", target)
    split(target, to, "/")
    if (target ~ /(^|\/)\.\.\//) refuse("the path")
    if (to[1] == "vqvae") {
        owner = to[2]
        sub(/\.h$/, "", owner)
        if (!outside && owner in public && !((layer, owner) in may)) refuse(layer)
    } else if (outside && (to[1] in known || to[1] == "src")) {
        refuse("a user of the public headers")
    } else if (!outside && /"/ && !((layer, to[1]) in may)) {
        refuse(layer)
    }
}
END { exit bad }
' $(find src cli examples -name '*.[ch]' -o -name '*.def' | sort)
