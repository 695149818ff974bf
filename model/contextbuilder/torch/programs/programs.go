// Package programs holds what the gotch engine runs: TorchScript, written in Python beside this file and compiled by compile.py.
package programs

import _ "embed" // the programs

//go:generate python3 compile.py

// Each program's docstring says what its forward takes and gives.
var (
	//go:embed forward.pt
	Forward []byte
	//go:embed query.pt
	Query []byte
	//go:embed train.pt
	Train []byte
)
