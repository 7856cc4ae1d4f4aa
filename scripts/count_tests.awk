# SPDX-License-Identifier: Apache-2.0
# Counts test cases: awk -f count_tests.awk MAY_SKIP CTEST_CONSOLE CTEST_LOG
# A cmocka program or a bats file counts as many as it has cases, any other test as one. Fails
# where a test failed, where none ran, and where one skipped that MAY_SKIP does not name.

FNR == 1 { input++ }

# 1: leave to skip, a line each: "test" or "test/case".
input == 1 && !/^(#|$)/ { leave[$0] = 1 }

# 2: what ctest said of each test: "3/9 Test #3: unit.graph ......   Passed    0.01 sec".
input == 2 && match($0, /Test +#[0-9]+: /) {
    rest = substr($0, RSTART + RLENGTH)
    name = rest
    sub(/ .*/, "", name)
    verdict[name] = rest ~ /\.+ +Passed/ ? "passed" : rest ~ /\*\*\*Skipped/ ? "skipped" : "failed"
}

# 3: what each test printed.
input == 3 && match($0, /^[0-9]+\/[0-9]+ Test: /) { test = substr($0, RSTART + RLENGTH) }
input == 3 && /^\[ +(OK|SKIPPED|FAILED) +\] / && !/test\(s\)/ {
    title = $0
    sub(/^\[[^]]*\] /, "", title)
    note(title, /^\[ +OK/ ? "passed" : /^\[ +SKIPPED/ ? "skipped" : "failed")
}
input == 3 && /^(not )?ok [0-9]+/ {
    title = $0
    sub(/^(not )?ok [0-9]+ */, "", title)
    skipping = sub(/ *# skip.*/, "", title)
    note(title, /^not/ ? "failed" : skipping ? "skipped" : "passed")
}

function note(title, result) {
    # cmocka names failed and skipped cases a second time at its end.
    if ((test, title) in seen) return
    seen[test, title] = 1
    count(result, test "/" title)
    cases[test]++
    if (result == "failed") failures[test]++
}

function count(result, what) {
    total[result]++
    if (result == "failed") failed_names = failed_names "  " what "\n"
    if (result == "skipped" && !(what in leave)) unlisted = unlisted "  " what "\n"
}

END {
    for (name in verdict) {
        # A crash fails the test although every case that was reached had passed.
        if (verdict[name] == "failed" && !failures[name]) count("failed", name)
        else if (!cases[name]) count(verdict[name], name)
    }
    if (failed_names) printf "failed:\n%s", failed_names
    if (unlisted) printf "skipped, but not named in tests/may-skip.txt:\n%s", unlisted
    printf "%d passed, %d failed, %d skipped\n", total["passed"], total["failed"], total["skipped"]
    exit total["failed"] > 0 || unlisted != "" || total["passed"] == 0
}
