# The race detector needs a C compiler. Without one, tests run without the detector.
RACE := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)
SLIM := ./bin/connect-deepcase-slim
FULL := ./bin/connect-deepcase

.PHONY: quickstart build slim test fuzz cross examples integration browser screenshots enrichment gotch gotch-test gpu-check lint graph generate generate-check bench bench-review bench-templates choices bench-kernels memory notice notice-check sbom clean

# The whole job on invented alerts: learn, score clusters, score new alerts, summary. Needs only Go.
quickstart: slim
	./config/quickstart/run.sh $(SLIM) quickstart

# What --version prints, even if GOFLAGS=-buildvcs=false keeps it out of the binary. Empty outside of a git checkout.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
DATE := $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
STAMP := -ldflags '-X main.version=$(VERSION) -X main.date=$(DATE)'

# The full distribution, with connectors.
build:
	go build $(STAMP) -o $(FULL) ./cmd/connect-deepcase

# Connect's core without connectors: enough for files, HTTP and sockets, and quick to build.
slim:
	go build $(STAMP) -tags slim -o $(SLIM) ./cmd/connect-deepcase

# Leaves out cmd/connect-deepcase, so that the connectors are not compiled a second time with -race.
# PKG and RUN select tests: make test PKG=./internal/field RUN=TestParseTime
PKG :=
RUN :=
test:
	go test $(RACE) $(if $(RUN),-run '$(RUN)') $(or $(PKG),$$(go list ./... | grep -v /cmd/connect-deepcase))

# Runs every fuzz target for FUZZTIME, one after the other; PKG selects a package. A failure leaves its input in testdata/fuzz.
FUZZTIME := 30s
fuzz:
	for package in $(or $(PKG),$$(go list ./...)); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

# The slim binary for every platform of docs/platforms.md, or for those of PLATFORMS.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
cross:
	for platform in $(PLATFORMS); do \
		echo $$platform; CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -tags slim -o /dev/null ./cmd/connect-deepcase || exit 1; \
	done
	go test -tags slim ./cmd/connect-deepcase

# Lints every example and runs its tests.
examples: slim
	$(SLIM) lint './config/examples/*.yaml'
	$(SLIM) test ./config/examples/...

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet -tags slim ./...
	go vet -tags integration,browser ./integration/...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

# Prints who imports whom, one package per line. Of other modules, only those that internal/architecture has rules for.
graph:
	@go list -tags gotch -f '{{.ImportPath}}:{{range .Imports}} {{.}}{{end}}' ./... | awk '{ \
		line = $$1; split("", seen); \
		for (i = 2; i <= NF; i++) { \
			name = ""; \
			if ($$i ~ /^connect-deepcase/) name = substr($$i, length("connect-deepcase/") + 1); \
			else if ($$i ~ /^github.com\/redpanda-data\/benthos\//) name = "Benthos"; \
			else if ($$i ~ /^github.com\/redpanda-data\/connect\//) name = "Connect"; \
			else if ($$i ~ /^github.com\/sugarme\/gotch/) name = "gotch"; \
			if (name && !(name in seen)) { seen[name]; line = line " " name } \
		} \
		sub(/^connect-deepcase\/?/, "", line); print line == ":" ? "(root):" : line }'

# Tests with real OpenSearch, Elasticsearch, Kafka and Redis on loopback. Needs a JDK 17 or newer, Maven and redis-server. Also lints
# and tests config/elastic and config/kafka.
integration:
	./integration/run.sh

# Tests of the review page in a real Chromium. Without one they are skipped, and say so, unless CI is set. The first run downloads axe-core into the
# user's cache.
browser: slim
	BINARY=$(CURDIR)/$(SLIM) go test -tags browser -count=1 -timeout 20m $(if $(RUN),-run '$(RUN)') ./integration/browser

# Takes the pictures of docs/review.md, on the alerts of the quick start.
screenshots: quickstart
	SCREENSHOTS=$(CURDIR)/docs/review QUICKSTART=$(CURDIR)/quickstart BINARY=$(CURDIR)/$(SLIM) go test -tags browser -count=1 -run TestScreenshots ./integration/browser

# Sends the AIT Alert Data Set through real servers and writes docs/enrichment.md. DATA: the folder with ait-ads/, by default ../shared/data.
enrichment:
	printf '%s\n' '# Alerts on real servers' '' 'Written by `make enrichment`. Servers and pipelines share the cores of one machine.' '' >docs/enrichment.md
	HARRISON=0 PAGE=$(CURDIR)/docs/enrichment.md ./integration/run.sh -run Harrison -bench Fox -timeout 60m

# The full distribution with the gotch engine (libtorch, GPUs): docs/gpu.md.
gotch:
	eval "$$(deploy/gotch/libtorch.sh)" && go build $(STAMP) -tags gotch -o $(FULL) ./cmd/connect-deepcase

# Tests the gotch engine with a CPU libtorch.
gotch-test:
	eval "$$(FETCH=1 deploy/gotch/libtorch.sh)" && go vet ./model/contextbuilder/torch ./model/engine && \
	go test ./model/contextbuilder/torch ./model/engine

# Checks the gotch engine on a GPU: speed, a short pipeline, conformance, one table. DEVICE=libtorch runs it on the CPU, ROWS=N on N samples.
gpu-check:
	./deploy/gotch/gpu-check.sh $(or $(DEVICE),cuda)

# Writes the assembly. The generators are in model/contextbuilder/cpu/internal/gen, a module of its own.
generate:
	go generate ./model/contextbuilder/cpu/...

generate-check: generate
	git diff --exit-code -- model

# Measures speed beside the Python original, in one run. PYTHON: an interpreter that has it; else it is installed in a virtual environment.
# PROCESSOR: amd, say, to write docs/performance-amd.md instead of docs/performance.md.
bench:
	./bench/run.sh

# Measures the review page beside its budgets, and with AIT-ADS harrison streamed into it. Linux only; takes minutes.
bench-review: slim
	go run ./bench/review -binary $(SLIM)

# Measures what sequencer/template makes of real logs, and its speed, beside Drain3 in one run (docs/templates.md). PYTHON: an interpreter that has
# it; else it is installed in a virtual environment.
bench-templates:
	./bench/templates/run.sh

# Measures what answers and cases save on four sites of real alerts, and what other settings do (docs/choices.md). Takes minutes.
choices: slim
	go run ./bench/choices > bin/choices.md && mv bin/choices.md docs/choices.md

# Measures the peak memory of each case that could take much, against its budget (docs/operations.md). Linux only; takes minutes. CASES
# selects some of them, for example large-messages.
memory:
	go run ./bench/memory $(CASES)

# Compares each assembly kernel of the CPU engine with its twin in plain Go, by benchstat.
bench-kernels:
	go test -run '^$$' -bench 'Gemm|Gates|Vectors|Kernels' -benchtime 20ms -count 6 ./model/contextbuilder/cpu/internal/simd ./model/contextbuilder/cpu/internal/attention | \
	go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da -col /kernels -

# Writes NOTICE, the licences of all linked modules. Fails if one must not be linked. deploy/licences is a module of its own.
notice:
	cd deploy/licences && go run . -notice ../../NOTICE ../.. && go run . -tags slim ../.. && go run . -tags gotch ../..

notice-check: notice
	cd deploy/licences && go vet . && go test .
	git diff --exit-code -- NOTICE

# Writes bin/sbom.json, the software bill of materials of the full distribution, in CycloneDX format.
sbom:
	mkdir -p bin && go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 app -json -licenses -main cmd/connect-deepcase -output bin/sbom.json .

clean:
	rm -rf bin quickstart
