/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_settings.c -- a file of settings, then assignments as --set has them, a line each, then
 * the name of a preset, over which both go. What is accepted is written and read again. */
#include "fuzz/files.h"
#include "fuzz/verdict.h"
#include "settings.h"
#include <stdlib.h>
#include <string.h>

/* The same settings from their own text; the text is compared, since structs have gaps. */
static int write_and_read(program *p, const settings *first)
{
    settings second;
    json_t *written = NULL, *again = NULL;
    int code;
    settings_default(&second);
    TRY_TO(settings_write(p, first, &written));
    TRY_TO(settings_read(p, written, "again", &second));
    TRY_TO(settings_write(p, &second, &again));
    FUZZ_CHECK(json_equal(written, again));
done:
    json_decref(written);
    json_decref(again);
    return code;
}

static int set_lines(program *p, char *lines, settings *s)
{
    for (char *line = lines, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        TRY(settings_set(p, line, s));
    }
    return DONE;
}

static int read_all(program *p, fuzz_piece file, char *lines, const char *preset)
{
    settings s;
    settings_default(&s);
    if (*preset) TRY(settings_preset(p, preset, &s));
    if (file.size) TRY(settings_file(p, fuzz_file(0, file.bytes, file.size), &s));
    TRY(set_lines(p, lines, &s));
    const int code = write_and_read(p, &s);
    FUZZ_CHECK(code == DONE || code == MACHINE_FAILED);
    return code;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static program p; /* large */
    fuzz_piece pieces[3];
    fuzz_split(bytes, size, pieces, 3);
    char *lines = fuzz_text(ctx, pieces[1]), *preset = fuzz_text(ctx, pieces[2]);
    p = (program){.ctx = ctx, .quiet = true};
    const int code = lines && preset ? read_all(&p, pieces[0], lines, preset)
                                     : fail(&p, MACHINE_FAILED, "no memory");
    vq_release(ctx, lines);
    vq_release(ctx, preset);
    return fuzz_status(&p, code);
}
