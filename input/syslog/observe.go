package syslog

import (
	"fmt"
	"net"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// observer counts what happens, and warns once of each kind of trouble. The metrics count all of it.
type observer struct {
	log         *service.Logger
	messages    *service.MetricCounter // by network
	refused     *service.MetricCounter // by reason
	connections *service.MetricGauge
	turnedAway  *service.MetricCounter // by reason
	dropped     *service.MetricCounter
	lost        *service.MetricCounter

	warned sync.Map // kind of trouble → true
}

func newObserver(mgr *service.Resources, networks ...string) *observer {
	m := mgr.Metrics()
	o := &observer{
		log:         mgr.Logger(),
		messages:    m.NewCounter("deepcase_syslog_messages", "network"),
		refused:     m.NewCounter("deepcase_syslog_refused", "reason"),
		connections: m.NewGauge("deepcase_syslog_connections"),
		turnedAway:  m.NewCounter("deepcase_syslog_refused_connections", "reason"),
		dropped:     m.NewCounter("deepcase_syslog_dropped_datagrams"),
		lost:        m.NewCounter("deepcase_syslog_lost"),
	}
	for _, network := range networks {
		o.messages.Incr(0, network)
	}
	for _, why := range []problem{tooLong, badCount, cutOff, badText} {
		o.refused.Incr(0, string(why))
	}
	for _, why := range []string{"too_many", "tls"} {
		o.turnedAway.Incr(0, why)
	}
	o.connections.Set(0)
	o.dropped.Incr(0)
	o.lost.Incr(0)
	return o
}

func (o *observer) warn(kind, format string, values ...any) {
	if _, again := o.warned.LoadOrStore(kind, true); !again {
		o.log.Warnf(format+" (further ones are only counted)", values...)
	}
}

func (o *observer) refusedMessage(r received, why problem, details string) error {
	o.refused.Incr(1, string(why))
	err := fmt.Errorf("syslog from %s (%s): %s", r.peer, r.network, details)
	o.warn(string(why), "A message is refused: %v", err)
	return err
}

func (o *observer) refusedConnection(peer net.Addr, open int) {
	o.turnedAway.Incr(1, "too_many")
	o.warn("connection", "A connection of %s is refused: %d are open, which is %s", address(peer), open, fieldMaxConnections)
}

func (o *observer) failedHandshake(peer string, err error) {
	o.turnedAway.Incr(1, "tls")
	o.warn("tls", "A connection of %s is refused: TLS: %v", peer, err)
}

func (o *observer) droppedDatagrams(n uint32) {
	o.dropped.Incr(int64(n))
	o.warn("dropped", "The kernel has dropped %d datagrams, as they came faster than they were read: raise net.core.rmem_max, or have senders use TCP", n)
}

func (o *observer) lostMessages(n int) {
	if n > 0 {
		o.lost.Incr(int64(n))
		o.log.Errorf("%d messages had arrived and were not acknowledged when the input was stopped: they are lost, except those that an output has written. "+
			"shutdown_delay gives a pipeline time to take what has come", n)
	}
}
