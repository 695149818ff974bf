// Package homenet knows which addresses are internal.
package homenet

import (
	"fmt"
	"net/netip"
	"strings"

	"connect-deepcase/internal/excerpt"
)

// Networks are internal: the private ones, and those that a user adds.
type Networks []netip.Prefix

var private = Networks{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

// Parse reads networks, separated by commas: 203.0.113.0/24, 2001:db8:7::/48, one address, or the groups that a network's addresses begin with,
// such as 203.0.113. and 2001:db8:7: .
func Parse(list string) (Networks, error) {
	found := Networks{}
	for written := range strings.SplitSeq(list, ",") {
		if written = strings.TrimSpace(written); written == "" {
			continue
		}
		prefix, ok := network(written)
		if !ok {
			return nil, fmt.Errorf("home (HOME_NET in the examples): %s, want networks such as 203.0.113.0/24 or 2001:db8:7::/48, separated by commas", excerpt.Quote(written))
		}
		found = append(found, prefix)
	}
	return found, nil
}

func network(written string) (prefix netip.Prefix, ok bool) {
	if prefix, err := netip.ParsePrefix(written); err == nil {
		return prefix.Masked(), true
	}
	if address, err := netip.ParseAddr(written); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address, address.BitLen()), !strings.HasSuffix(written, "::") // where would that network end?
	}
	for _, version := range []struct {
		separator, rest string
		groups, bits    int
	}{{".", "0", 4, 8}, {":", ":", 8, 16}} {
		groups := strings.Count(written, version.separator)
		if !strings.HasSuffix(written, version.separator) || groups >= version.groups || strings.HasPrefix(written, version.separator) || strings.Contains(written, "::") {
			continue
		}
		whole := written + version.rest
		if version.separator == "." {
			whole += strings.Repeat(".0", version.groups-groups-1)
		}
		if address, err := netip.ParseAddr(whole); err == nil {
			return netip.PrefixFrom(address, groups*version.bits).Masked(), true
		}
	}
	return prefix, false
}

// Has reports whether a text is an internal address.
func (n Networks) Has(address string) bool {
	parsed, err := netip.ParseAddr(strings.TrimSpace(address))
	if err != nil {
		return false
	}
	parsed = parsed.Unmap().WithZone("")
	for _, networks := range []Networks{private, n} {
		for _, prefix := range networks {
			if prefix.Contains(parsed) {
				return true
			}
		}
	}
	return false
}
