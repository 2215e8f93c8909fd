# SPDX-License-Identifier: MIT
#
# weft's build. `make help` lists what there is to make.
#
# Everything that is built lies under build/. The library as it is installed, and what is linked
# with it, in build/ itself; each other variant of it in a directory of its own, build/VARIANT/,
# made by a make that this one calls with VARIANT=. Nothing here runs a compiler or pkg-config while
# the file is read: on a bare system `make deps` comes first, and installs them.

# ---- What may be chosen --------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
CLANG    ?= clang
CFLAGS   ?= -O2 -g
LDFLAGS  ?=
JEMALLOC ?= 1# 0: the C library's malloc
EXPLAIN  ?= 1# 0: weft_explain() cannot be told of places
WERROR   ?= 0# 1: warnings are errors
VARIANT  ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
LIBDIR   ?= $(PREFIX)/lib
V        ?= 0# 1: show the commands
SECONDS  ?= 60
SEED     ?=# of make stress; none: from the clock
FAULTS   ?= quick# of make check-faults; all: with more uses of each site, and the unit tests
JOBS     ?= 2# programs that make coverage runs at once; most of the time they wait
SKIP     ?=# programs that a checker is not to run: unit/timer
RANDOM   ?= 100000# executions of each model in make check-model-long

VERSION := 0.1.0
SONAME  := libweft.so.0

# ---- Variants ------------------------------------------------------------------------------------
# test: for the unit tests; allocations can be made to fail. The others: the same under a checker,
# or as on other processors: ucontext switches stacks as where there is no assembly for it, aarch64
# is built by a cross compiler and run by an emulator. They have no jemalloc, and their unit tests
# are built against tests/run/ instead of Criterion.

B := build$(VARIANT:%=/%)

variant_test     :=
variant_asan     := -fsanitize=address -fno-omit-frame-pointer
variant_tsan     := -fsanitize=thread
variant_ubsan    := -fsanitize=undefined -fno-sanitize-recover=all
variant_valgrind := -DWEFT_VALGRIND=1
variant_libfuzzer := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                    -fno-omit-frame-pointer
variant_ucontext := -DWEFT_UCONTEXT=1
variant_aarch64  := -DSLOW_BUILD=1 -DSTRESS_SLOW=1 -DIN_EMULATOR=1
# Every access to memory becomes a call: of the checker's for tests/model, of the counter's for
# perf/atomics, where the library is to think that nobody looks on.
calls_of          = -fsanitize=thread -Wno-tsan \
                    -Dmemcpy=$(1)_memcpy -Dmemmove=$(1)_memmove -Dmemset=$(1)_memset
MODEL_CALLS      := $(call calls_of,model)
# For tests/faults: what the library calls and may fail goes through that.
variant_faults   := -DPATIENCE_MS=2000 -DUNDER_FAULTS=1
CALLS_faults     := -include tests/faults/calls.h
# What tests cover: unit tests in the first, stress tests on the library as shipped in the other.
variant_coverage := -fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc \
                    -fprofile-update=atomic -include tests/coverage/leave.h \
                    -DSLOW_BUILD=1 -DSTRESS_SLOW=1 -DFOR_COVERAGE=1
variant_coverage-stress := $(variant_coverage)
# Run by tests/run/matrix with what the environment asks of a test build: context/knobs.h.
variant_matrix   := -DSLOW_BUILD=1 -DSTRESS_SLOW=1
variant_model    := -DWEFT_MODEL=1 -fno-pie -fdebug-prefix-map=$(CURDIR)=. $(MODEL_CALLS)
COUNTED_CALLS    := $(call calls_of,counted)
variant_counted  := -DWEFT_COUNTED=1 -U__SANITIZE_THREAD__ $(COUNTED_CALLS)

# For perf-inherit: tasks inherit nothing.
variant_uninherited :=

CHECKERS := asan tsan ubsan valgrind
PORTS    := ucontext aarch64
compiler_tsan    := CC=$(CLANG) CXX=$(CLANG)++
compiler_libfuzzer := CC=$(CLANG) CXX=$(CLANG)++
compiler_coverage = CC=clang-$(COVERAGE_CLANG) CXX=clang++-$(COVERAGE_CLANG)
compiler_aarch64 := CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++

OWN_RUNNER := $(filter $(CHECKERS) $(PORTS) faults coverage matrix,$(VARIANT))

# ---- Flags ---------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wformat=2 -Wvla $(if $(filter 1,$(WERROR)),-Werror)
# -fexceptions: a WEFT_WITH block is undone when its thread is cancelled.
COMMON   := -std=gnu11 -D_GNU_SOURCE= $(WARNINGS) $(CFLAGS) -fexceptions -pthread -Iinclude \
            $(variant_$(VARIANT)) \
            $(if $(filter-out counted uninherited coverage-stress,$(VARIANT)),-DWEFT_TEST_HOOKS=1) \
            $(if $(filter 1,$(JEMALLOC)),-DWEFT_JEMALLOC=1) \
            $(if $(filter 0,$(EXPLAIN)),-DWEFT_NO_EXPLAIN=1)
# As shipped. Not -fcf-protection=return, nor =full: a shadow stack would have to be switched too.
# Fortified calls want an optimising compiler. tests/hardening looks for all of it in the library.
HARDENED := -fstack-protector -fstack-clash-protection \
            $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# One set of objects for both libraries: hidden, bound within the library, thread-locals at a fixed
# offset. It costs the static one nothing.
LIB_FLAGS := $(COMMON) -Wwrite-strings -I. -fPIC -fvisibility=hidden -fno-semantic-interposition \
             -ftls-model=initial-exec $(CALLS_$(VARIANT)) \
             $(if $(filter-out uninherited,$(VARIANT)),,$(HARDENED))
LIBS := $(if $(filter 1,$(JEMALLOC)),-ljemalloc) -pthread

compile = @mkdir -p $(@D); $(call say,CC) $(CC) -MMD -MP -c
link    = @mkdir -p $(@D); $(call say,LD) $(CC) $(LDFLAGS)
ifeq ($(V),1)
say = set -x;
else
say = echo "  $(1)  $@";
endif

# ---- The library ---------------------------------------------------------------------------------

SOURCES := $(wildcard context/*.c pool/*.c pool/*.S)
OBJECTS := $(SOURCES:%=$(B)/obj/%.o)

submake = $(MAKE) --no-print-directory

.DEFAULT_GOAL := all
.PHONY: all help FORCE
.DELETE_ON_ERROR:

all: $(B)/libweft.a $(B)/libweft.so $(B)/libweft-inherit.so  ## the library, static and shared

$(B)/libweft.a: $(OBJECTS)
	@mkdir -p $(@D); $(call say,AR) rm -f $@; $(AR) rcs $@ $(OBJECTS)

# nodelete: its workers run its code.
shared_flags = $(CFLAGS) $(variant_$(VARIANT)) -shared -Wl,-soname,$(SONAME) \
               -Wl,--version-script,weft.map -Wl,-z,defs,-z,relro,-z,now,-z,nodelete

$(B)/libweft.so: $(OBJECTS) weft.map
	$(link) $(shared_flags) $(OBJECTS) $(LIBS) -o $@
	@ln -sf $(@F) $(@D)/$(SONAME)

# Preloaded, beside whichever libweft.so the program has.
$(B)/libweft-inherit.so: adapt/inherit.c $(B)/flags
	$(link) -MMD -MP $(COMMON) -fPIC -fvisibility=hidden -shared -Wl,-soname,$(@F) \
	    -Wl,-z,relro,-z,now,-z,nodelete $< -o $@

# A library of its own, not part of `all`: it wants libnats, and weft does not.
NATS_OBJECTS := $(patsubst %,$(B)/obj/%.o,$(wildcard adapt/nats/*.c))
NATS_SONAME  := libweft-nats.so.0

.PHONY: nats
nats: all  ## libweft-nats: calls of functions in other processes, over NATS JetStream
	@+if echo '#include <nats/nats.h>' | $(CC) $(CFLAGS) -E -x c - >/dev/null 2>&1; then \
	        $(submake) $(B)/libweft-nats.a $(B)/libweft-nats.so; \
	else \
	        echo "libweft-nats is left out: there is no <nats/nats.h> (Debian: libnats-dev)"; \
	fi

$(B)/libweft-nats.a: $(NATS_OBJECTS)
	@mkdir -p $(@D); $(call say,AR) rm -f $@; $(AR) rcs $@ $(NATS_OBJECTS)

$(B)/libweft-nats.so: $(NATS_OBJECTS) adapt/nats/nats.map $(B)/libweft.so
	$(link) $(CFLAGS) $(variant_$(VARIANT)) -shared -Wl,-soname,$(NATS_SONAME) \
	    -Wl,--version-script,adapt/nats/nats.map \
	    -Wl,-z,defs,-z,relro,-z,now,-z,nodelete \
	    $(NATS_OBJECTS) -L$(B) -lweft -lnats -pthread -o $@
	@ln -sf $(@F) $(@D)/$(NATS_SONAME)

$(B)/obj/%.c.o: %.c $(B)/flags
	$(compile) $(LIB_FLAGS) $< -o $@

$(B)/obj/%.S.o: %.S $(B)/flags
	$(compile) $(LIB_FLAGS) $< -o $@

# What was built with other flags, or from other sources, is built again; with probes, too, as soon
# as there is their header.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(LIB_FLAGS) $(LDFLAGS) $(LIBS)' '$(SOURCES)' >$@.now
	@! $(CC) -E -include sys/sdt.h -x c /dev/null >/dev/null 2>&1 || echo probes >>$@.now
	@cmp -s $@.now $@ || cp $@.now $@

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/obj/*/*/*/*.d $(B)/*.d $(B)/*/*.d)

# ---- Test programs -------------------------------------------------------------------------------
# unit: a Criterion program a file, which may open private headers. stress, examples: plain programs
# on the public headers alone, of a file or of a directory of files; exit 0, 1, or 77 for skipped.
# selftest: what a checker must find.

names    = $(patsubst tests/%,$(B)/%,$(basename $(wildcard tests/$(1)/*.c tests/$(1)/*.cc)))
UNIT     := $(call names,unit)
STRESS_DIRS  := $(patsubst tests/%/,%,$(sort $(dir $(wildcard tests/stress/*/*.c))))
STRESS   := $(call names,stress) $(STRESS_DIRS:%=$(B)/%)
EXAMPLES := $(addprefix $(B)/,$(basename $(wildcard examples/*.c examples/*.cc)))
EXAMPLE_DIRS := $(filter-out examples/api, \
                  $(patsubst %/,%,$(sort $(dir $(wildcard examples/*/*.c)))))

selftest_test     := outcomes
selftest_asan     := outcomes leak read
selftest_tsan     := outcomes race
selftest_ubsan    := outcomes overflow
selftest_valgrind := outcomes leak read
selftest_ucontext := outcomes
selftest_aarch64  := outcomes
selftest_coverage := outcomes
selftest_matrix   := outcomes
SELFTEST := $(addprefix $(B)/selftest/,$(selftest_$(VARIANT)))

objects = $(patsubst %,$(B)/obj/%.o,$(wildcard $(1)))

# What runs the tests instead of tests/run/main.c.
MAIN_faults := tests/faults/main.c tests/faults/job.c tests/faults/inject.c tests/faults/calls.c

ifeq ($(OWN_RUNNER),)
RUNNER_FLAGS :=
RUNNER       := -lcriterion
else
RUNNER_FLAGS := -Itests/run
RUNNER       := $(call objects,tests/run/run.c $(or $(MAIN_$(VARIANT)),tests/run/main.c))
$(UNIT) $(SELFTEST) $(B)/remote/message: $(RUNNER)
endif

program = $(link) -MMD -MP $(COMMON) $(1) $< $(2) $(B)/libweft.a $(LIBS) -lm -o $@

$(B)/unit/%: tests/unit/%.c $(B)/libweft.a $(B)/flags
	$(call program,-I. $(RUNNER_FLAGS),$(RUNNER))

# It loads the shared library beside it; with the other runner it is skipped.
ifeq ($(OWN_RUNNER),)
$(B)/unit/context_copies: $(B)/libweft.so
endif

$(B)/selftest/%: tests/run/selftest/%.c $(B)/libweft.a $(B)/flags
	$(call program,$(RUNNER_FLAGS),$(RUNNER))

# A model is linked with the checker, whose own sources are not instrumented, before the library.
MODELS        := $(patsubst tests/model/%.c,$(B)/model/%, \
                   $(filter-out %/fakes.c,$(wildcard tests/model/*.c)))
MODEL_CHECKER := $(patsubst %,$(B)/obj/%.o, \
                   tests/model/fakes.c $(wildcard tests/model/checker/*.c))

.SECONDARY: $(MODELS:$(B)/model/%=$(B)/obj/tests/model/%.c.o)
$(B)/model/%: $(B)/obj/tests/model/%.c.o $(MODEL_CHECKER) $(B)/libweft.a
	$(link) -no-pie $^ -o $@

$(B)/obj/tests/model/%.c.o: tests/model/%.c $(B)/flags
	$(compile) $(COMMON) -I. $< -o $@

$(B)/obj/tests/model/checker/%.c.o: tests/model/checker/%.c $(B)/flags
	$(compile) $(filter-out $(MODEL_CALLS),$(COMMON)) -I. $< -o $@

# The scenes are one program, with all of the library.
FAULTS_SCENES := $(call objects,tests/faults/scene.c tests/faults/scenes/*.c)

$(B)/scenes: $(FAULTS_SCENES) $(RUNNER) $(B)/libweft.a
	$(link) $(COMMON) $(FAULTS_SCENES) $(RUNNER) -Wl,--whole-archive $(B)/libweft.a \
	    -Wl,--no-whole-archive $(LIBS) -o $@

FAULTS_SELFTEST := $(call objects,tests/faults/scene.c tests/faults/selftest/*.c)
$(B)/faults-selftest: $(FAULTS_SELFTEST) $(RUNNER) $(B)/libweft.a
	$(link) $(COMMON) $(FAULTS_SELFTEST) $(RUNNER) $(B)/libweft.a $(LIBS) -o $@

# Those of the database, with what uses one.
FAULTS_USERS := $(call objects,$(filter-out %/main.c,$(wildcard examples/server/*.c)) \
                  perf/compare/transaction.c perf/compare/audit.c perf/compare/terminal.c)
FAULTS_DATABASE := $(call objects,tests/faults/scene.c tests/faults/sqlite.c \
                     tests/faults/database/*.c) $(FAULTS_USERS)
$(B)/database: $(FAULTS_DATABASE) $(RUNNER) $(B)/libweft.a
	$(link) $(COMMON) $(FAULTS_DATABASE) $(RUNNER) $(B)/libweft.a -lsqlite3 -lhttp_parser \
	    $(LIBS) -o $@
ifeq ($(VARIANT),faults)
$(FAULTS_USERS): COMMON += -I. -Itests/faults -include tests/faults/sqlite.h
endif

$(B)/obj/tests/faults/selftest/seeded.c.o: COMMON += $(CALLS_$(VARIANT))
$(B)/obj/tests/faults/%.c.o: tests/faults/%.c $(B)/flags
	$(compile) $(COMMON) -I. -Itests/faults -Itests/run $< -o $@

# A target is linked with libFuzzer, or else with what gives it the inputs that are kept.
FUZZ          := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/replay.c, \
                   $(wildcard tests/fuzz/*.c)))
FUZZ_SELFTEST := $(B)/fuzz/overrun
ifeq ($(VARIANT),libfuzzer)
FUZZER := -fsanitize=fuzzer
else
FUZZER := tests/fuzz/replay.c
endif

$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/libweft.a $(B)/flags
	$(call program,,$(FUZZER))

$(B)/fuzz/%: tests/fuzz/selftest/%.c $(B)/libweft.a $(B)/flags
	$(call program,,$(FUZZER))

$(B)/stress/%: tests/stress/%.c $(B)/libweft.a $(B)/flags
	$(call program)

# Those in C++.
CXX_COMMON  := -std=c++17 $(filter -Wall -Wextra -Werror,$(WARNINGS)) \
               $(filter-out -std=% -D_GNU_SOURCE= $(WARNINGS),$(COMMON))
cxx_program = @mkdir -p $(@D); $(call say,LD) $(CXX) $(LDFLAGS) -MMD -MP $(CXX_COMMON) $< \
              $(B)/libweft.a $(LIBS) -lm -o $@

$(B)/stress/%: tests/stress/%.cc $(B)/libweft.a $(B)/flags
	$(cxx_program)

# Linked only with those that use it.
EXAMPLE_LIBS     := -Wl,--as-needed -lsqlite3 -Wl,--no-as-needed
EXAMPLE_DIR_LIBS := -Wl,--as-needed -lsqlite3 -lhttp_parser -Wl,--no-as-needed

$(B)/examples/%: examples/%.c $(B)/libweft.a $(B)/flags
	$(call program,,$(EXAMPLE_LIBS))

$(B)/examples/%: examples/%.cc $(B)/libweft.a $(B)/flags
	$(cxx_program)

define example_of_directory
$(B)/$(1): $$(call objects,$(1)/*.c) $(B)/libweft.a
	$$(link) $$(COMMON) $$^ $$(EXAMPLE_DIR_LIBS) $$(LIBS) -lm -o $$@
endef
$(foreach d,$(EXAMPLE_DIRS),$(eval $(call example_of_directory,$(d))))

define stress_of_directory
$(B)/$(1): $$(call objects,tests/$(1)/*.c) $(B)/libweft.a
	$$(link) $$(COMMON) $$^ $$(LIBS) -lm -o $$@
endef
$(foreach d,$(STRESS_DIRS),$(eval $(call stress_of_directory,$(d))))

$(B)/obj/tests/stress/%.c.o: tests/stress/%.c $(B)/flags
	$(compile) $(COMMON) $< -o $@

$(B)/obj/examples/%.c.o: examples/%.c $(B)/flags
	$(compile) $(COMMON) $< -o $@

# The server on thread-locals, with which its test must find fault.
$(B)/examples/server-thread-local: $(wildcard examples/server/*.[ch]) $(B)/libweft.a $(B)/flags
	$(link) $(COMMON) -include examples/server/thread_local.h $(filter %.c,$^) $(B)/libweft.a \
	    $(EXAMPLE_DIR_LIBS) $(LIBS) -lm -o $@

# Client and worker of check-remote.
REMOTE      := $(B)/remote/check $(B)/remote/worker
REMOTE_LIBS := $(B)/libweft-nats.a $(B)/libweft.a

$(B)/remote/check: $(call objects,tests/remote/check.c tests/remote/processes.c) $(REMOTE_LIBS)
	$(link) $(COMMON) $^ -lnats $(LIBS) -o $@

$(B)/remote/worker: $(call objects,tests/remote/worker.c) $(REMOTE_LIBS)
	$(link) $(COMMON) $^ -lnats $(LIBS) -o $@

# What is read of messages: tests as in unit/, with nothing but libnats.
$(B)/remote/message: tests/remote/message.c $(B)/obj/adapt/nats/message.c.o $(B)/libweft.a \
    $(B)/flags
	$(call program,-I. $(RUNNER_FLAGS),$(B)/obj/adapt/nats/message.c.o $(RUNNER) -lnats)

$(B)/obj/tests/remote/%.c.o: tests/remote/%.c $(B)/flags
	$(compile) $(COMMON) $< -o $@

# Those of the adapters want what they adapt. tests/adapt/run builds and runs them, so they are not
# among the others.
ADAPT_EXAMPLES := $(filter $(B)/examples/adapt_%,$(EXAMPLES))
EXAMPLES       := $(filter-out $(ADAPT_EXAMPLES),$(EXAMPLES))

adapt_flags_glib   := $$(pkg-config --cflags gio-2.0)
adapt_libs_glib    := $$(pkg-config --libs gio-2.0)
adapt_flags_glib_log := $(adapt_flags_glib)
adapt_libs_glib_log  := $(adapt_libs_glib)
adapt_libs_uv      := -luv
adapt_flags_openmp := -fopenmp

$(B)/examples/adapt_nats_%: examples/adapt_nats_%.c $(REMOTE_LIBS) $(B)/flags
	$(link) -MMD -MP $(COMMON) $< $(REMOTE_LIBS) -lnats $(LIBS) -o $@

$(B)/examples/adapt_%: examples/adapt_%.c $(B)/libweft.a $(B)/flags
	$(call program,$(adapt_flags_$*),$(adapt_libs_$*))

.PHONY: examples example-server-test
examples:  ## the programs of examples/, into build/examples
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_stress) $(DEPS_examples) $(DEPS_adapt) \
	                        $(DEPS_remote) libblocksruntime-dev'
	@+$(submake) $(EXAMPLES) $(EXAMPLE_DIRS:%=$(B)/%) $(ADAPT_EXAMPLES) \
	    $(API_EXAMPLES)

example-server-test:  ## examples/server against real clients
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_examples) $(DEPS_server_test)'
	@+$(submake) $(B)/examples/server $(B)/examples/server-thread-local
	examples/server/test

$(B)/obj/tests/run/%.c.o: tests/run/%.c $(B)/flags
	$(compile) $(COMMON) -Itests/run $< -o $@

include docs/docs.mk

# ---- Checks --------------------------------------------------------------------------------------
# tests/run/suite runs programs, shows each, adds up their counts, and fails if any failed.

HOUSE_CHECKS := \
    tests/check-house \
    tests/check-promises \
    tests/check-security \
    tests/stress/soak/faults \
    tests/compile/run \
    tests/install/run \
    tests/install/consumers \
    tests/abi/run \
    tests/hardening/run \
    tests/compare/run \
    tests/perf/run \
    tests/adapt/run \
    tests/seeing/run \
    tests/gdb/run \
    tests/probes/run \
    tests/record/run \
    tests/docs/run \
    tests/python/run \
    tests/guides/run

.PHONY: check check-all check-gdb check-house check-model check-model-long check-genmc check-promela
.PHONY: check-remote remote-programs
.PHONY: check-weaken models weaken check-faults faults suite unit-programs stress fuzz fuzzers
.PHONY: check-pages coverage coverage-unit coverage-stress check-matrix matrix check-builds
.PHONY: check-long
.PHONY: $(addprefix check-,$(CHECKERS) $(PORTS))

check:  ## build everything, run all tests, print the counts
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_check) $(DEPS_abi) $(DEPS_compare) $(DEPS_adapt) \
	                        $(DEPS_docs) $(DEPS_gdb) $(DEPS_guides) \
	                        $(DEPS_probes)'
	@+$(submake) VARIANT=test unit-programs
	@+$(submake) check-all

check-all: all python $(STRESS) $(FUZZ) $(EXAMPLES) $(API_EXAMPLES) \
    $(B)/perf/weft-compare $(B)/perf/compare-parts $(B)/perf/weft-perf
	@MAKE='$(MAKE_COMMAND)' CC='$(CC)' CXX='$(CXX)' CLANG='$(CLANG)' LIBS='$(LIBS)' \
	    tests/run/suite check build/log \
	    $(addprefix build/test/selftest/,$(selftest_test)) $(UNIT:build/%=build/test/%) \
	    $(STRESS) $(FUZZ) $(EXAMPLES) $(API_EXAMPLES) $(HOUSE_CHECKS)

$(addprefix check-,$(CHECKERS) $(PORTS)): check-%:  ## the tests under a checker, or for a port
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_stress) $(DEPS_$*)'
	@+$(submake) VARIANT=$* JEMALLOC=0 $(compiler_$*) suite

check-remote:  ## calls in other processes, over NATS: servers and workers that are killed
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_remote)'
	@+$(submake) nats
	@+$(submake) remote-programs
	@MAKE='$(MAKE_COMMAND)' CC='$(CC)' LIBS='$(LIBS)' tests/remote/run

remote-programs: $(REMOTE) $(B)/remote/message \
    $(filter $(B)/examples/adapt_nats_%,$(ADAPT_EXAMPLES))

check-model:  ## the concurrency core under a model checker
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_model)'
	@+$(submake) VARIANT=model JEMALLOC=0 CC=gcc models

# The bounds are those of the models' own; beyond them at random, from a seed of its own each time.
check-model-long:  ## random executions of each model, RANDOM=100000; and the larger protocols
	@tests/run/numbers RANDOM='$(RANDOM)' SEED='$(SEED)'
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_model) $(DEPS_promela)'
	@+$(submake) VARIANT=model JEMALLOC=0 CC=gcc models \
	    MODEL_ARGS="--random $(RANDOM) --seed $(or $(SEED),$$(date +%s))"
	tests/model/promela/run --long

check-weaken:  ## each memory order of the library weakened alone: a model must fail (long)
	@$(if $(FILES),ls $(FILES) >/dev/null)
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_model)'
	@+$(submake) VARIANT=model JEMALLOC=0 CC=gcc weaken

weaken: $(filter-out %/caught %/litmus,$(MODELS))
	@MODEL_BUILD=$(B) MODEL_PROGRAMS='$^' tests/model/weaken $(FILES)

check-promela:  ## the protocols of sleep, parking and the end of tasks, gone through by spin
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_promela)'
	@tests/run/suite model build/promela-log tests/model/promela/run

# Without GENMC each client is run once, as the program that it is.
check-genmc:  ## C11 clients of the core in all executions of RC11 and IMM: GENMC=PROGRAM
	@CC='$(CC)' tests/model/genmc/run $(if $(LONG),--long) $(or $(GENMC),-) $(CLIENTS)

models: $(MODELS)
	@MODEL_ARGS='$(MODEL_ARGS)' MODEL_BUILD=$(B) MODEL_OBJECTS='$(MODEL_CHECKER)' \
	    MODEL_COMPILE='$(CC) -MMD -MP -c $(LIB_FLAGS)' \
	    MODEL_LINK='$(CC) $(LDFLAGS) -no-pie' \
	    tests/model/run $(B)/log $(MODELS)

check-faults:  ## what may fail made to fail; FAULTS=all: more of it, and under the unit tests
	@$(if $(filter-out quick all,$(FAULTS)),echo "FAULTS is quick or all: '$(FAULTS)'" >&2; exit 2)
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_faults)'
	@+$(submake) VARIANT=faults JEMALLOC=0 faults

FAULTS_UNIT := $(if $(filter all,$(FAULTS)),$(UNIT))
faults: $(B)/scenes $(B)/database $(B)/faults-selftest $(FAULTS_UNIT)
	@FAULTS='$(FAULTS)' tests/faults/run $(B) $(FAULTS_UNIT)

MATRIX :=# rows of tests/run/matrix; none: all
check-matrix:  ## the tests under the knobs of context/knobs.h; MATRIX='row...' SEED=N
	@tests/run/numbers SEED='$(SEED)'
	@tests/run/matrix $(B)/log '$(MATRIX)' '$(SEED)'
	@+$(submake) deps DEPS='$(DEPS_build)'
	@+$(submake) VARIANT=matrix JEMALLOC=0 matrix

matrix: unit-programs $(STRESS)
	@tests/run/suite matrix $(B)/log/selftest $(SELFTEST)
	@MAKE='$(MAKE_COMMAND)' tests/run/matrix_finds '$(CC)'
	@tests/run/matrix $(B)/log '$(MATRIX)' '$(SEED)' $(UNIT) $(STRESS)

BUILDS ?= ci# or all
check-builds:  ## the tests built in other ways: compilers, -O0 to -O3, LTO, shared; BUILDS=all
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_builds)'
	@MAKE='$(MAKE_COMMAND)' CLANG='$(CLANG)' tests/run/builds $(BUILDS)

LONG_SECONDS ?= 3600
check-long:  ## hours: all of check-matrix and check-builds, the long searches, stress
	@MAKE='$(MAKE_COMMAND)' tests/run/long $(LONG_SECONDS)

COVERAGE_CLANG := 19# the oldest that can tell MC/DC

coverage:  ## what the tests cover, and fail if it is too little; pages: build/coverage/report
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_coverage)'
	@+$(submake) VARIANT=coverage JEMALLOC=0 $(compiler_coverage) coverage-unit
	@+$(submake) VARIANT=coverage-stress JEMALLOC=0 $(compiler_coverage) coverage-stress
	@tests/coverage/report $(COVERAGE_CLANG) build/coverage/report build/coverage \
	    build/coverage-stress

coverage-unit: unit-programs $(B)/remote/message $(B)/libweft.so
	@JOBS=$(JOBS) tests/run/suite coverage $(B)/log $(SELFTEST) $(UNIT) $(B)/remote/message

coverage-stress: $(STRESS) $(B)/libweft.so
	@JOBS=$(JOBS) tests/run/suite coverage $(B)/log $(STRESS)

unit-programs: $(SELFTEST) $(UNIT)

suite: unit-programs $(STRESS) $(FUZZ)
	@tests/run/suite $(VARIANT) $(B)/log \
	    $(filter-out $(SKIP:%=$(B)/%),$(SELFTEST) $(UNIT) $(STRESS) $(FUZZ))

stress:  ## the stress tests for SECONDS=60 in all, most of it soak; SEED=N
	@tests/run/numbers SECONDS='$(SECONDS)' SEED='$(SEED)'
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_stress)'
	@+$(submake) $(STRESS)
	@tests/run/stress $(SECONDS) '$(SEED)' $(STRESS)

fuzz:  ## the parsers of what comes in under libFuzzer, for SECONDS=60 in all
	@tests/run/numbers SECONDS='$(SECONDS)'
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_fuzz)'
	@+$(submake) VARIANT=libfuzzer JEMALLOC=0 $(compiler_libfuzzer) fuzzers

fuzzers: $(FUZZ) $(FUZZ_SELFTEST)
	@tests/fuzz/run $(SECONDS) $(FUZZ_SELFTEST) $(FUZZ)

check-gdb: all  ## weft in gdb: on a process that is stopped, and on a core file
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_gdb)'
	@MAKE='$(MAKE_COMMAND)' CC='$(CC)' LIBS='$(LIBS)' tests/run/suite model build/gdb-log \
	    tests/gdb/run

check-pages:  ## the pages that weft writes, in a headless Chromium, which it installs
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_compare)'
	@+$(submake) $(B)/examples/record $(B)/examples/million $(B)/perf/weft-compare
	@tests/run/suite check build/pages-log tests/pages/run

check-house:  ## floors, tags of the atomics, what docs/guarantees.md names and SECURITY.md lists
	@tests/check-house
	@tests/check-promises
	@tests/check-security

# ---- Lint ----------------------------------------------------------------------------------------

C_FILES := $(wildcard include/weft/*.h include/weft/*.hpp context/*.[ch] pool/*.[ch] \
             examples/*.[ch] examples/*/*.[ch] examples/*.cc examples/*/*.cc tests/stress/*.cc \
             perf/*.[ch] perf/*/*.[ch] perf/*/*.cc \
             tests/*/*.[ch] tests/*/*/*.[ch])
C_FILES += $(wildcard include/weft/adapt/* adapt/*.c adapt/*/*.[ch] tests/adapt/*.cc)
# Blocks are not C to these.
LINT_LIB     := $(filter-out %_block.c, \
                  $(filter context/%.c pool/%.c adapt/%.c perf/%.c examples/%.c,$(C_FILES)))
LINT_TESTS   := $(filter-out tests/run/selftest/% tests/compile/% tests/model/genmc/%, \
                  $(filter tests/%.c,$(C_FILES)))
LINT_FLAGS   := -std=gnu11 -D_GNU_SOURCE= -Iinclude -I.
LINT_T_FLAGS := $(LINT_FLAGS) -Itests/run -DWEFT_TEST_HOOKS=1
LINT_GIO     := $$(pkg-config --cflags gio-2.0)

cppcheck = cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
           --inline-suppr --suppress=missingIncludeSystem --suppress=allocaCalled \
           $(filter -I% -D%,$(2)) $(1)
# What it finds goes to standard output; the other is a count of what it was told not to find.
tidy     = printf '%s\n' $(1) | xargs -P "$$(nproc)" -I FILE clang-tidy --quiet FILE -- $(2) \
           2>build/tidy.log

# That each lock that is taken is given back: clang's analysis, by the attributes in pool/lock.h.
locks    = $(CLANG) -fsyntax-only -Wthread-safety -Werror $(LINT_FLAGS)

.PHONY: lint format
lint:  ## clang-format, cppcheck, clang's look at locks, and clang-tidy
	@+$(submake) deps \
	    DEPS='$(DEPS_build) $(DEPS_check) $(DEPS_compare) $(DEPS_examples) $(DEPS_rivals) \
	          $(DEPS_adapt) $(DEPS_remote) $(DEPS_lint)'
	@mkdir -p build
	@echo "  clang-format"; clang-format --dry-run -Werror $(C_FILES)
	@echo "  cppcheck"; $(call cppcheck,$(LINT_LIB),$(LINT_FLAGS))
	@echo "  cppcheck, tests"; $(call cppcheck,$(LINT_TESTS),$(LINT_T_FLAGS))
	@echo "  locks"; $(locks) $(filter pool/%.c,$(LINT_LIB))
	@! printf '%s\n' '#include "pool/lock.h"' 'void f(weft__lock *l);' \
	    'void f(weft__lock *l) { weft__lock_take(l); }' | $(locks) -x c - 2>/dev/null || \
	    { echo "a lock that is not given back is not found" >&2; exit 1; }
	@echo "  clients for GenMC"; for c in $(filter tests/model/genmc/%.c,$(C_FILES)); do \
	    $(CLANG) -fsyntax-only -Wall -Wextra -Wno-unused-function -Werror \
	        $(LINT_FLAGS) -DWEFT_MODEL $$c || exit 1; done
	@echo "  clang-tidy"; $(call tidy,$(LINT_LIB),$(LINT_FLAGS) $(LINT_GIO))
	@echo "  clang-tidy, tests"; $(call tidy,$(LINT_TESTS),$(LINT_T_FLAGS) $(LINT_GIO))

format:  ## lay out the sources as lint wants them
	clang-format -i $(C_FILES)

# ---- Comparison and benchmarks -------------------------------------------------------------------

PERF_LIBS := -Wl,--as-needed -lsqlite3 -ljansson -lxxhash

.PHONY: compare perf perf-rivals perf-count perf-count-check perf-atomics \
        perf-atomics-check perf-inherit
compare:  ## on real files and a real database: thread-local against task-local
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_compare)'
	@+$(submake) build/perf/weft-compare
	build/perf/weft-compare $(ARGS)

perf:  ## the benchmarks; ARGS=... goes to weft-perf; --rivals: beside other systems
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_perf)'
	@.ci/deps $(DEPS_rivals) || echo "deps: without them some rivals and plots are left out"
	@+$(submake) build/perf/weft-perf build/perf/weft-perf-shared perf-rivals
	build/perf/weft-perf $(ARGS)
	$(if $(ARGS),,build/perf/weft-perf-shared var shared)

perf-count:  ## instructions of the fast paths, counted by callgrind
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_count)'
	@+$(submake) build/perf/weft-count
	perf/count/run build/perf/weft-count

# A table in which an operation is said to take one instruction must be found wrong first.
perf-count-check:  ## fail if a fast path takes more instructions than perf/count/expected says
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_count)'
	@+$(submake) build/perf/weft-count
	@printf 'get 1.0 1.0\n' >build/perf/wrong
	@! perf/count/run --check build/perf/wrong build/perf/weft-count >build/perf/wrong.log || \
	    { echo "perf-count-check does not fail where it should" >&2; exit 1; }
	perf/count/run --check perf/count/expected build/perf/weft-count

perf-inherit:  ## instructions of tasks that inherit against the same pool without, by callgrind
	@+$(submake) deps DEPS='$(DEPS_build) $(DEPS_count)'
	@+$(submake) build/perf/weft-count
	@+$(submake) VARIANT=uninherited build/uninherited/perf/weft-count
	perf/count/inherit build/perf/weft-count build/uninherited/perf/weft-count

perf-atomics:  ## atomic operations and shared cache lines a task, by the number of workers
	@+$(submake) deps DEPS='$(DEPS_build)'
	@+$(submake) VARIANT=counted CC=gcc build/counted/perf/weft-atomics
	perf/atomics/run build/counted/perf/weft-atomics $(ARGS)

perf-atomics-check:  ## fail if they are more than perf/atomics/bounds says, or grow with workers
	@+$(submake) deps DEPS='$(DEPS_build)'
	@+$(submake) VARIANT=counted CC=gcc build/counted/perf/weft-atomics
	perf/atomics/run --check perf/atomics/bounds build/counted/perf/weft-atomics

perf_program = $(link) $(COMMON) $(filter %.o %.a,$^) $(PERF_LIBS) $(LIBS) -lm -o $@

$(B)/perf/weft-compare: $(call objects,perf/compare/*.c) $(B)/libweft.a
	$(perf_program)

# The same but for main(), which is that of the tests.
$(B)/perf/compare-parts: $(filter-out %/main.c.o,$(call objects,perf/compare/*.c)) \
    $(B)/obj/tests/compare/parts.c.o $(B)/libweft.a
	$(perf_program)

$(B)/obj/tests/compare/%.c.o: tests/compare/%.c $(B)/flags
	$(compile) $(COMMON) -I. $< -o $@

$(B)/perf/weft-perf: $(call objects,perf/bench/*.c perf/kernels/*.c) $(B)/libweft.a
	$(perf_program)

$(B)/perf/weft-perf-shared: PERF_LIBS += -L$(B) -lweft -Wl,-rpath,'$$ORIGIN/..'
$(B)/perf/weft-perf-shared: \
    $(filter-out %/switch.c.o,$(call objects,perf/bench/*.c perf/kernels/*.c)) $(B)/libweft.so
	$(perf_program)

# The systems that weft is compared with: a program each, and one of the fork/join kernels, from
# which compiler, and with what. Where the compiler does not find the header a program is left out,
# and looked for again next time. What is not the system's own is the same objects for all.
RIVAL_TASKS   := $(call objects,perf/rivals/rival.c perf/rivals/tools.c)
RIVAL_KERNELS := $(call objects,perf/rivals/rival.c perf/rivals/forkjoin.c) \
                 $(filter-out %/weft.c.o %/weft_typed.c.o,$(call objects,perf/kernels/*.c))
RIVAL_FORKS    = $(RIVAL_KERNELS) \
                 $(call objects,perf/rivals/forkjoin_weft_pool.c perf/kernels/$(1)) $(B)/libweft.a
RIVAL_FLAGS   := $(CFLAGS) -pthread -Iinclude $(if $(filter 1,$(WERROR)),-Werror)
RIVAL_C       := -std=gnu11 -D_GNU_SOURCE= $(WARNINGS) $(RIVAL_FLAGS)
RIVAL_CXX     := -std=gnu++17 -Wall -Wextra -Wshadow $(RIVAL_FLAGS)
RIVALS        :=

# $(call rival,NAME,SOURCE,OBJECTS,COMPILER,HEADER,LIBRARIES)
define rival
RIVALS += $(B)/perf/rivals/$(1)
$(B)/perf/rivals/$(1): perf/rivals/$(2) $(wildcard perf/rivals/*.h perf/kernels/*.h) $(3)
	@mkdir -p $$(@D); rm -f $$@; \
	if ! $(4) -E -include '$(5)' $$< >/dev/null 2>&1; then \
	        echo "  left out, as there is no <$(5)>: $$@"; exit; fi; \
	$$(call say,LD) $(4) $$(LDFLAGS) $$< $(3) $(6) -lm -o $$@
endef
GLIB = $$$$(pkg-config --$(1) glib-2.0 2>/dev/null | sed 's/-I/-isystem /g')

$(eval $(call rival,weft,weft.c,$(RIVAL_TASKS) $(B)/libweft.a,$(CC) $(RIVAL_C),weft/weft.h,$(LIBS)))
$(eval $(call rival,tbb,tbb.cc,$(RIVAL_TASKS),$(CXX) $(RIVAL_CXX),oneapi/tbb/task_arena.h,-ltbb))
$(eval $(call rival,libgomp,openmp.c,$(RIVAL_TASKS),gcc $(RIVAL_C) -fopenmp,omp.h))
$(eval $(call rival,libomp,openmp.c,$(RIVAL_TASKS),$(CLANG) $(RIVAL_C) -fopenmp,omp.h))
$(eval $(call rival,glib,glib.c,$(RIVAL_TASKS),$(CC) $(RIVAL_C) $(call GLIB,cflags),glib.h,\
    $(call GLIB,libs)))
$(eval $(call rival,libuv,libuv.c,$(RIVAL_TASKS),$(CC) $(RIVAL_C),uv.h,-luv))

$(eval $(call rival,forkjoin-weft,forkjoin_weft.c,$(call RIVAL_FORKS,weft.c),\
    $(CC) $(RIVAL_C),weft/weft.h,$(LIBS)))
$(eval $(call rival,forkjoin-weft-typed,forkjoin_weft_typed.c,$(call RIVAL_FORKS,weft_typed.c),\
    $(CC) $(RIVAL_C),weft/weft.h,$(LIBS)))
$(eval $(call rival,forkjoin-tbb,forkjoin_tbb.cc,$(RIVAL_KERNELS),\
    $(CXX) $(RIVAL_CXX),oneapi/tbb/task_arena.h,-ltbb))
$(eval $(call rival,forkjoin-gomp,forkjoin_openmp.c,$(RIVAL_KERNELS),gcc $(RIVAL_C) -fopenmp,omp.h))
$(eval $(call rival,forkjoin-omp,forkjoin_openmp.c,$(RIVAL_KERNELS),\
    $(CLANG) $(RIVAL_C) -fopenmp,omp.h))

perf-rivals: $(RIVALS)  ## what weft-perf --rivals starts, where there is what it wants

$(B)/perf/weft-count: $(call objects,perf/count/*.c) $(B)/libweft.a
	$(perf_program)

# Linked with the counter in place of ThreadSanitizer's runtime. Of its own sources only one is
# instrumented.
$(B)/perf/weft-atomics: $(call objects,perf/atomics/*.c) $(B)/libweft.a
	$(link) $^ $(LIBS) -o $@

$(B)/obj/perf/atomics/%.c.o: perf/atomics/%.c $(B)/flags
	$(compile) $(filter-out $(COUNTED_CALLS),$(COMMON)) $< -o $@

$(B)/obj/perf/atomics/forks.c.o: perf/atomics/forks.c $(B)/flags
	$(compile) $(COMMON) $< -o $@

# A pool that takes the empty context wherever it would capture the current one.
ifeq ($(VARIANT),uninherited)
$(B)/obj/pool/%.c.o: LIB_FLAGS += -include perf/count/uninherited.h
endif

$(B)/obj/perf/%.c.o: perf/%.c $(B)/flags
	$(compile) $(COMMON) $< -o $@

# What it measures is inside the library; what draws the timelines too.
$(B)/obj/perf/bench/switch.c.o: COMMON += -I.
$(B)/obj/perf/compare/%.c.o: COMMON += -I.

# ---- Installing ----------------------------------------------------------------------------------

HEADERS := $(wildcard include/weft/*.h include/weft/*.hpp)

# Where gdb looks for what belongs to a library, if it was installed under the same prefix.
GDB_SCRIPT = $(DESTDIR)$(PREFIX)/share/gdb/auto-load$(LIBDIR)/libweft.so.$(VERSION)-gdb.py

.PHONY: install uninstall
install: all man  ## PREFIX=/usr/local, LIBDIR=PREFIX/lib, DESTDIR=
	install -d $(DESTDIR)$(PREFIX)/include/weft/adapt $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include/weft
	install -m 644 $(wildcard include/weft/adapt/*) $(DESTDIR)$(PREFIX)/include/weft/adapt
	install -m 644 build/libweft.a $(DESTDIR)$(LIBDIR)
	install -m 644 build/libweft.so $(DESTDIR)$(LIBDIR)/libweft.so.$(VERSION)
	install -m 644 build/libweft-inherit.so $(DESTDIR)$(LIBDIR)
	ln -sf libweft.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libweft.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(LIBS)|' \
	    weft.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/weft.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/weft.pc
	$(install_cmake)
	$(install_man)
	install -D -m 644 adapt/gdb/weft-gdb.py $(GDB_SCRIPT)
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/weft/LICENSE
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

.PHONY: install-nats uninstall-nats
install-nats: install nats  ## the same, and libweft-nats if there is libnats
	@[ -e build/libweft-nats.so ] || { echo "libweft-nats was left out" >&2; exit 1; }
	install -m 644 build/libweft-nats.a $(DESTDIR)$(LIBDIR)
	install -m 644 build/libweft-nats.so $(DESTDIR)$(LIBDIR)/libweft-nats.so.$(VERSION)
	ln -sf libweft-nats.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(NATS_SONAME)
	ln -sf $(NATS_SONAME) $(DESTDIR)$(LIBDIR)/libweft-nats.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
	    adapt/nats/weft-nats.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/weft-nats.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/weft-nats.pc
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

uninstall-nats:  ## takes away libweft-nats
	rm -f $(DESTDIR)$(LIBDIR)/libweft-nats.* $(DESTDIR)$(LIBDIR)/pkgconfig/weft-nats.pc

uninstall: man  ## takes away what install put there
	rm -rf $(DESTDIR)$(PREFIX)/include/weft $(DESTDIR)$(PREFIX)/share/doc/weft
	rm -rf $(DESTDIR)$(LIBDIR)/cmake/weft
	rm -f $(DESTDIR)$(LIBDIR)/libweft.a $(DESTDIR)$(LIBDIR)/libweft.so* \
	    $(DESTDIR)$(LIBDIR)/libweft-inherit.so \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/weft.pc
	$(uninstall_man)
	rm -f $(GDB_SCRIPT)

include packaging/packaging.mk

# ---- What Debian has to give ---------------------------------------------------------------------

DEPS_build    := gcc libc6-dev $(if $(filter 1,$(JEMALLOC)),libjemalloc-dev)
DEPS_stress   := g++
DEPS_check    := g++ clang libblocksruntime-dev libcriterion-dev pkg-config jq libxml2-utils \
                 python3
DEPS_abi      := abigail-tools
DEPS_probes   := systemtap-sdt-dev gdb binutils
DEPS_compare  := libsqlite3-dev libjansson-dev libxxhash-dev
DEPS_examples := libsqlite3-dev libhttp-parser-dev
DEPS_docs     := mandoc cmark-gfm
DEPS_gdb      := gdb
DEPS_adapt    := g++ clang libomp-dev libglib2.0-dev libuv1-dev pkg-config
DEPS_guides   := g++ clang libblocksruntime-dev libglib2.0-dev libuv1-dev libtbb-dev pkg-config \
                 python3
DEPS_remote   := libcriterion-dev libnats-dev pkg-config binutils procps
DEPS_server_test := curl sqlite3 wrk
DEPS_perf     := libjansson-dev
DEPS_rivals   := g++ clang libomp-dev libtbb-dev libglib2.0-dev libuv1-dev pkg-config gnuplot-nox
DEPS_count    := valgrind
DEPS_lint     := clang-format clang-tidy cppcheck
DEPS_asan     := llvm
DEPS_tsan     := clang libclang-rt-dev llvm
DEPS_ubsan    := llvm
DEPS_fuzz     := clang libclang-rt-dev llvm
DEPS_valgrind := valgrind libc6-dbg
DEPS_model    := gcc binutils
DEPS_faults   := libsqlite3-dev libhttp-parser-dev binutils
DEPS_builds   := gcc clang lld llvm
DEPS_coverage := clang-$(COVERAGE_CLANG) libclang-rt-$(COVERAGE_CLANG)-dev llvm-$(COVERAGE_CLANG) \
                 jq libnats-dev
DEPS_promela  := spin
DEPS_aarch64  := gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
DEPS := $(sort $(foreach d,build check abi probes compare examples adapt docs guides remote \
          server_test perf rivals lint $(CHECKERS) fuzz model promela faults aarch64,$(DEPS_$(d))))

.PHONY: deps
deps:  ## install what is missing from Debian, if root; else say what would
	@.ci/deps $(DEPS)

# ---- The rest ------------------------------------------------------------------------------------

.PHONY: clean
clean:  ## build/ goes
	rm -rf build

help:  ## this list
	@awk -F ':.*## *' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  make check-CHECKER        the same tests under each of: $(CHECKERS)"
	@echo "  make check-PORT           built for each of: ucontext (stacks switched by the C library)"
	@echo "                            aarch64 (in an emulator)"
	@echo "Variables: CC CFLAGS JEMALLOC=0 WERROR=1 V=1 PREFIX DESTDIR LIBDIR ARGS SECONDS SEED"
