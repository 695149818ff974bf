package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A site that learnt from a fifth of its alerts has 34 cases a day in place of 3,900 alerts, and no step of the attack is lost.
func TestCasesOfRealAlerts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	var got struct {
		Tests []struct {
			Alerts, Today, Objects, Questions, Steps int
			AttackMissed                             int `json:"attack_missed"`
			StepsLost                                int `json:"steps_lost"`
			Tried                                    []struct {
				Try       string
				StepsLost int `json:"steps_lost"`
				Questions int
			}
		}
	}
	evaluateReal(t, &got, "--stream", "--first", "0.2", "--test-csv", "russellmitchell.csv.gz", "--try", "scope=event")
	test := got.Tests[0]
	assert.Equal(t, []int{36436, 8, 0}, []int{test.Alerts, test.Steps, test.StepsLost})
	assert.Greater(t, test.Today, 11000)
	assert.LessOrEqual(t, test.Objects, 112)
	assert.LessOrEqual(t, test.AttackMissed, 41)
	assert.Equal(t, "scope=event", test.Tried[0].Try)
	assert.Less(t, test.Tried[0].Questions, test.Questions/4, "wide answers ask less, and miss more")
}
