/* SPDX-License-Identifier: Apache-2.0
 * cli/words.c -- words that users type or that help shows: the nearest one, and what it means. */
#include "option.h"
#include <string.h>

enum { WORD_MAX = 64 };

/* Optimal string alignment: insertion, deletion, replacement and swapped neighbours cost one
 * each. (Damerau 1964; three rows of the table suffice.) */
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) return WORD_MAX;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t least = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < least) least = before[j] + 1;
            if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                earlier[j - 2] + 1 < least)
                least = earlier[j - 2] + 1;
            now[j] = least;
        }
    }
    return rows[n % 3][m];
}

/* Letters that are missing at the end were left out on purpose, so such a word is nearer than one
 * with other letters. */
static size_t typing_distance(const char *typed, const char *word)
{
    const size_t n = strlen(typed);
    if (n > 1 && strncmp(word, typed, n) == 0) return strlen(word) - n;
    return WORD_MAX + word_distance(typed, word);
}

const char *nearest_word(const char *typed, const char *const *words, size_t n_words)
{
    const char *best = NULL;
    size_t least = WORD_MAX + strlen(typed) / 3 + 2; /* further away it is a guess, not a hint */
    for (size_t i = 0; i < n_words; i++) {
        const size_t distance = typing_distance(typed, words[i]);
        if (distance < least) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}

const char *hint_of(const char *typed, const char *const *words, size_t n_words, char *to,
                    size_t size)
{
    const char *near = nearest_word(typed, words, n_words);
    (void)snprintf(to, size, near ? "; did you mean \"%s\"?" : "%s", near ? near : "");
    return to;
}

value_kind values_of(const char *word)
{
    static const char *const paths[] = {"CODEBOOK", "CODES",  "DATA",  "DATA.npy", "FILE",
                                        "FILE.png", "FOLDER", "IMAGE", "INPUT",    "MODEL",
                                        "OUT",      "OUTPUT", "RUN"};
    const size_t skipped = strspn(word, "[");
    const size_t length = strcspn(word + skipped, "] ");
    char plain[WORD_MAX];
    (void)snprintf(plain, sizeof plain, "%.*s", (int)length, word + skipped);
    char *dots = strstr(plain, "...");
    if (dots) *dots = 0;
    if (strchr(plain, '|')) return VALUE_CHOICE;
    if (strcmp(plain, "PRESET") == 0) return VALUE_PRESET;
    if (strcmp(plain, "KEY=VALUE") == 0) return VALUE_SETTING;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(plain, paths[i]) == 0) return VALUE_PATH;
    return VALUE_FREE;
}
