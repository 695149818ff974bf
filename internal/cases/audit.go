package cases

import "gonum.org/v1/gonum/stat/distuv"

// Audited counts what people decided about audited alerts. They are drawn at random from the dismissed ones, so they say how many of those are
// attacks.
type Audited struct {
	Decided int
	Attacks int // of them, those whose score is above 0
}

// MissRate is the upper bound of the share of attacks among the dismissed alerts, with a confidence of 95 %: the one-sided bound of Clopper
// and Pearson (Biometrika 26, 1934). It is 1 if nothing was decided.
func (a Audited) MissRate() float64 {
	if a.Attacks >= a.Decided {
		return 1
	}
	return distuv.Beta{Alpha: float64(a.Attacks + 1), Beta: float64(a.Decided - a.Attacks)}.Quantile(0.95)
}
