#!/usr/bin/env bash
# run.sh FOLDER SERVER PORT DATA: runs a server on loopback until SIGTERM: one that setup.sh has put into FOLDER, or redis.
# Kafka takes PORT+1 too. HEAP: memory of the Java servers. JDK21: see setup.sh.
set -euo pipefail
servers=$1 server=$2 port=$3 data=$(mkdir -p "$4" && cd "$4" && pwd)
jdk=
case $server in opensearch3 | elasticsearch9) jdk=${JDK21:+$JDK21/bin/} ;; esac
java=("${jdk}java" "-Xms${HEAP:-384m}" "-Xmx${HEAP:-384m}" -XX:TieredStopAtLevel=1)
case $server in
opensearch*)
  cd "$servers/$server"
  exec "${java[@]}" -cp 'classes:lib/*' OpenSearch "$port" "$data"
  ;;
elasticsearch7)
  cd "$servers/$server"
  exec "${java[@]}" -cp 'classes:lib/*' Elasticsearch "$port" home "$data"
  ;;
elasticsearch*)
  cd "$servers/$server"
  exec "${java[@]}" -p lib --add-modules ALL-MODULE-PATH -cp classes Elasticsearch "$port" home "$data"
  ;;
kafka)
  cd "$servers/kafka"
  cat >"$data/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/log
num.partitions=6
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
END
  java -XX:TieredStopAtLevel=1 -cp 'lib/*' kafka.tools.StorageTool format --ignore-formatted -t 4L6g3nShT-eMCtK--X86sw -c "$data/server.properties"
  exec "${java[@]}" -cp 'lib/*' kafka.Kafka "$data/server.properties"
  ;;
redis)
  exec redis-server --bind 127.0.0.1 --port "$port" --dir "$data" --save '' --appendonly yes
  ;;
*)
  echo "unknown server $server" >&2
  exit 2
  ;;
esac
