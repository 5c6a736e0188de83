# Everything starts here. On a bare Debian 12: apt-get install make git ca-certificates, then `make demo`.

PREFIX ?= /usr/local
TARGET := $(shell uname -m)-unknown-linux-gnu
STATIC := target/$(TARGET)/release/pod

.PHONY: help demo test test-full bench build install docs lint clean

help:
	@echo 'make demo       install what is missing, build, and run nginx as an unprivileged user'
	@echo 'make test       everything that CI runs (as root or through sudo)'
	@echo 'make test-full  the same with full fault counts and races'
	@echo 'make bench      pod beside its peers and the kernel'\''s limit'
	@echo 'make build      the static binary: $(STATIC)'
	@echo 'make install    binary, man pages and completions below PREFIX ($(PREFIX))'
	@echo 'make docs       man pages anew from the command definitions'

# Static, since a start costs a third less than with a dynamic loader. The target is named because macros and build
# scripts, which are of the host, cannot be linked so.
build:
	scripts/setup build
	RUSTFLAGS="-C target-feature=+crt-static" $$(scripts/toolchain) build --release --locked --target $(TARGET)

demo: build
	scripts/setup run
	scripts/demo $(STATIC)

test:
	scripts/setup test
	scripts/test

test-full:
	scripts/setup test
	scripts/test full

bench: build
	scripts/setup bench
	bench/run $(STATIC)

lint:
	$$(scripts/toolchain) fmt --check
	$$(scripts/toolchain) clippy --locked --all-targets -- -D warnings

docs:
	POD_WRITE_DOCS=1 $$(scripts/toolchain) test --locked --quiet --test docs

install: $(STATIC)
	install -D -m 755 $(STATIC) $(DESTDIR)$(PREFIX)/bin/pod
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -D -m 644 completions/pod.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pod
	install -D -m 644 completions/_pod $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pod
	install -D -m 644 completions/pod.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pod.fish

$(STATIC): build

clean:
	rm -rf target
