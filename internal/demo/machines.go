package demo

import (
	"fmt"
	"slices"
	"time"
)

// role is what a machine does. It decides on its routines and on the attacks that it meets.
type role string

const (
	web     role = "web"
	db      role = "db"
	file    role = "file"
	mail    role = "mail"
	dc      role = "dc"
	gateway role = "gw"
	desktop role = "pc"
)

// fleet has the roles of sixteen machines. Further machines repeat them.
var fleet = []role{web, desktop, desktop, web, db, desktop, file, dc, web, desktop, desktop, mail, db, desktop, file, gateway}

// machine is one host.
type machine struct {
	name, ip, user string
	role           role
}

var people = []string{"alice", "bob", "carla", "deniz", "eva", "farid", "greta", "hugo", "ines", "jonas", "kim", "lena"}

func (g *generator) machines() (machines []machine) {
	count := map[role]int{}
	for i := range g.Machines {
		r := fleet[i%len(fleet)]
		count[r]++
		machines = append(machines, machine{
			name: fmt.Sprintf("%s-%02d", r, count[r]),
			ip:   fmt.Sprintf("10.20.%d.%d", 1+slices.Index(fleet, r), 10+count[r]%240),
			user: people[g.random.IntN(len(people))],
			role: r,
		})
	}
	return machines
}

// live plays a machine's routines, attacks and noise until the end.
func (g *generator) live(m machine, end time.Time) {
	var plan []appointment
	for day := g.Start; day.Before(end); day = day.AddDate(0, 0, 1) {
		for _, s := range scripts {
			if slices.Contains(s.roles, m.role) && !(s.novel && day.Before(g.Split())) {
				plan = g.appoint(plan, s, day)
			}
		}
	}
	slices.SortStableFunc(plan, func(a, b appointment) int { return a.at.Compare(b.at) })
	busy := g.Start
	for number, a := range plan {
		// Mostly a machine does one thing after the other.
		if a.at.Before(busy) && g.chance(0.9) {
			a.at = g.after(busy, time.Minute)
		}
		done := g.play(m, a.script, a.at, number)
		if done.After(busy) {
			busy = done
		}
	}
}

// appointment is a script that will be played.
type appointment struct {
	at     time.Time
	script *script
}

// appoint draws when a script is played on a day.
func (g *generator) appoint(plan []appointment, s *script, day time.Time) []appointment {
	weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
	for left := s.perDay; left > 0; left-- {
		if !g.chance(left) || weekend && s.hours == office && g.chance(0.7) {
			continue
		}
		minute := g.random.IntN(24 * 60)
		switch {
		case s.hours == office:
			minute = g.between(7*60, 18*60)
		case s.hours >= 0:
			minute = 60*s.hours + g.random.IntN(5)
		}
		plan = append(plan, appointment{day.Add(time.Duration(minute*60_000+g.random.IntN(60_000)) * time.Millisecond), s})
	}
	return plan
}

// play writes a script's alerts and returns when it ended.
func (g *generator) play(m machine, s *script, at time.Time, number int) time.Time {
	a := Alert{Machine: m.name, SourceIP: fmt.Sprintf("10.20.%d.%d", g.between(1, 9), g.between(10, 40)), User: m.user}
	if s.attack {
		a.SourceIP = fmt.Sprintf("203.0.113.%d", g.between(1, 254))
		a.Attack = fmt.Sprintf("%s on %s, %d", s.name, m.name, number)
	}
	if s.user != "" {
		a.User = s.user
	}
	for _, step := range s.steps {
		if step.chance > 0 && !g.chance(step.chance) {
			continue
		}
		for range g.between(step.least, step.most) {
			a.Timestamp, a.Event, a.Label = at, step.event, step.severity
			a.Message = message(step.event, m, a)
			g.alerts = append(g.alerts, a)
			at = g.after(at, s.pace)
			if g.chance(0.01) { // noise comes at any time
				noise := a
				noise.Timestamp, noise.Event, noise.Label, noise.Attack = at, noises[g.random.IntN(len(noises))], 0, ""
				noise.SourceIP, noise.User = m.ip, "system"
				noise.Message = message(noise.Event, m, noise)
				g.alerts = append(g.alerts, noise)
				at = g.after(at, s.pace)
			}
		}
	}
	return at
}
