package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	. "connect-deepcase/gen/vector"
)

// flip works on the samples in which something changed. It notes the units that differ, then adds multiples of their columns of w2, less their number at
// the true event, to the columns of p: with a sign, for the first column the units' numbers in the column of a that bias selects, for the others those in the
// columns that offsets select, less that. notes has room for all units; skip is the size of the rows of offsets that p has no columns for, and lanes
// two bits for each that is in use.
func flip() {
	begin("flip", "flipPlain", "func(p, a, w2 *float32, offsets, bias *int32, notes, active, next *uint64, changed *uint16, events *int32, distinct *int, "+
		"n, stride, bits, skip, from, lanes int)")
	lane := GP64()
	todo := changedLanes()
	Label("lane")
	{
		BSFQ(todo, lane)
		below := GP64()
		for range 2 {
			LEAQ(Mem{Base: todo, Disp: -1}, below)
			ANDQ(below, todo)
		}
		MOVQ(todo, argument("lanes")) // registers are scarce
		SHRQ(U8(1), lane)
	}
	end, y := noteUnits(lane), get("events")
	MOVLQSX(Mem{Base: y, Index: lane, Scale: 4}, y)
	w2, p, left := get("w2"), times4("stride"), times4("n")
	IMULQ(lane, p)
	ADDQ(argument("p"), p)
	sizes, several := []int{6, 4, 2, 1}, 4
	if Width == 8 { // fewer registers
		sizes, several = []int{4, 2, 1}, 1
	}
	chunks(left, sizes, func(label string, n int) {
		note := get("notes")
		for _, units := range []int{several, 1} {
			each := fmt.Sprint(label, "units", units)
			Label(each)
			after := GP64()
			LEAQ(Mem{Base: note, Disp: units * noteSize}, after)
			CMPQ(after, end)
			JG(LabelRef(each + "end"))
			addUnits(each, units, n, note, w2, p, y, lane)
			MOVQ(after, note)
			JMP(LabelRef(each))
			Label(each + "end")
			if units == 1 {
				break
			}
		}
		ADDQ(U32(n*row), p)
		ADDQ(U32(n*row), w2)
		SUBQ(Imm(uint64(n*16)), y) // as seen from w2
	})
	MOVQ(argument("lanes"), todo)
	TESTQ(todo, todo)
	JNZ(LabelRef("lane"))
	Label("done")
	End()
}

// changedLanes has two bits for each lane, both set if something changed there. If there is none, it jumps to done.
func changedLanes() GPVirtual {
	all, none, low, high := GP64(), XMM(), XMM(), GP32()
	changed := get("changed")
	VPXOR(none, none, none)
	VPCMPEQW(Mem{Base: changed, Disp: 16}, none, low)
	VPMOVMSKB(low, high)
	SHLQ(U8(16), high.As64())
	VPCMPEQW(Mem{Base: changed}, none, low)
	VPMOVMSKB(low, all.As32())
	ORQ(high.As64(), all)
	NOTQ(all)
	ANDQ(argument("lanes"), all)
	JZ(LabelRef("done"))
	return all
}

// The fields of a note.
const (
	notePlace = 0  // where the unit's column of w2 begins, in bytes
	noteRow   = 8  // where the unit's row of a begins
	noteSign  = 16 // 1 or −1
	noteBias  = 20 // its number in the column that bias selects
	noteFirst = 24 // what to multiply its column of w2 with for the first column of p
	noteSize  = 32
)

// noteUnits notes the units of a lane that differ, makes their bits equal, and returns the end of the notes.
func noteUnits(lane Register) GPVirtual {
	note, active, next, first, until, n4, bias, a := get("notes"), get("active"), get("next"), GP64(), get("bits"), times4("n"), get("bias"), get("a")
	MOVQ(until, first)
	IMULQ(lane, first)
	ADDQ(first, next)
	ADDQ(first, active)
	ADDQ(active, until)
	XORQ(first, first)
	MOVLQSX(Mem{Base: bias, Index: lane, Scale: 4}, bias)
	Label("word")
	now, differ := GP64(), GP64()
	MOVQ(Mem{Base: next}, now)
	MOVQ(Mem{Base: active}, differ)
	MOVQ(now, Mem{Base: active})
	XORQ(now, differ)
	JZ(LabelRef("none"))
	Label("bit")
	unit, sign, s, x, at := GP64(), GP64(), XMM(), XMM(), GP64()
	BSFQ(differ, unit)
	BTQ(unit, now)
	SBBL(sign.As32(), sign.As32()) // all ones if the unit becomes active
	ANDL(U32(1<<31), sign.As32())
	XORL(U32(math.Float32bits(-1)), sign.As32())
	MOVL(sign.As32(), Mem{Base: note, Disp: noteSign})
	VMOVD(sign.As32(), s)
	ADDQ(first, unit)
	LEAQ(Mem{Base: a, Index: unit, Scale: 4}, at)
	MOVQ(at, Mem{Base: note, Disp: noteRow})
	VMOVSS(Mem{Base: at, Index: bias, Scale: 4}, x)
	VMOVSS(x, Mem{Base: note, Disp: noteBias})
	VMULSS(s, x, x)
	VMOVSS(x, Mem{Base: note, Disp: noteFirst})
	IMULQ(n4, unit)
	MOVQ(unit, Mem{Base: note, Disp: notePlace})
	ADDQ(Imm(noteSize), note)
	LEAQ(Mem{Base: differ, Disp: -1}, sign)
	ANDQ(sign, differ)
	JNZ(LabelRef("bit"))
	Label("none")
	ADDQ(Imm(64), first)
	ADDQ(Imm(8), next)
	ADDQ(Imm(8), active)
	CMPQ(active, until)
	JLT(LabelRef("word"))
	return note
}

// addUnits adds some units, of which note is the first, to so many chunks of all columns of a lane. w2 and p point at the chunks of the first column; the
// true event is number y from there.
func addUnits(label string, units, chunks int, note, w2, p, y, lane Register) {
	w, factor := make([][]VecVirtual, units), Several(units)
	field := func(unit, disp int) Mem { return Mem{Base: note, Disp: unit*noteSize + disp} }
	for u := range w {
		w[u] = Several(chunks * halves())
		place, truth := GP64(), factor[u]
		MOVQ(field(u, notePlace), place)
		ADDQ(w2, place)
		VBROADCASTSS(Mem{Base: place, Index: y, Scale: 4}, truth)
		for i, x := range w[u] {
			VMOVUPS(Mem{Base: place, Disp: 4 * Width * i}, x)
			VSUBPS(truth, x, x)
		}
	}
	column, x := GP64(), New()
	MOVQ(p, column)
	add := func() {
		for i := range w[0] {
			at := Mem{Base: column, Disp: 4 * Width * i}
			VMOVUPS(at, x)
			for u, f := range factor {
				VFMADD231PS(w[u][i], f, x)
			}
			VMOVUPS(x, at)
		}
	}
	for u, f := range factor {
		VBROADCASTSS(field(u, noteFirst), f)
	}
	add()
	count, o, n4 := get("distinct"), get("offsets"), times4("n")
	MOVQ(Mem{Base: count, Index: lane, Scale: 8}, count)
	LEAQ(Mem{Base: o, Index: lane, Scale: 4}, o)
	ADDQ(argument("skip"), o)
	SUBQ(argument("from"), count)
	JZ(LabelRef(label + "done"))
	Label(label + "column")
	ADDQ(n4, column)
	event, unit := GP64(), GP64()
	MOVLQSX(Mem{Base: o}, event)
	for u, f := range factor {
		MOVQ(field(u, noteRow), unit)
		VMOVSS(Mem{Base: unit, Index: event, Scale: 4}, f.AsX())
		VSUBSS(field(u, noteBias), f.AsX(), f.AsX())
		VMULSS(field(u, noteSign), f.AsX(), f.AsX())
		VBROADCASTSS(f.AsX(), f)
	}
	add()
	ADDQ(Imm(row), o)
	DECQ(count)
	JG(LabelRef(label + "column"))
	Label(label + "done")
}
