# SPDX-License-Identifier: MIT
#
# Included by the Makefile: the manual pages, the programs that they show, and the site.

# ---- Manual pages --------------------------------------------------------------------------------
# Made by awk from docs/man, the headers and the programs: installing them needs nothing more.

API_EXAMPLES := $(addprefix $(B)/,$(basename $(wildcard examples/api/*.c examples/api/*.cc)))

.PHONY: man
man: build/man/names  ## the manual pages, build/man

build/man/names: docs/man/generate $(wildcard include/weft/*.h include/weft/adapt/*.h) \
    $(wildcard docs/man/*.[37]) $(wildcard examples/api/* examples/*.c)
	@mkdir -p $(@D); $(call say,GEN) docs/man/generate $(@D)

# They are linked as a user would, with the shared library. Those of adapters, which are named
# weft_glib_..., weft_uv_... or WEFT_OMP_..., with what they adapt.
of_adapter = $(adapt_$(1)_$(word 2,$(subst _, ,$*)))
adapt_flags_OMP := -fopenmp

$(B)/examples/api/%: examples/api/%.c $(B)/libweft.so $(B)/flags
	$(link) -MMD -MP $(COMMON) $(call of_adapter,flags) $< $(call of_adapter,libs) \
	    -L$(B) -lweft -Wl,-rpath,'$$ORIGIN/../..' -o $@

# Blocks are clang's.
$(B)/examples/api/weft_submit_block: examples/api/weft_submit_block.c $(B)/libweft.so $(B)/flags
	@mkdir -p $(@D); $(call say,LD) $(CLANG) $(LDFLAGS) -MMD -MP -std=gnu11 -D_GNU_SOURCE= \
	    -Wall -Wextra $(CFLAGS) -fblocks -Iinclude $< -L$(B) -lweft -lBlocksRuntime \
	    -Wl,-rpath,'$$ORIGIN/../..' -o $@

# Of make install, and of make uninstall.
MANDIR ?= $(PREFIX)/share/man
define install_man
install -d $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7
@echo 'the pages into $(DESTDIR)$(MANDIR)'; while read -r name level page; do \
        if [ "$$name" = "$$page" ]; then \
                install -m 644 build/man/man$$level/$$name.$$level $(DESTDIR)$(MANDIR)/man$$level; \
        else \
                ln -sf $$page.$$level $(DESTDIR)$(MANDIR)/man$$level/$$name.$$level; \
        fi || exit 1; \
done <build/man/names
endef
uninstall_man = @while read -r name level page; do \
        rm -f $(DESTDIR)$(MANDIR)/man$$level/$$name.$$level; done <build/man/names

# ---- The site ------------------------------------------------------------------------------------

.PHONY: docs site check-docs
docs:  ## the pages and the documentation as a site, build/docs/index.html
	@+$(submake) deps DEPS='$(DEPS_docs)'
	@+$(submake) site
	@echo build/docs/index.html

site: man
	@$(call say,GEN) docs/site/generate build/docs

check-docs:  ## the pages against the headers, their links, their examples
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_docs) $(DEPS_adapt) libblocksruntime-dev'
	@+$(submake) $(API_EXAMPLES)
	@MAKE='$(MAKE_COMMAND)' CLANG='$(CLANG)' \
	    tests/run/suite check build/log/docs tests/docs/run $(API_EXAMPLES)
