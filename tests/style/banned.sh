#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Refuses functions that are unsafe everywhere, and those that only some folders may call: in
# src/ memory and files go through the hooks of src/base, and the library never prints, ends the
# process or looks at the environment.
set -eu
# shellcheck disable=SC2046 # no file of ours has a blank in its name

awk '
BEGIN {
    unsafe = call("strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|rand|srand|alloca")
    manners = call("printf|vprintf|fprintf|vfprintf|puts|fputs|putchar|perror|" \
                   "exit|_exit|abort|getenv|setenv|signal|system")
    memory = call("malloc|calloc|realloc|aligned_alloc|posix_memalign|free|strdup|strndup")
    files = call("fopen|fdopen|freopen|open|openat|creat|tmpfile|mkstemp|rename|unlink|remove|" \
                 "opendir|mkdir|stat|lstat")
    threads = call("pthread_create|omp_set_num_threads")
}
# A member of that name (hooks->open) is a call through a hook and so not meant; nor is "open"
# within a longer name.
function call(names) { return "(^|[^A-Za-z0-9_.>])(" names ")[ \t]*\\(" }

# The line without texts and comments.
function code(line) {
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    if (comment) {
        if (!sub(/^.*\*\//, "", line)) return ""
        comment = 0
    }
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", line)
    if (sub(/\/\*.*/, "", line)) comment = 1
    return line
}
function refuse(what, pattern, line) {
    if (line !~ pattern) return
    printf "%s:%d: %s: %s\n", FILENAME, FNR, what, $0
    bad = 1
}
FNR == 1 { comment = 0 }
{
    line = code($0)
    refuse("unsafe", unsafe, line)
    if (FILENAME ~ /^src\//) refuse("not in the library", manners, line)
    if (FILENAME ~ /^src\// && FILENAME !~ /^src\/base\//) {
        refuse("memory goes through vq_alloc", memory, line)
        refuse("files go through the hooks of base/file.h", files, line)
    }
    # Threads start in base; the loader of data has the one thread of its own, oneDNN brings its own.
    if (FILENAME ~ /^src\// && FILENAME !~ /^src\/(base\/|data\/loader\.c|nn\/onednn\/threads\.c)/)
        refuse("threads start in base", threads, line)
}
END { exit bad }
' $(find src cli examples tests bench -name '*.[ch]' | sort)
