# Gesso. `make help` lists what there is; variables: CC, V=1 (show commands), WERROR=1, SAN=address|undefined,
# CUDA=1 (NVIDIA devices as such; libraries are found at run time), DEVICE=... and ONLY=... for tests, PREFIX and DESTDIR for install.
-include config.mk

CC      ?= cc
PREFIX  ?= /usr/local
VERSION := 0.1.0
JOBS    := $(shell nproc 2>/dev/null || echo 2)
Q       := $(if $(V),,@)
B       := build$(if $(SAN),-$(SAN))$(if $(CUDA),-cuda)
SANF    := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wno-missing-field-initializers $(if $(WERROR),-Werror)
STD     := -std=gnu11 -fPIC -pthread -fvisibility=default
DEFS    := -D_GNU_SOURCE -DCL_TARGET_OPENCL_VERSION=120 -DGS_VERSION='"$(VERSION)"' $(if $(CUDA),-DGS_CUDA)

# The engine needs OpenCL and CLBlast only; the program adds pictures, JSON, INI and compression.
ENGINE_DIRS := base device graph plan nn
APP_DIRS    := models data io train eval bench
ENGINE_LIBS := -lclblast -lOpenCL -lm -pthread
APP_PKGS    := libpng libjpeg cairo libcjson zlib
APP_CFLAGS  := $(shell pkg-config --cflags $(APP_PKGS) 2>/dev/null)
APP_LIBS    := $(shell pkg-config --libs $(APP_PKGS) 2>/dev/null) -linih

src_of  = $(sort $(foreach d,$(1),$(shell find src/$(d) -name '*.c' 2>/dev/null)))
# The CUDA driver needs nothing to build and is always compiled, so that tests can hold it; CUDA=1 puts it into the table of drivers.
ENGINE  := $(patsubst %.c,$B/%.o,$(call src_of,$(ENGINE_DIRS))) $B/gen/kernels.o
APP     := $(patsubst %.c,$B/%.o,$(call src_of,$(APP_DIRS))) $B/gen/opcases.o
CLI     := $(patsubst %.c,$B/%.o,$(call src_of,cli))
TESTS   := $(patsubst tests/%.c,$B/tests/%,$(sort $(wildcard tests/test_*.c)))
RUNNERS := $(patsubst tests/%.c,$B/tests/%,$(sort $(wildcard tests/*_runner.c)))
TESTLIB := $(patsubst %.c,$B/%.o,$(sort $(wildcard tests/lib/*.c)))
GOLDEN  := $(patsubst %.c,$B/%.o,$(sort $(wildcard tests/golden/*.c)))
KERNELS := $(sort $(shell find cl -name '*.cl' -o -name '*.h'))
BENCHES := $(patsubst %.c,$B/%,$(sort $(wildcard bench/bench_*.c)))
EXAMPLES := $(patsubst examples/%.c,$B/examples/%,$(sort $(wildcard examples/*.c)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo test test-run build-tests test-outside test-planner test-rusticl test-oclgrind test-valgrind ci check-layers install uninstall clean help docs bench fuzz examples

all: $B/gesso $B/libgesso.a $B/libgesso.so   ## build the program and the library

deps:                   ## install the Debian packages that are missing (says which)
	$Qtools/deps.sh

$B/gesso: $(CLI) $(APP) $B/libgesso.a
	@echo "  LD  $@"
	$Q$(CC) $(SANF) -o $@ $(CLI) $(APP) $B/libgesso.a $(APP_LIBS) $(ENGINE_LIBS)

$B/libgesso.a: $(ENGINE)
	@echo "  AR  $@"
	$Qrm -f $@; ar rcs $@ $^

$B/libgesso.so: $(ENGINE)
	@echo "  LD  $@"
	$Q$(CC) $(SANF) -shared -Wl,-soname,libgesso.so.0 -o $@ $^ $(ENGINE_LIBS)

$B/app.a: $(APP)
	$Qrm -f $@; ar rcs $@ $^

$B/%.o: %.c
	@mkdir -p $(@D); echo "  CC  $<"
	$Q$(CC) $(STD) $(DEFS) $(CPPFLAGS) $(CFLAGS) $(WARN) $(SANF) $(APP_CFLAGS) -Iinclude -Isrc -MMD -MP -c -o $@ $<

$B/gen/%.o: $B/gen/%.c
	$Q$(CC) $(STD) $(CFLAGS) -Isrc -c -o $@ $<

$B/gen/kernels.c: $B/tools/embed $(KERNELS)
	@mkdir -p $(@D); echo "  GEN $@"
	$Q$B/tools/embed $(KERNELS) > $@

$B/gen/opcases.c: $B/tools/embed tests/cases/ops.txt
	@mkdir -p $(@D); echo "  GEN $@"
	$Q$B/tools/embed -t gs__opcases_text tests/cases/ops.txt > $@

$B/tools/%: tools/%.c
	@mkdir -p $(@D)
	$Q$(CC) -O1 -o $@ $<

# Programs that run golden cases or graphs on both sides, device and reference.
$B/tests/golden_runner $B/tests/test_golden $B/tests/test_nn $B/tests/test_cgan_model $B/tests/test_ugatit_model: $(GOLDEN)

$B/tests/%: tests/%.c $(TESTLIB) $B/app.a $B/libgesso.a
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(STD) $(DEFS) $(CPPFLAGS) $(CFLAGS) $(WARN) $(SANF) $(APP_CFLAGS) -Iinclude -Isrc -Itests -MMD -MP -o $@ $< \
	    $(TESTLIB) $(filter $B/tests/golden/%,$^) $B/app.a $B/libgesso.a -lcmocka $(APP_LIBS) $(ENGINE_LIBS)

# Stands for NVIDIA's libraries in the tests of the CUDA driver.
$B/tests/test_cuda_driver $B/tests/test_cuda_plan $B/tests/test_cuda_cli: $B/tests/fake_nvidia.so
$B/tests/test_cuda_cli: $B/tests/gesso-cuda
$B/tests/fake_nvidia.so: tests/fixtures/fake_nvidia.c tests/fixtures/fake_nvidia_cl.c tests/fixtures/fake_nvidia.h tests/fixtures/fake_nvidia_int.h \
    src/device/cuda_api.h
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(STD) $(DEFS) $(CFLAGS) $(WARN) -shared -Isrc -Iinclude -o $@ $(filter %.c,$^) -lOpenCL

# The program that CUDA=1 builds: the table of drivers is all that differs.
$B/cuda/devices.o: src/device/devices.c
	@mkdir -p $(@D); echo "  CC  $< (CUDA)"
	$Q$(CC) $(STD) $(DEFS) -DGS_CUDA $(CPPFLAGS) $(CFLAGS) $(WARN) $(SANF) -Iinclude -Isrc -MMD -MP -c -o $@ $<

$B/tests/gesso-cuda: $(CLI) $(APP) $B/cuda/devices.o $B/libgesso.a
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(SANF) -o $@ $(CLI) $(APP) $B/cuda/devices.o $B/libgesso.a $(APP_LIBS) $(ENGINE_LIBS)

# An OpenCL driver that misbehaves on demand.
$B/tests/test_platforms: $B/tests/fake_icd.so $B/gesso
$B/tests/fake_icd.so: tests/fixtures/fake_icd.c
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(STD) $(DEFS) $(CFLAGS) $(WARN) -shared -o $@ $<

$B/examples/%: examples/%.c $B/libgesso.a
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(STD) $(CFLAGS) $(WARN) $(SANF) -Iinclude -o $@ $< $B/libgesso.a $(ENGINE_LIBS)

$B/bench/%: bench/%.c bench/bench.h $(TESTLIB) $B/app.a $B/libgesso.a
	@mkdir -p $(@D); echo "  LD  $@"
	$Q$(CC) $(STD) $(DEFS) $(CPPFLAGS) $(CFLAGS) $(WARN) $(SANF) -Iinclude -Isrc -Itests -o $@ $< $(TESTLIB) $B/app.a $B/libgesso.a \
	    -lcmocka $(APP_LIBS) $(ENGINE_LIBS)

bench: $(BENCHES)       ## build the benchmarks and run them; DEVICE=...
	$Qfor b in $^; do $$b $(DEVICE); done

examples: $(EXAMPLES)   ## build the example programs

demo: deps              ## install what is missing, build, train on digits for two minutes; DATA=folder of IDX files
	$Q$(MAKE) --no-print-directory -j$(JOBS) $B/gesso
	$Qtools/demo.sh $B "$(DATA)"

docs: $B/gesso          ## write docs/ops.md and docs/config.md from the program
	$Q$B/gesso ops --markdown > docs/ops.md
	$Q$B/gesso help config > docs/config.md

bindir := $(DESTDIR)$(PREFIX)/bin
libdir := $(DESTDIR)$(PREFIX)/lib
incdir := $(DESTDIR)$(PREFIX)/include/gesso

install: all            ## install program, library, headers and gesso.pc; PREFIX=/usr/local, DESTDIR=
	$Qinstall -d $(bindir) $(libdir)/pkgconfig $(incdir)
	$Qinstall -m 755 $B/gesso $(bindir)
	$Qinstall -m 644 $B/libgesso.a $(libdir)
	$Qinstall -m 755 $B/libgesso.so $(libdir)/libgesso.so.$(VERSION)
	$Qln -sf libgesso.so.$(VERSION) $(libdir)/libgesso.so.0
	$Qln -sf libgesso.so.0 $(libdir)/libgesso.so
	$Qinstall -m 644 include/gesso/*.h $(incdir)
	$Qsed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(ENGINE_LIBS)|' tools/gesso.pc.in > $(libdir)/pkgconfig/gesso.pc
	@echo "installed in $(DESTDIR)$(PREFIX)"

uninstall:              ## remove what install has put there
	$Qrm -f $(bindir)/gesso $(libdir)/libgesso.a $(libdir)/libgesso.so $(libdir)/libgesso.so.* $(libdir)/pkgconfig/gesso.pc
	$Qrm -f $(addprefix $(incdir)/,$(notdir $(wildcard include/gesso/*.h)))
	$Qrmdir $(incdir) 2>/dev/null || true

test: deps              ## install, build and run all tests; ONLY="name name", DEVICE=..., SAN=..., GESSO_TEST="case*"
	$Q$(MAKE) --no-print-directory -j$(JOBS) test-run

build-tests: all examples $(TESTS) $(RUNNERS)

test-run: check-layers build-tests
	$Qtools/run_tests.sh $B "$(ONLY)" "$(DEVICE)"

# What reads files from outside, for a run under sanitizers that is over in a minute.
OUTSIDE := idx image folder safetensors checkpoint config

test-outside: deps      ## the tests of what reads files alone; SAN=address,undefined
	$Q$(MAKE) --no-print-directory -j$(JOBS) $(patsubst %,$B/tests/test_%,$(OUTSIDE))
	$Qtools/run_tests.sh $B "$(OUTSIDE)" "$(DEVICE)"

# What makes plans, walked over every form of kernel: another minute.
PLANNER := test_plan test_simplify test_lower test_rows test_epilogue

test-planner: deps      ## the tests of what makes plans alone; SAN=address,undefined
	$Q$(MAKE) --no-print-directory -j$(JOBS) $(addprefix $B/tests/,$(PLANNER))
	$Qtools/run_tests.sh $B "$(PLANNER)" "$(DEVICE)"

ci:                     ## all that can be checked without a GPU, as CI does: tests, valgrind, sanitizers, fuzzing, other platforms
	$Qtools/ci.sh

# Fuzz targets stand apart: clang only, its own build folder, and only the folders that read what comes from outside.
FUZZ_SECONDS ?= 60
FUZZ_CLANG   ?= clang
FUZZ_FLAGS   := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_OBJ     := $(patsubst %.c,build-fuzz/%.o,$(call src_of,base data io) $(wildcard src/train/config*.c))
FUZZERS      := $(patsubst tests/fuzz/%.c,build-fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

fuzz: $(FUZZERS)        ## run every fuzz target for FUZZ_SECONDS (60); ONLY=name picks
	$Qtools/fuzz.sh "$(FUZZ_SECONDS)" "$(ONLY)" $(FUZZERS)

build-fuzz/ready:
	@mkdir -p $(@D)
	@echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { (void)d, (void)n; return 0; }' > build-fuzz/probe.c
	@$(FUZZ_CLANG) -fsanitize=fuzzer,address,undefined -o build-fuzz/probe build-fuzz/probe.c 2>build-fuzz/probe.log || { \
	    echo "make fuzz needs clang with its sanitizer runtime: apt-get install clang libclang-rt-14-dev (Debian 12's names);"; \
	    echo "what failed is in build-fuzz/probe.log"; exit 1; }
	@touch $@

build-fuzz/src/%.o: src/%.c | build-fuzz/ready
	@mkdir -p $(@D); echo "  CC  $< (fuzz)"
	$Q$(FUZZ_CLANG) $(STD) $(DEFS) $(WARN) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined $(APP_CFLAGS) \
	    -Iinclude -Isrc -MMD -MP -c -o $@ $<

# What one target wants beside the common objects.
build-fuzz/fuzz_bench: $(patsubst %,build-fuzz/src/bench/%.o,load compare measure)
build-fuzz/fuzz_tuning: $(patsubst %,build-fuzz/src/device/%.o,tuning programs)

build-fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJ) | build-fuzz/ready
	@echo "  LD  $@"
	$Q$(FUZZ_CLANG) $(STD) $(DEFS) $(WARN) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(APP_CFLAGS) \
	    -Iinclude -Isrc -o $@ $< $(filter %.o,$^) $(APP_LIBS) -lm

test-rusticl: deps      ## run the device and op tests on Mesa's OpenCL (llvmpipe); ONLY=name
	$Qtools/deps.sh mesa-opencl-icd
	$Q$(MAKE) --no-print-directory -j$(JOBS) $B/gesso $(TESTS)
	$Qtools/platform_tests.sh rusticl $B "$(ONLY)"

test-oclgrind: deps     ## the same in a simulator that finds bad accesses; RACES=1: and data races
	$Qtools/deps.sh oclgrind
	$Q$(MAKE) --no-print-directory -j$(JOBS) $B/gesso $(TESTS)
	$Qtools/platform_tests.sh oclgrind $B "$(ONLY)"

test-valgrind: deps     ## run the host code under valgrind, on the null device
	$Qtools/deps.sh valgrind
	$Q$(MAKE) --no-print-directory -j$(JOBS) $B/gesso $(TESTS)
	$Qtools/platform_tests.sh valgrind $B "$(ONLY)"

check-layers:           ## fail when a folder includes one it may not know
	$Qtools/layers.sh

clean:                  ## remove build folders
	rm -rf build build-*

help:                   ## show this list
	@sed -n 's/^\([a-z-]*\):.*## */\1\t/p' Makefile | expand -t 14

-include $(shell find $B build-fuzz -name '*.d' 2>/dev/null)
