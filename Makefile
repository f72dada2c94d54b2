# metropay. `make` lists what can be done here; CI calls the same words.

CARGO ?= cargo
.DEFAULT_GOAL := help
.PHONY: help run demo test containers try-image foreign bench check fmt deny fuzz regen new-channel

help: ## lists these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: ## starts server and simulated channels on the embedded database, and prints where to look
	$(CARGO) run -p metropay-server --bin metropay -- serve --profile demo

demo: ## plays through everything for all three channels over HTTP and prints a table
	$(CARGO) run -p metropay-server --bin metropay -- demo

test: ## runs every test; one that cannot run here says SKIPPED, and CI allows none
	$(CARGO) test --workspace
	@echo; echo "the same stories on PostgreSQL and Redis, and on two nodes"; echo
	METROPAY_TEST_STORE=postgres $(CARGO) test --workspace --test stories
	METROPAY_TEST_STORE=nodes $(CARGO) test --workspace --test stories
	@echo
	@echo "all tests passed; what was left out says SKIPPED above"

containers: ## makes sure that tests find a container engine, PostgreSQL and Redis (images are built where none can be pulled)
	@tests/containers/ready.sh

try-image: ## builds the product's image on a local base, starts compose.yaml with it, kills parts of it, restores its backups
	tests/containers/try-image.sh

foreign: ## plays the channels' own public SDKs (Python, from its registry) against the simulators
	$(CARGO) test -p metropay-tests --test foreign -- --nocapture

bench: ## measures PostgreSQL alone, then payments on it (docs/performance.md); METROPAY_BENCH_DATABASE names the server
	CARGO=$(CARGO) bench/run.sh

check: fmt-check clippy deny ## what must be clean at every commit: format, lints, licences and sources

fmt: ## formats the code
	$(CARGO) fmt --all

.PHONY: fmt-check clippy
fmt-check:
	@$(CARGO) fmt --all --check || { echo "mend with: make fmt"; exit 1; }

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## licences, sources and bans of what is linked (advisories need a network: see CONTRIBUTING.md)
	@command -v cargo-deny >/dev/null 2>&1 || { echo "cargo-deny is missing; installing it (about two minutes)"; $(CARGO) install cargo-deny --locked; }
	$(CARGO) deny check bans licenses sources

fuzz: ## fuzzes every parser for `seconds` each (60) and keeps what reaches something new
	fuzz/run.sh $(or $(seconds),60) $(target)

regen: ## rewrites what is generated from the code (line counts of docs/architecture.md, the duties of channels)
	METROPAY_REGEN=1 $(CARGO) test -p metropay-tests --test tidy
	METROPAY_REGEN=1 $(CARGO) test -p metropay-channel-kit --test duties

new-channel: ## makes a new channel from the template: make new-channel name=foo (docs/add-a-channel.md)
	@$(CARGO) run -q -p metropay-channel-kit --bin new-channel -- $(name)
