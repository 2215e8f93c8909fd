# SPDX-License-Identifier: MIT
#
# Included by the Makefile: weft as two files, as Debian packages, for Python, and its ABI against
# the last one.

.PHONY: amalgamation check-amalgamation amalgamation-programs

# ---- Two files -----------------------------------------------------------------------------------

A := build/amalgamation

amalgamation:  ## weft as two files, build/amalgamation/weft.c and weft.h
	@+$(submake) $(A)/weft.c
	@echo "$(A)/weft.c $(A)/weft.h $(A)/weft.hpp"

$(A)/weft.c: packaging/amalgamation/generate LICENSE \
    $(wildcard include/weft/*.h include/weft/*.hpp context/*.[ch] pool/*.[chS])
	@mkdir -p $(@D); $(call say,GEN) packaging/amalgamation/generate $(@D)

# The tests that open no private header (but for the knobs of test builds, which do nothing here)
# are linked with weft.o in place of the library. Their directories have those names because
# tests/run/suite counts by them. One test wants both a program's copy of weft and a shared one.
A_UNIT     := $(patsubst tests/%.c,$(A)/%,$(filter-out %/context_copies.c, \
                $(shell grep -L '^#include "context/\|^#include "pool/\|weft__' tests/unit/*.c)))
A_STRESS   := $(patsubst tests/%.c,$(A)/%,$(wildcard tests/stress/*.c))
A_EXAMPLES := $(patsubst %.c,$(A)/%,$(filter-out examples/adapt_%,$(wildcard examples/*.c)))
A_FLAGS    := -std=gnu11 -Wall -Wextra $(CFLAGS) -fexceptions -pthread

amalgamation-programs: $(A_UNIT) $(A_STRESS) $(A_EXAMPLES)

check-amalgamation:  ## the tests on public headers, linked with weft.c alone; CC=clang as well
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_check) $(DEPS_compare)'
	@+$(submake) amalgamation-programs
	@CC='$(CC)' CXX='$(CXX)' CLANG='$(CLANG)' tests/run/suite check $(A)/log \
	    tests/amalgamation/run $(A_UNIT) $(A_STRESS) $(A_EXAMPLES)

$(A)/weft.o: $(A)/weft.c $(A)/flags
	$(call say,CC) $(CC) $(A_FLAGS) -c $< -o $@

# What was built with another compiler is built again.
$(A)/flags: FORCE
	@mkdir -p $(@D); echo '$(CC) $(A_FLAGS)' >$@.now
	@cmp -s $@.now $@ || cp $@.now $@

# <weft/...> is weft.h, whatever is asked for, and nothing of include/.
$(A)/include: $(A)/weft.c
	@rm -rf $@; mkdir -p $@/weft
	@for header in $(notdir $(wildcard include/weft/*.h)); do \
	        echo '#include "../../weft.h"' >$@/weft/$$header; done

amalgamated = @mkdir -p $(@D); $(call say,LD) $(CC) $(LDFLAGS) -D_GNU_SOURCE= $(A_FLAGS) \
              -I$(A)/include $< $(A)/weft.o $(1) -lm -o $@

$(A)/unit/%: tests/unit/%.c $(wildcard tests/unit/*.h) $(A)/weft.o $(A)/include
	$(call amalgamated,-I. -lcriterion)

$(A)/stress/%: tests/stress/%.c $(wildcard tests/stress/*.h) $(A)/weft.o $(A)/include
	$(call amalgamated)

$(A)/examples/%: examples/%.c $(A)/weft.o $(A)/include
	$(call amalgamated,$(EXAMPLE_LIBS))

# ---- CMake and Meson -----------------------------------------------------------------------------

# Of make install: find_package(weft).
define install_cmake
install -d $(DESTDIR)$(LIBDIR)/cmake/weft
to_include=$$(realpath -m --relative-to='$(LIBDIR)' '$(PREFIX)/include'); \
for file in weftConfig weftConfigVersion; do \
        sed 's|@VERSION@|$(VERSION)|; s|@SONAME@|$(SONAME)|; s|@STATIC_LIBS@|$(STATIC_LIBS)|; '"\
             s|@LIBDIR_TO_INCLUDE@|$$to_include|" packaging/cmake/$$file.cmake.in \
            >$(DESTDIR)$(LIBDIR)/cmake/weft/$$file.cmake && \
        chmod 644 $(DESTDIR)$(LIBDIR)/cmake/weft/$$file.cmake || exit 1; \
done
endef
STATIC_LIBS := $(if $(filter 1,$(JEMALLOC)),jemalloc;)m

.PHONY: meson-subproject
meson-subproject: $(A)/weft.c  ## a folder for subprojects/ of a Meson build, build/meson/weft
	@rm -rf build/meson/weft; mkdir -p build/meson/weft/include/weft
	cp $(A)/weft.c LICENSE packaging/meson/meson_options.txt build/meson/weft
	cp -r $(HEADERS) include/weft/adapt build/meson/weft/include/weft
	sed 's/@VERSION@/$(VERSION)/' packaging/meson/meson.build.in >build/meson/weft/meson.build

# ---- Debian --------------------------------------------------------------------------------------

.PHONY: deb check-deb
deb:  ## Debian packages, build/deb/*.deb, and what lintian says
	@packaging/deb build

check-deb: deb  ## their own tests, as root: installs them, and takes them away again
	@packaging/deb check

# ---- The ABI -------------------------------------------------------------------------------------

.PHONY: check-abi abi-baseline
check-abi: all  ## the shared library against the ABI that packaging/abi keeps
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_abi)'
	@tests/abi/run

abi-baseline: all  ## keep the ABI as it is now, after a change that is meant
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_abi)'
	tests/abi/run --baseline

# ---- Python --------------------------------------------------------------------------------------

P := build/python

.PHONY: python
python: $(P)/weft/libweft.so.0  ## the Python package, build/python, with a library of its own
	@cp adapt/python/pyproject.toml adapt/python/README.md $(P)
	@cp adapt/python/weft/*.py $(P)/weft

# Without jemalloc: that cannot be added to a program that runs. All else is the same objects.
$(P)/weft/libweft.so.0: $(OBJECTS) $(B)/obj/python/memory.o weft.map
	$(link) $(shared_flags) $(filter-out %/context/memory.c.o,$(OBJECTS)) $(B)/obj/python/memory.o \
	    -pthread -o $@

$(B)/obj/python/memory.o: context/memory.c $(B)/flags
	$(compile) $(filter-out -DWEFT_JEMALLOC=%,$(LIB_FLAGS)) $< -o $@
