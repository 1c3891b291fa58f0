# Two commands are enough: `make demo` shows callbox at work, `make test` tests
# all of it. Both install or name what is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build web test tools unit lint web-test e2e screens bench fuzz soak firmware qemu tools-build

COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.commit=$(COMMIT)
GO      ?= go

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: web build ## builds callbox and runs it with simulated callers, agents and carriers
	./bin/callbox demo

build: tools-build ## bin/callbox, with the pages in it where `make web` built them
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/callbox ./cmd/callbox

web: ## the pages for the browser (needs Node 20.19 or newer)
	@scripts/tools web && status=0 || status=$$?; \
	if [ $$status = 3 ]; then echo "the page is left out"; exit 0; fi; \
	[ $$status = 0 ] && $(MAKE) --no-print-directory web/node_modules/.package-lock.json && \
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --silent

test: tools web lint unit web-test e2e ## all tests: web, lint, unit, web-test, e2e

tools: ## installs what the tests need (as root on Debian), or names it
	scripts/tools test

tools-build: # a build without gcc would go well and give a daemon without its database
	@scripts/tools build

lint: ## gofumpt, vet, staticcheck
	@unformatted=$$($(GO) tool gofumpt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not gofumpt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... && $(GO) vet -tags e2e ./cmd/e2e
	$(GO) tool staticcheck ./...

unit: ## Go tests with the race detector
	$(GO) test -race -p 3 -timeout 10m ./...

web-test: ## types, lint, unit tests and size of the pages (after `make web`)
	cd web && npm run --silent check && npm run --silent lint && npm run --silent test && npm run --silent budget

# Analogue lines are measured by the sample and want the machine to themselves.
ANALOGUE := 'LinesInTheBrowser|Analogue|AttendedLine|SixteenLines|UnpluggedBox|ClickToDial|WhatIsHeard'

e2e: ## the built program, with the race detector, against SIPp, baresip and a browser
	@mkdir -p bin
	$(GO) build -race -ldflags '$(LDFLAGS)' -o bin/callbox-race ./cmd/callbox
	CALLBOX=$(CURDIR)/bin/callbox-race $(GO) test -count=1 -timeout 6m -tags e2e -run $(ANALOGUE) ./cmd/e2e
	CALLBOX=$(CURDIR)/bin/callbox-race $(GO) test -count=1 -timeout 10m -tags e2e -skip $(ANALOGUE) -parallel 4 ./cmd/e2e

screens: web build ## pictures of every screen, into docs/screens
	SCREENS=$(CURDIR)/docs/screens CALLBOX=$(CURDIR)/bin/callbox $(GO) test -count=1 -timeout 10m -tags e2e -run EveryScreen ./cmd/e2e

bench: build ## measures the built program, prints the figures as one table
	$(GO) run ./cmd/bench

fuzz: ## every fuzz target for a minute
	scripts/fuzz 60s

soak: build ## the long tests: more than an hour of speech, wide grids, sixteen lines, 200 kills, 10,000 work orders, 10,000 calls
	@scripts/tools soak
	CALLBOX_LONG=1 $(GO) test -count=1 -timeout 60m -v ./cti/media/dsp/... ./voicebox/... ./firmware/... ./cmpp/client ./cmd/callbox
	CALLBOX_LONG=1 CALLBOX=$(CURDIR)/bin/callbox $(GO) test -count=1 -timeout 60m -tags e2e -run 'KillLoop|WorkOrdersAre|NothingStaysOfCalls|LargeFloor' -v ./cmd/e2e

firmware: tools-build ## the voice box's program and its image for arm64, in bin/firmware
	scripts/firmware-image

qemu: firmware build ## boots that image on an emulated board and calls its lines
	@scripts/tools qemu
	$(GO) test -count=1 -timeout 5m -tags qemu -v ./firmware
	FIRMWARE=$(CURDIR)/bin/firmware CALLBOX=$(CURDIR)/bin/callbox $(GO) test -count=1 -timeout 5m -tags 'e2e qemu' -run EmulatedBoard -v ./cmd/e2e
