# leat: every way to build and test it. See CONTRIBUTING.md.

# kgo stands still in a synctest bubble unless it is built for one.
TAGS := synctests
TOOL := go tool -modfile=internal/tools/go.mod

.PHONY: demo build check fmt test sim chaos mutants bench clean
.NOTPARALLEL:

demo: build ## run the shop with trouble on the embedded stack
	bin/leat demo

# grpcnotrace: gRPC, which comes with OpenTelemetry's exporter, would bring html/template.
build: ## bin/leat
	CGO_ENABLED=0 go build -trimpath -tags grpcnotrace -ldflags='-s -w' -o bin/leat ./cmd/leat

check: ## all that needs no servers: style, house, layers 0-1 with the race detector
	@bad=$$($(TOOL) gofumpt -l .) && test -z "$$bad" || { echo "not as gofumpt writes (make fmt):" $$bad; exit 1; }
	go vet -tags $(TAGS) ./...
	$(TOOL) staticcheck -tags $(TAGS) ./...
	go mod tidy -diff
	go test ./internal/house
	go test -race -tags $(TAGS) -short -timeout 30m ./...
	cd test/bench && go vet ./... && go test ./...

fmt: ## write as gofumpt does
	$(TOOL) gofumpt -w .

# The servers are built and not run by "go run", which would not hand on a signal
# or the status.
test: check ## check, then everything against real Kafka and PostgreSQL
	go build -o bin/servers ./test/servers
	bin/servers -- go test -tags $(TAGS) -timeout 60m ./...

SEEDS ?= 4000
FROM  ?= 1
sim: ## seeded faults over whole services in virtual time: make sim SEEDS=10000 FROM=1
	go test -tags $(TAGS) -timeout 6h ./test/sim -run TestSimulation -sim.seeds=$(SEEDS) -sim.from=$(FROM)

SEED    ?= 0
PROFILE ?= mixed
FOR     ?= 5m
chaos: ## the shop on three brokers under kills, cuts and lost replies: make chaos SEED=7 PROFILE=network
	go run ./test/chaos -seed $(SEED) -profile $(PROFILE) -for $(FOR)

mutants: ## break the product rule by rule: each guard must turn red; ONLY=word picks some
	go build -o bin/servers ./test/servers
	bin/servers -- go run ./test/mutants $(ONLY)

BENCH ?= consume typed produce slow1000 slow20 transform once failing joins relay latency writers encode decode registry registry-start
bench: build ## leat beside the raw client and its peers on real Kafka: make bench BENCH="consume produce"
	go build -o bin/servers ./test/servers
	cd test/bench && go build -o ../../bin/bench .
	for c in $(BENCH); do bin/servers -kafka -postgres -- sh -c "exec bin/bench -case $$c -json -brokers \$$LEAT_TEST_KAFKA" >bin/$$c.json || exit 1; done
	@echo "results: bin/*.json"

clean: ## remove what was built; the cache of fetched servers stays
	rm -rf bin
