#!/usr/bin/env bash
# The integration tests: real OpenSearch, Elasticsearch, Kafka and Redis, on free ports of the loopback interface, started and stopped by
# the tests. The first run downloads some 150 MB into the user's cache. Needs Go, a JDK from 17 on, Maven, and redis-server; without
# one of the latter three the tests that need it are skipped, and say so, unless CI is set. run.sh [FLAGS OF GO TEST]
#   ENGINES   search servers: opensearch,elasticsearch; there are also opensearch3, elasticsearch9 and elasticsearch7
#   JDK21     a JDK from 21 on for the first two of these, where that of the PATH is older
set -euo pipefail
export ENGINES=${ENGINES:-opensearch,elasticsearch}
cd "$(dirname "$0")/.."
if ! command -v redis-server >/dev/null && [ -n "${CI:-}" ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  # The package would start a server of its own on the usual port.
  $sudo apt-get update -q && $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends redis-server
fi
for program in java javac mvn redis-server; do
  command -v "$program" >/dev/null || echo "integration: $program is missing: tests that need it $([ -n "${CI:-}" ] && echo fail || echo "are skipped")" >&2
done
export BINARY=$PWD/bin/connect-deepcase
go build -o "$BINARY" ./cmd/connect-deepcase
"$BINARY" lint './config/elastic/*.yaml' './config/kafka/*.yaml' ./deploy/compose/demo.yaml
"$BINARY" test ./config/elastic/... ./config/kafka/...
if command -v java >/dev/null && command -v mvn >/dev/null; then ./integration/servers/setup.sh ${ENGINES//,/ } kafka >/dev/null; fi
go test -tags integration -count=1 -timeout 20m "$@" ./integration/...
