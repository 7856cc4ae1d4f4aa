# SPDX-License-Identifier: Apache-2.0
# How every C file of the project is compiled.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # POSIX and Linux calls in src/base
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
string(REPLACE "-O2" "-O3" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

# Our own asserts guard against our own faults only and cost little; they stay in releases.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
    string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

# Results must not depend on how a compiler likes to contract or reorder: no -ffast-math (it
# also breaks the search for NaN), and fused multiply-adds only where the source writes them.
set(numbers_flags ${CMAKE_CURRENT_LIST_DIR}/../scripts/numbers.flags) # scripts/kernels.sh reads them too
file(STRINGS ${numbers_flags} flags)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${numbers_flags})
add_compile_options(${flags})

# The search's inner loop is 90 bytes: where it begins in the middle of a line it takes half as long
# again (5.4 ms instead of 3.8 for 8,192 vectors of 64 numbers and 512 codes on Zen 3). The script does
# so as well.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-falign-loops=64)
endif()

add_compile_options(
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wundef -Wdouble-promotion -Wcast-qual)
if(VQ_WERROR)
    add_compile_options(-Werror)
endif()

if(VQ_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "VQ_FUZZ needs clang, whose libFuzzer it is; here is ${CMAKE_C_COMPILER_ID}")
    endif()
    add_compile_options(
        -fsanitize=fuzzer-no-link
        -fsanitize-coverage-ignorelist=${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/unobserved.txt)
endif()
if(VQ_SANITIZE)
    set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
    add_compile_options(${sanitizers} -fno-omit-frame-pointer)
    add_link_options(${sanitizers})
endif()

# Libraries are resolved when a function is first called and dropped where none is: the program
# must start at once although oneDNN is large.
if(UNIX AND NOT APPLE)
    add_link_options(-Wl,-z,lazy -Wl,--as-needed)
endif()
