//go:build browser

package browser

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestScreenshots takes pictures of the page for its documentation into the folder SCREENSHOTS: make screenshots. The folder QUICKSTART is that of
// make quickstart.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	quick, err := filepath.Abs(os.Getenv("QUICKSTART"))
	require.NoError(t, err)
	s := review(t, func() (string, error) { return quick, nil })
	b := open(t, s)
	b.visit("/queue?view=unsure")
	unsure := b.text(inFocus)
	b.visit("/queue?view=clusters")
	cluster := b.text(inFocus)
	b.visit("/queue?view=cases")
	oneCase := b.text(inFocus)
	b.visit("/queue?view=clusters")
	// Somebody has worked already.
	for _, key := range []string{"j", "j", "0", "1", "0", "0", "2", "k", "s"} {
		b.press(key)
		if key >= "0" && key <= "9" {
			b.said("Scored " + key)
		}
	}
	for _, shot := range []struct {
		name, path string
		keys       []string
	}{
		{"queue", "/queue", []string{"j"}},
		{"selected", "/queue?view=clusters", []string{"x", "j", "x", "j", "x"}},
		{"question", "/questions/" + cluster, nil},
		{"pattern", "/questions/" + unsure, nil},
		{"case", "/cases/" + oneCase, nil},
		{"decisions", "/decisions", nil},
		{"overview", "/overview", nil},
		{"models", "/models", nil},
		{"keys", "/queue", []string{"?"}},
	} {
		for _, theme := range []string{"light", "dark"} {
			for _, size := range []struct {
				name          string
				width, height int64
			}{{"", 1280, 800}, {"phone-", 390, 844}} {
				var options []chromedp.EmulateViewportOption
				if size.name != "" {
					options = append(options, chromedp.EmulateMobile)
				}
				b.run(b.theme(theme), chromedp.EmulateViewport(size.width, size.height, options...))
				b.visit(shot.path)
				b.js(`sessionStorage.clear()`) // which row was in focus
				b.visit(shot.path)
				b.press(shot.keys...)
				if size.name != "" {
					b.js(`scrollTo(0, 0)`)
				}
				var picture []byte
				b.run(chromedp.CaptureScreenshot(&picture))
				small := smaller(t, picture)
				require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s%s.png", shot.name, size.name, theme)), small, 0o644))
			}
		}
	}
}

// smaller is a picture with at most 256 colours, as those of a page without photographs need, if that makes it smaller.
func smaller(t testing.TB, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	counts := map[color.RGBA]int{}
	bounds := full.Bounds()
	plain := image.NewRGBA(bounds)
	draw.Draw(plain, bounds, full, bounds.Min, draw.Src)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[plain.RGBAAt(x, y)]++
		}
	}
	paletted := image.NewPaletted(bounds, palette(counts))
	draw.Draw(paletted, bounds, plain, bounds.Min, draw.Src)
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, paletted))
	if out.Len() >= len(picture) {
		return picture
	}
	return out.Bytes()
}

// palette has the most frequent colours that differ enough from each other to be told apart.
func palette(counts map[color.RGBA]int) color.Palette {
	var p color.Palette
	for near := 4; ; near *= 2 {
		p = p[:0]
		for _, c := range byCount(counts) {
			if len(p) == 0 || far(p, c, near) {
				p = append(p, c)
			}
			if len(p) > 256 {
				break
			}
		}
		if len(p) <= 256 {
			return p
		}
	}
}

func byCount(counts map[color.RGBA]int) []color.RGBA {
	colours := slices.Collect(maps.Keys(counts))
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(number(a), number(b)))
	})
	return colours
}

func number(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }

func far(p color.Palette, c color.RGBA, near int) bool {
	for _, other := range p {
		o, _ := other.(color.RGBA)
		if distance(o.R, c.R)+distance(o.G, c.G)+distance(o.B, c.B) < near {
			return false
		}
	}
	return true
}

func distance(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
