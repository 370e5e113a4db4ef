# What people and CI run. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
PYTHON ?= python3
HOMESERVER := $(PYTHON) sandbox/homeserver/homeserver.py
# What tests are built with: a daemon that breaks where the crash test tells it to.
SABOTAGE := --features sabotage
# Tests that share a processor with a homeserver gain nothing from more of each other.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

# One line before each step, so that a long run is seen to move.
step = @printf '\n== %s  [%s]\n' '$(1)' "$$(date +%H:%M:%S)"

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

.PHONY: demo
demo: venv ## Import a sample on a real homeserver and show the room (KEEP=1 leaves it running)
	$(call step,the demonstration)
	$(PYTHON) sandbox/demo/demo.py $(if $(KEEP),--keep)

# Where every program that a test starts writes its log (tests/it/support/logs.rs).
LOGS := target/tmp/logs

.PHONY: test
test: fmt-check clippy venv sample-check olvid-check tests ## Formatting, lints, unit and integration tests; what CI runs

.PHONY: tests
tests: ## Only the tests
	$(call step,tests: building)
	$(CARGO) test --locked $(SABOTAGE) --all-targets --no-run
	@rm -rf $(LOGS)
	$(call step,tests: the examples in the documentation)
	$(CARGO) test --locked $(SABOTAGE) --doc
ifeq ($(NEXTEST),yes)
	$(call step,tests: running with cargo-nextest)
	$(CARGO) nextest run --locked $(SABOTAGE) --all-targets
else
	$(call step,tests: running with cargo test (cargo-nextest is not installed))
	$(CARGO) test --locked $(SABOTAGE) --all-targets
endif
	$(call step,tests: what all these daemons and commands wrote)
	$(CARGO) test --locked $(SABOTAGE) --test it -- --ignored --nocapture --exact \
		discretion::no_log_of_the_whole_run_tells_anything

.PHONY: e2ee
e2ee: venv ## Import 2,000 messages into an encrypted room and read them as strict clients do
	$(call step,e2ee)
	$(CARGO) test --locked $(SABOTAGE) --test it -- --ignored --nocapture --exact \
		encrypted::two_thousand_messages_are_read_without_a_shield

# A folder of its own, so that no release is ever linked from a daemon that can be told to break.
CRASH_TARGET := target/crash
CRASH_FIGURES := $(CRASH_TARGET)/figures
CRASH_CARGO := CARGO_PROFILE_RELEASE_LTO=off $(CARGO) test --release --locked $(SABOTAGE) \
	--target-dir $(CRASH_TARGET) --test it

.PHONY: crash
crash: venv ## Kill the daemon at many moments and compare (SEED=, KILLS=, BREAK=no-flush|drop|double|swap)
	$(call step,crash: building)
	$(CRASH_CARGO) --no-run
	$(call step,crash: some minutes of kills)
	@rm -f $(CRASH_FIGURES)
	@status=0; \
	SEED='$(SEED)' KILLS='$(KILLS)' BREAK='$(BREAK)' CRASH_FIGURES='$(CURDIR)/$(CRASH_FIGURES)' \
		$(CRASH_CARGO) -- --ignored --nocapture --exact \
		crash::killed_at_many_moments_and_at_every_write || status=$$?; \
	if [ -f $(CRASH_FIGURES) ]; then cat $(CRASH_FIGURES); fi; \
	exit $$status

# What is measured is the product: release profile, no feature. What measures is the tests' build.
BENCH_FIGURES := target/bench-figures
BENCH_CARGO := $(CARGO) test --locked $(SABOTAGE) --test it

.PHONY: bench
bench: venv ## Speed beside a bare loader, and memory (BENCH=one_room|eight_rooms|media|memory)
	$(call step,bench: building)
	$(CARGO) build --release --locked
	$(BENCH_CARGO) --no-run
	$(call step,bench: some minutes of imports and bare loads in turn)
	@rm -f $(BENCH_FIGURES)
	@status=0; \
	BENCH='$(BENCH)' BENCH_FIGURES='$(CURDIR)/$(BENCH_FIGURES)' \
	PASSERELLE_PROGRAM='$(CURDIR)/target/release/passerelle' \
		$(BENCH_CARGO) -- --ignored --nocapture --exact bench::speed_and_memory || status=$$?; \
	if [ -f $(BENCH_FIGURES) ]; then cat $(BENCH_FIGURES); fi; \
	exit $$status

.PHONY: peers
peers: ## Write docs/peers.md: what other readers make of the same files (needs Node.js)
	$(call step,peers: building)
	$(CARGO) build --locked
	$(call step,peers: comparing)
	$(PYTHON) sandbox/peers/compare.py

# Whatever reads foreign bytes; see fuzz/README.md.
FUZZ_TARGETS := whatsapp telegram_json telegram_html olvid container
FUZZ_SECONDS ?= 600
FUZZ_TOOLS := $(CURDIR)/.work/tools
FUZZ := PATH='$(FUZZ_TOOLS)/bin':"$$PATH" $(CARGO) fuzz
# Nothing of ours is unsafe, so no sanitizer: it would double the memory that is being watched.
FUZZ_FLAGS := --sanitizer none
# No input may take ten seconds, no process 512 MiB, no allocation 128 MiB.
FUZZ_BOUNDS := -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=128 -max_len=65536 -print_final_stats=1

.PHONY: fuzz
fuzz: ## Fuzz every reader and the container (FUZZ_SECONDS=600 each, FUZZ_TARGETS="olvid")
	@if ! $(FUZZ) --version >/dev/null 2>&1; then \
		$(CARGO) install --locked cargo-fuzz --version 0.13.2 --root '$(FUZZ_TOOLS)'; fi
	@mkdir -p target
	@cp Cargo.lock fuzz/Cargo.lock
	@$(PYTHON) fuzz/seeds.py
	$(call step,fuzz: building)
	@$(FUZZ) build $(FUZZ_FLAGS)
	@for target in $(FUZZ_TARGETS); do \
		printf '\n== fuzz: %s  [%s]\n' "$$target" "$$(date +%H:%M:%S)"; \
		$(FUZZ) run $(FUZZ_FLAGS) $$target -- -max_total_time=$(FUZZ_SECONDS) $(FUZZ_BOUNDS) \
			2> >(tee target/fuzz-$$target.log | grep -vE '^#[0-9]+.(REDUCE|NEW)' >&2); \
	done

FAULTS_FIGURES := target/faults-figures

.PHONY: faults
faults: venv ## Break what can break between us and the homeserver; compare with docs/faults.md (ROWS='some words', ACCEPT=1 rewrites it)
	$(call step,faults: building)
	$(CARGO) test --locked $(SABOTAGE) --test it --no-run
	$(call step,faults: some minutes)
	@rm -f $(FAULTS_FIGURES)
	@status=0; \
	ACCEPT='$(ACCEPT)' ROWS='$(ROWS)' BREAK='$(BREAK)' FAULTS_FIGURES='$(CURDIR)/$(FAULTS_FIGURES)' \
		$(CARGO) test --locked $(SABOTAGE) --test it -- --ignored --nocapture --exact \
		faults::the_whole_table || status=$$?; \
	if [ -f $(FAULTS_FIGURES) ]; then cat $(FAULTS_FIGURES); fi; \
	exit $$status

# The tests that talk to a homeserver.
ON_A_HOMESERVER := 'test(/^(access_rules|appservice|crash|doctor|faults|import|messengers|pace|registration|security|support|tchap|verify)::/)'

.PHONY: test-postgres
test-postgres: venv ## The tests that talk to a homeserver, on a Synapse with PostgreSQL
	$(call step,PostgreSQL)
	@$(HOMESERVER) postgres start
	$(call step,tests on PostgreSQL)
	@status=0; \
	PASSERELLE_TEST_DATABASE=postgres $(CARGO) nextest run --locked $(SABOTAGE) \
		-E $(ON_A_HOMESERVER) || status=$$?; \
	$(HOMESERVER) postgres stop; \
	exit $$status

.PHONY: check
check: ## Does it compile?
	$(CARGO) check --locked --all-targets

.PHONY: lint
lint: fmt-check clippy deny typos ## Everything that reads the code without running it

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check:
	$(call step,formatting)
	$(CARGO) fmt --all -- --check

.PHONY: clippy
clippy:
	$(call step,lints)
	$(CARGO) clippy --locked --all-targets $(SABOTAGE) -- -D warnings

.PHONY: deny
deny: ## Licences, sources and bans of the dependencies (needs cargo-deny)
	$(call step,dependencies)
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check bans licenses sources; \
	else echo "skipped: cargo-deny is not installed (cargo install --locked cargo-deny)"; fi

.PHONY: typos
typos:
	$(call step,spelling)
	@if command -v typos >/dev/null; then typos; \
	else echo "skipped: typos is not installed (cargo install --locked typos-cli)"; fi

.PHONY: accept
accept: venv ## Take the snapshots as they are now for the expected ones, then look at the diff
	INSTA_UPDATE=always $(CARGO) test --locked $(SABOTAGE) --all-targets
	@git status --short -- '*.snap' 'tests/fixtures'

.PHONY: venv
venv: ## The Python environment with Synapse, and the empty database tests start from
	$(call step,homeserver environment)
	@$(HOMESERVER) venv
	@$(HOMESERVER) template

.PHONY: sample
sample: ## Make the demonstration's export again from its script and media
	$(PYTHON) sandbox/sample/make_sample.py

.PHONY: sample-check
sample-check:
	$(call step,sample)
	@$(PYTHON) sandbox/sample/make_sample.py --check

.PHONY: olvid-check
olvid-check: ## The stand-in Olvid daemon, held against the official client
	$(call step,the stand-in Olvid daemon)
	@$(PYTHON) sandbox/olvid/check.py

.PHONY: clean
clean: ## Remove everything that was made, the Python environment included
	$(CARGO) clean
	rm -rf .work
