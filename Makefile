# SPDX-License-Identifier: Apache-2.0
# Only a front: CMake builds, scripts/ does the rest.

PRESET ?= release
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SECONDS_EACH ?= 60
export PRESET JOBS SECONDS_EACH

.PHONY: all help packages demo test install uninstall clean style sanitize fuzz cross emulate bench

all:
	@sh scripts/build.sh

help:
	@echo 'make            build libraries, program and tests (PRESET=$(PRESET))'
	@echo 'make demo       packages, build, train on Fashion-MNIST, report: runs/demo'
	@echo 'make test       packages, build, every test'
	@echo 'make install    into PREFIX=$(PREFIX); DESTDIR is respected'
	@echo 'make uninstall  what the last install wrote'
	@echo 'make sanitize   every test under the address and undefined-behaviour sanitizers'
	@echo 'make fuzz       each parser against made-up input, SECONDS_EACH=$(SECONDS_EACH); needs clang'
	@echo 'make cross      the kernels'"'"' tests on an emulated 64-bit ARM; needs packages-cross.txt'
	@echo 'make emulate    the kernels'"'"' tests for AVX-512 and AMX by way of AVX2; needs packages-cross.txt'
	@echo 'make style      format, layers and the other rules of the source'
	@echo 'make bench      what training costs on this machine'
	@echo 'make packages   install the Debian packages that packages.txt names'
	@echo 'make clean      remove build/; runs/ is yours and stays'

packages:
	@sh scripts/packages.sh

demo: packages
	@sh scripts/build.sh vqvae_cli
	@sh scripts/demo.sh

test: packages
	@sh scripts/build.sh
	@sh scripts/test.sh

sanitize: packages
	@PRESET=sanitize sh scripts/build.sh
	@PRESET=sanitize sh scripts/test.sh

fuzz: packages
	@PRESET=fuzz sh scripts/build.sh fuzz_targets
	@sh tests/fuzz/run.sh $(TARGETS)

install:
	@sh scripts/build.sh
	cmake --install build/$(PRESET) --prefix '$(PREFIX)'

uninstall:
	cmake -P build/$(PRESET)/uninstall.cmake

cross:
	@sh scripts/cross_test.sh

emulate:
	@sh scripts/emulate_test.sh

style:
	@sh scripts/style.sh

bench:
	@sh scripts/build.sh vqvae_cli
	@build/$(PRESET)/vqvae bench train --preset cifar10 --batch 128 --threads $(JOBS)

clean:
	rm -rf build
