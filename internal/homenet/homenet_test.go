package homenet

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHas(t *testing.T) {
	home, err := Parse(" 203.0.113., 2001:db8:7: ,198.51.100.0/25,192.0.2.7,2001:db8:8::1,2001:db8:9::5/48,100.64.,,")
	require.NoError(t, err)
	for address, want := range map[string]bool{
		"10.0.0.1": true, "172.16.0.1": true, "172.31.255.255": true, "172.32.0.1": false, "192.168.7.7": true, "192.169.0.1": false,
		"fd00::1": true, "FE90::1": true, "fe80::1%eth0": true, "fec0::1": false, "::ffff:10.0.0.1": true, "8.8.8.8": false,
		"203.0.113.9": true, "203.0.114.9": false, "2001:db8:7::9": true, "2001:0db8:0007:0000:0000:0000:0000:0001": true, "2001:db8:70::9": false,
		"198.51.100.127": true, "198.51.100.128": false, "192.0.2.7": true, "192.0.2.8": false, "2001:db8:8::1": true, "2001:db8:8::2": false,
		"2001:db8:9:1::1": true, "100.64.1.1": true, "100.65.1.1": false,
		"": false, "web-1": false, "10.0.0": false, "10.0.0.1:80": false,
	} {
		assert.Equal(t, want, home.Has(address), address)
	}
	none, err := Parse("")
	require.NoError(t, err)
	require.True(t, none.Has("10.0.0.1"))
	require.False(t, none.Has("203.0.113.9"))
}

func TestNetworksThatAreRefused(t *testing.T) {
	for _, list := range []string{"web-1", "203.0.113", "203.0.113.0/33", "2001:db8::", "2001:db8:7", "1.2.3.4.", "256.", ".", ":", "::", "10.0.0.0-10.0.0.9", "10.,x"} {
		_, err := Parse(list)
		assert.ErrorContains(t, err, "want networks such as 203.0.113.0/24 or 2001:db8:7::/48, separated by commas", list)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("203.0.113.,2001:db8:7:,10.0.0.0/8", "203.0.113.1")
	f.Fuzz(func(t *testing.T, list, address string) {
		networks, err := Parse(list)
		if err != nil {
			return
		}
		if networks.Has(address) {
			_, err := netip.ParseAddr(strings.TrimSpace(address))
			require.NoError(t, err)
		}
		for _, network := range networks {
			if network.Addr().Zone() == "" && !network.Addr().Is4In6() {
				require.True(t, networks.Has(network.Addr().String()), network)
			}
		}
	})
}
