/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/main.c -- vqvae_pages FOLDER: writes manual pages and completions. A part of the
 * build; the program itself carries none of it. */
#include "files.h"
#include "pages/pages.h"
#include <stdlib.h>

static int save(program *p, const char *folder, const char *name, text *page)
{
    char path[PATH_ROOM];
    int code = text_check(p, page);
    if (code == DONE) code = path_format(p, path, "%s/%s", folder, name);
    if (code == DONE) code = file_replace(p, path, page->data, page->used);
    free(page->data);
    *page = (text){0};
    return code;
}

static int manual(program *p, const char *folder)
{
    const verb *v;
    text page = {0};
    char name[128];
    page_program(&page);
    TRY(save(p, folder, "man1/vqvae.1", &page));
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
        page_verb(&page, v);
        (void)snprintf(name, sizeof name, "man1/vqvae-%s.1", v->name);
        TRY(save(p, folder, name, &page));
    }
    return DONE;
}

static int completions(program *p, const char *folder)
{
    text page = {0};
    completion_bash(&page);
    TRY(save(p, folder, "bash/vqvae", &page));
    completion_zsh(&page);
    TRY(save(p, folder, "zsh/_vqvae", &page));
    completion_fish(&page);
    return save(p, folder, "fish/vqvae.fish", &page);
}

static int write_all(program *p, const char *folder)
{
    static const char *const kinds[] = {"man1", "bash", "zsh", "fish"};
    char path[PATH_ROOM];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        TRY(path_format(p, path, "%s/%s", folder, kinds[i]));
        TRY(folder_make(p, path));
    }
    TRY(manual(p, folder));
    return completions(p, folder);
}

int main(int argc, char **argv)
{
    program p;
    program_init(&p);
    p.verb = "pages";
    const int code =
        argc == 2 ? write_all(&p, argv[1]) : fail(&p, BAD_USAGE, "it is `vqvae_pages FOLDER`");
    if (code != DONE) program_complain(&p, code);
    program_close(&p);
    return code;
}
