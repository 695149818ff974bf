//go:build browser

// Package browser tests the review page in a real Chromium.
package browser

import (
	_ "github.com/chromedp/chromedp"
)
