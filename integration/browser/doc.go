// Package browser tests the review page as people meet it: the program that they run, in a real Chromium. The tests have the build tag browser.
package browser
