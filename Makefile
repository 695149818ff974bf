# The race detector needs a C compiler; without one the tests run without it.
RACE := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)
SLIM := ./bin/connect-deepcase-slim
FULL := ./bin/connect-deepcase

.PHONY: quickstart build slim test fuzz cross examples integration enrichment gotch gotch-test gpu-check lint graph generate generate-check bench bench-kernels memory notice notice-check sbom clean

# The main job on generated alerts: learn, label, score, summary. Needs Go alone.
quickstart: slim
	./config/quickstart/run.sh $(SLIM) quickstart

# What --version says, also where GOFLAGS=-buildvcs=false keeps it out of the binary; empty outside of a git checkout.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
DATE := $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
STAMP := -ldflags '-X main.version=$(VERSION) -X main.date=$(DATE)'

# The whole distribution, with connectors.
build:
	go build $(STAMP) -o $(FULL) ./cmd/connect-deepcase

# Connect's core without connectors: enough for files, HTTP and sockets, and quick to build.
slim:
	go build $(STAMP) -tags slim -o $(SLIM) ./cmd/connect-deepcase

# The program itself is tested without its connectors, so that they are not compiled a second time with -race.
# PKG and RUN choose: make test PKG=./sequencer RUN=TestParseTime
PKG :=
RUN :=
test:
	go test $(RACE) $(if $(RUN),-run '$(RUN)') $(or $(PKG),$$(go list ./... | grep -v /cmd/connect-deepcase))

# Every fuzz target for FUZZTIME each, one after the other; PKG chooses a package. A failure leaves its input in testdata/fuzz.
FUZZTIME := 30s
fuzz:
	for package in $(or $(PKG),$$(go list ./...)); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

# The slim binary for every platform of docs/platforms.md.
cross:
	for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do \
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
	go vet -tags integration ./integration/...

# Who imports whom, one package per line; of the other modules only those that internal/architecture has rules for.
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

# Real OpenSearch, Elasticsearch, Kafka and Redis on loopback; needs a JDK from 17 on, Maven and redis-server. Also lints and tests
# config/elastic and config/kafka.
integration:
	./integration/run.sh

# The AIT Alert Data Set through real servers: writes docs/enrichment.md. DATA: the folder that has ait-ads/, ../shared/data.
enrichment:
	printf '%s\n' '# Alerts on real servers' '' 'Written by `make enrichment`. Servers and pipelines share the cores of one machine.' '' >docs/enrichment.md
	HARRISON=0 PAGE=$(CURDIR)/docs/enrichment.md ./integration/run.sh -run Harrison -bench Fox -timeout 60m

# With the gotch engine (libtorch, GPUs): docs/gpu.md.
gotch:
	eval "$$(deploy/gotch/libtorch.sh)" && go build $(STAMP) -tags gotch -o $(FULL) ./cmd/connect-deepcase

# The gotch engine on the CPU libtorch.
gotch-test:
	eval "$$(FETCH=1 deploy/gotch/libtorch.sh)" && go vet ./model/contextbuilder/torch ./model/engine && \
	go test ./model/contextbuilder/torch ./model/engine

# The gotch engine on a GPU: conformance, speed, a short pipeline, one table. DEVICE=libtorch runs it on the CPU.
gpu-check:
	./deploy/gotch/gpu-check.sh $(or $(DEVICE),cuda)

# Assembly is written by programs in model/contextbuilder/cpu/internal/gen, a module of its own.
generate:
	go generate ./model/contextbuilder/cpu/...

generate-check: generate
	git diff --exit-code -- model

# Beside the Python original, in one run; set PYTHON to an interpreter that has it, else it is installed in a virtual environment.
bench:
	./bench/run.sh

# Peak memory of what could take much, beside its budget (docs/operations.md); Linux. CASES: some of them, large-messages say. Takes minutes.
memory:
	go run ./bench/memory $(CASES)

# Each kernel of the CPU engine in assembly beside its twin in plain Go, compared by benchstat.
bench-kernels:
	go test -run '^$$' -bench 'Gemm|Gates|Vectors|Kernels' -benchtime 20ms -count 6 ./model/contextbuilder/cpu/internal/simd ./model/contextbuilder/cpu/internal/attention | \
	go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da -col /kernels -

# NOTICE: the licences of all linked modules. Fails if one must not be linked; deploy/licences is a module of its own.
notice:
	cd deploy/licences && go run . -notice ../../NOTICE ../.. && go run . -tags slim ../.. && go run . -tags gotch ../..

notice-check: notice
	cd deploy/licences && go vet . && go test .
	git diff --exit-code -- NOTICE

# The software bill of materials of the whole distribution, CycloneDX: bin/sbom.json.
sbom:
	mkdir -p bin && go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 app -json -licenses -main cmd/connect-deepcase -output bin/sbom.json .

clean:
	rm -rf bin quickstart
