// Package group finds equal rows of numbers. Real alerts repeat, so that it pays to compute with the distinct ones.
package group

import (
	"hash/maphash"
	"unsafe"
)

// Rows groups n equal rows of width numbers that follow each other in ids. If with is not nil, it has one more number for each row. first is the first
// occurrence of each distinct row, in order, and of is, for each row, its index among the distinct ones.
func Rows(n int, ids []int32, width int, with []int32) (first, of []int32) {
	size := 16
	for size < 2*n {
		size *= 2
	}
	table := make([]slot, size)
	of = make([]int32, n)
	seed, mask := maphash.MakeSeed(), uint64(size-1)
	for row := range n {
		key, more := text(ids, width, row), int32(0)
		if with != nil {
			more = with[row]
		}
		hash := maphash.String(seed, key) ^ uint64(uint32(more))*0x9e3779b97f4a7c15
		tag := uint32(hash >> 32)
		i := hash & mask
		for ; table[i].group != 0; i = (i + 1) & mask {
			if table[i].tag != tag {
				continue
			}
			if lead := int(first[table[i].group-1]); text(ids, width, lead) == key && (with == nil || with[lead] == more) {
				break
			}
		}
		if table[i].group == 0 {
			first = append(first, int32(row))
			table[i] = slot{tag, int32(len(first))}
		}
		of[row] = table[i].group - 1
	}
	return first, of
}

// slot is a place in a hash table with open addressing. tag saves most comparisons of different rows.
type slot struct {
	tag   uint32
	group int32 // 1 + the index of a distinct row, 0 if the place is free
}

// text is a row in the form that the runtime hashes and compares fastest.
func text(ids []int32, width, row int) string {
	s := ids[row*width : (row+1)*width]
	return unsafe.String((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
}
