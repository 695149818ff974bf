package demo
import ("testing";"fmt")
func TestX(t *testing.T){ a:=Generate(Options{}); n:=map[string]int{}; k:=map[string]int{}; camp:=map[string]bool{}; l:=map[int]int{}
 late:=0
 for _,x:=range a { n[x.Event]++; k[x.Machine]++; camp[x.Attack]=true; l[x.Label]++; if !x.Timestamp.Before((Options{}).Split()) {late++} }
 fmt.Println(len(a),len(n),len(k),len(camp),l,late); fmt.Println(n)}
