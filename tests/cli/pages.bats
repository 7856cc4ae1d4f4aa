#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Manual pages and completions, which are written from the tables that the parser reads.

setup() {
    cd "$BATS_TEST_TMPDIR"
    pages=$VQVAE_PAGES
    [ -d "$pages" ]
}

verbs() {
    "$VQVAE" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# "--out" and "-o" of a verb, as its help lists them.
options() {
    "$VQVAE" "$1" --help | sed -n '/^Options:/,/^$/p' |
        sed -n 's/^ *\(-.\), \(--[a-z-]*\).*/\1\n\2/p; s/^ *\(--[a-z-]*\).*/\1/p'
}

@test "every verb has a manual page with each of its options" {
    [ "$(ls "$pages/man1" | wc -l)" -eq $(($(verbs | wc -l) + 1)) ]
    for verb in $(verbs); do
        page=$pages/man1/vqvae-$verb.1
        grep -qF "vqvae\\-$verb" "$pages/man1/vqvae.1"
        [ "$(options "$verb" | wc -l)" -ge 4 ]
        for option in $(options "$verb"); do
            echo "$verb $option"
            grep -qF "\\fB${option//-/\\-}\\fR" "$page"
        done
    done
}

# Without the letters printed twice that make them bold.
plain() {
    sed "s/.$(printf '\b')//g"
}

@test "roff formats every page without a warning" {
    command -v groff > /dev/null || skip "groff is not installed"
    for page in "$pages"/man1/*.1; do
        groff -man -Tascii -P-c -ww "$page" > text 2> warnings
        cat warnings
        [ ! -s warnings ]
        plain < text | grep -q '^NAME'
    done
    # What roff would take for a command of its own is there as it was written.
    groff -man -Tascii -P-c "$pages/man1/vqvae-encode.1" | plain |
        tr -s ' ' | grep -qF '.npy of shape'
}

# What bash offers for the words of a command line, the last of which is being typed.
offered() {
    bash --norc -c '
        source "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _vqvae
        printf "%s\n" "${COMPREPLY[@]}"' offered "$pages/bash/vqvae" "$@"
}

@test "bash offers verbs, options, words, presets, settings and files" {
    [ "$(offered vqvae enc)" = encode ]
    [ "$(offered vqvae help trai)" = train ]
    for verb in $(verbs); do
        offered vqvae "$verb" -- | sort > shell
        options "$verb" | grep '^--' | sort > help
        cmp shell help
    done
    [ "$(offered vqvae train --backend on)" = onednn ]
    [ "$(offered vqvae train --backend = on)" = onednn ]
    [ "$(offered vqvae train -p ti)" = tiny ]
    [ "$(offered vqvae train --set train.lr)" = train.lr= ]
    [ "$(offered vqvae train -s model.level.0.stri)" = model.level.0.stride= ]
    [ "$(offered vqvae bench forw)" = forward ]
    [ "$(offered vqvae presets fash)" = fashion-mnist ]
    [ -z "$(offered vqvae train --steps t)" ]
    touch 'two words.png' two.npy
    [ "$(offered vqvae encode run tw | sort)" = "$(printf '%s\n' 'two words.png' two.npy)" ]
    [ "$(offered vqvae encode run x -o two.)" = two.npy ]
}

@test "fish offers verbs, options, words, presets and settings" {
    command -v fish > /dev/null || skip "fish is not installed"
    export HOME=$PWD XDG_CONFIG_HOME=$PWD
    offers() {
        fish --no-config -c "source '$pages/fish/vqvae.fish'; complete -C '$1'" | cut -f 1
    }
    touch two.npy
    [ "$(offers 'vqvae enc')" = encode ]
    [ "$(offers 'vqvae bench trai')" = train ]
    for verb in $(verbs); do
        offers "vqvae $verb --" | sort > shell
        options "$verb" | grep '^--' | sort > help
        cmp shell help
    done
    [ "$(offers 'vqvae train --backend on')" = onednn ]
    [ "$(offers 'vqvae train -p ti')" = tiny ]
    [ "$(offers 'vqvae train --set train.warm')" = train.warmup= ]
    [ "$(offers 'vqvae encode run two.')" = two.npy ]
}

@test "zsh completes verbs, options, words, presets and settings" {
    command -v zsh > /dev/null || skip "zsh is not installed"
    zsh -n "$pages/zsh/_vqvae"
    export HOME=$PWD TERM=dumb
    # A shell on a terminal of its own completes what is typed there, then prints the line.
    completes() {
        timeout 60 zsh -f -c '
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "PS1= PS2= RPS1=; unset zle_bracketed_paste; unsetopt prompt_cr prompt_sp; fpath=($1 \$fpath)"
            zpty -w shell "autoload -Uz compinit; compinit -D -u; vqvae() { print -r - \"got:\${*}:end\" }"
            zpty -w shell "setopt no_list_ambiguous no_auto_list no_beep; print read\\y"
            zpty -r shell text "*ready*"
            zpty -w -n shell "$2"$'"'\\t\\n'"'
            zpty -r shell text "*got:*:end*"
            print -r - "$text"' completes "$pages/zsh" "$1" |
            tr -d '\r' | sed -n 's/.*got:\(.*\):end.*/\1/p'
    }
    [ "$(completes 'vqvae enc')" = encode ]
    [ "$(completes 'vqvae train --pres')" = "train --preset" ]
    [ "$(completes 'vqvae train --backend on')" = "train --backend onednn" ]
    [ "$(completes 'vqvae train -p ti')" = "train -p tiny" ]
    [ "$(completes 'vqvae train --set train.warm')" = "train --set train.warmup=" ]
    [ "$(completes 'vqvae bench forw')" = "bench forward" ]
    touch two.npy
    [ "$(completes 'vqvae encode run two.')" = "encode run two.npy" ]
}
