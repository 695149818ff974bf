// Package gate decides who may do what on the review page.
package gate

import (
	_ "golang.org/x/time/rate"
)
