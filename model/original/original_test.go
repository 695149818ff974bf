package original

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

func content(t testing.TB, name string) []byte {
	t.Helper()
	c, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return c
}

// reference returns the tensors that torch itself wrote as safetensors.
func reference(t *testing.T, name, prefix string) map[string][]float32 {
	t.Helper()
	parsed, err := safetensors.Deserialize(content(t, name))
	require.NoError(t, err)
	tensors := map[string][]float32{}
	for _, x := range parsed.Tensors() {
		key, ours := strings.CutPrefix(x.Name, prefix)
		if !ours {
			continue
		}
		values := make([]float32, len(x.TensorView.Data())/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(x.TensorView.Data()[4*i:]))
		}
		tensors[key] = values
	}
	return tensors
}

func TestLoad(t *testing.T) {
	small := contextbuilder.Config{Events: 7, Length: 3, Hidden: 4, Layers: 1}
	lstm := small
	lstm.LSTM = true
	both, stack := small, lstm
	both.Bidirectional, stack.Bidirectional, stack.Layers = true, true, 2
	for _, c := range []struct {
		file, reference, prefix string
		config                  contextbuilder.Config
	}{
		{"reference_save.pt", "reference_save.safetensors", "model.", contextbuilder.Config{Events: 15, Length: 10, Hidden: 16, Layers: 1}},
		{"gru.pt", "reference.safetensors", "gru.", small},
		{"flat.pt", "reference.safetensors", "gru.", small},
		{"lstm.pt", "reference.safetensors", "lstm.", lstm},
		{"bidirectional.pt", "reference.safetensors", "bidirectional.", both},
		{"stack.pt", "reference.safetensors", "stack.", stack},
	} {
		t.Run(c.file, func(t *testing.T) {
			w, err := Load(filepath.Join("testdata", c.file))
			require.NoError(t, err)
			require.Equal(t, c.config, w.Config)
			want := reference(t, c.reference, c.prefix)
			delete(want, alias)
			require.Len(t, want, len(w.Tensors()))
			for _, x := range w.Tensors() {
				require.Equal(t, want[x.Name], x.Data, x.Name)
			}
		})
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	for file, want := range map[string]string{
		"module.pt":     "data.pkl: holds a deepcase.context_builder.context_builder.ContextBuilder: need a state_dict alone",
		"legacy.pt":     "is not a zip archive (zip: not a valid zip file): need a file that ContextBuilder.save wrote with torch 1.6 or newer",
		"script.pt":     "is a TorchScript program",
		"checkpoint.pt": "does not hold a state_dict",
		"double.pt":     "the numbers are of type torch.DoubleStorage, need torch.FloatStorage (float32)",
		"protocol4.pt":  "pickle opcode 0x95 is not in a state_dict",
		"layers.pt":     `tensor "decoder_attention.attn.weight" has shape [3 8], need [3 4]: the original makes this layer too large for a network of several`,
		"transposed.pt": "a tensor of size [7 7] has stride [1 7], need numbers without gaps",
		"generate.py":   "is not a zip archive",
		"nothing.pt":    "no such file",
		"../testdata":   "is not a regular file",
	} {
		_, err := Load(filepath.Join("testdata", file))
		require.ErrorContains(t, err, want, file)
	}
}

// rezip writes gru.pt again with another method of compression and some changed entries; nil leaves an entry out.
func rezip(t testing.TB, method uint16, change map[string][]byte) []byte {
	t.Helper()
	original := content(t, "gru.pt")
	in, err := zip.NewReader(bytes.NewReader(original), int64(len(original)))
	require.NoError(t, err)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		r, err := f.Open()
		require.NoError(t, err)
		c, err := io.ReadAll(r)
		require.NoError(t, err)
		if other, changed := change[strings.TrimPrefix(f.Name, "gru/")]; changed {
			if c = other; c == nil {
				continue
			}
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method})
		require.NoError(t, err)
		_, err = w.Write(c)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

func readBytes(c []byte) (*contextbuilder.Weights, error) {
	return read(bytes.NewReader(c), int64(len(c)))
}

func TestDamagedArchives(t *testing.T) {
	w, err := readBytes(rezip(t, zip.Store, nil))
	require.NoError(t, err)
	require.Equal(t, 7, w.Config.Events)

	nan := slices.Repeat([]byte{255}, 7*4*4)
	for want, c := range map[string][]byte{
		"data.pkl is missing in the archive":                 rezip(t, zip.Store, map[string][]byte{"data.pkl": nil}),
		"is compressed, which torch.save never does":         rezip(t, zip.Deflate, nil),
		`byteorder: "big", need little`:                      rezip(t, zip.Store, map[string][]byte{"byteorder": []byte("big")}),
		`tensor "embedding.weight": data/0 is missing`:       rezip(t, zip.Store, map[string][]byte{"data/0": nil}),
		"numbers 0 to 28 are not in storage 0, which has 27": rezip(t, zip.Store, map[string][]byte{"data/0": nan[4:]}),
		"data.pkl has 65537 bytes, at most 65536 are":        rezip(t, zip.Store, map[string][]byte{"data.pkl": make([]byte, maxPickle+1), "data/1": make([]byte, maxPickle)}),
		"malformed pickle: has no end":                       rezip(t, zip.Store, map[string][]byte{"data.pkl": {}}),
		`tensor "embedding.weight": number 0 is NaN`:         rezip(t, zip.Store, map[string][]byte{"data/0": nan}),
		`tensor "encoder.recurrent.bias_ih_l0": number 0 is`: rezip(t, zip.Store, map[string][]byte{"data/3": nan[:48]}),
	} {
		_, err := readBytes(c)
		require.ErrorContains(t, err, want)
	}

	good := content(t, "gru.pt")
	bad := bytes.Replace(good, []byte("little"), []byte("litlle"), 1)
	_, err = readBytes(bad)
	require.ErrorIs(t, err, zip.ErrChecksum)
	for i := range good {
		_, err := readBytes(good[:i])
		require.Error(t, err)
	}
}

// TestTensorsCannotShareMoreThanTheFile: a small file with many names for one storage must not take much memory.
func TestTensorsCannotShareMoreThanTheFile(t *testing.T) {
	c := rezip(t, zip.Store, nil)
	a, err := open(bytes.NewReader(c), int64(len(c)))
	require.NoError(t, err)
	a.left = 7*4*4 + 5
	_, err = a.data(tensor{storage: storage{"0"}, numbers: 28})
	require.NoError(t, err)
	_, err = a.data(tensor{storage: storage{"0"}, offset: 20, numbers: 8})
	require.NoError(t, err)
	_, err = a.data(tensor{storage: storage{"1"}, numbers: 1})
	require.ErrorContains(t, err, "at most 5 are allowed")
}

func TestMalformedPickles(t *testing.T) {
	const dict = "\x80\x02ccollections\nOrderedDict\n)R"
	storage := func(numbers string) string {
		return "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ" + numbers + "tR"
	}
	for p, want := range map[string]string{
		"":                      "has no end",
		".":                     "the stack is empty",
		"N.":                    "does not hold a state_dict",
		"X\xff\xff\xff\xffabc.": "ends early",
		"X\x00":                 "ends early",
		"K":                     "ends early",
		"cposix\nsystem\n(X\x02\x00\x00\x00lstR.": "holds a posix.system: need a state_dict alone",
		"cposix":                               "ends within a name",
		"c" + strings.Repeat("x", 2000):        "ends within a name",
		"\x8b\xff\xff\xff\x7f":                 "pickle opcode 0x8b",
		"\x8e\xff\xff\xff\xff\xff\x00\x00\x00": "pickle opcode 0x8e",
		dict + "(NNNu.":                        "items are not pairs for a dict",
		dict + "(X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu.": `key "a" of the state_dict comes twice`,
		dict + "u.":                            "a mark is missing",
		dict + "(0.":                           "pickle opcode 0x30",
		"N(\x85.":                              "the stack is empty", // what lies below a mark is out of reach
		"h\x05.":                               "memo 5 is empty",
		"NNs.":                                 "the stack is empty",
		"NNNs.":                                "items are not pairs for a dict",
		"}}b.":                                 "sets attributes of something else than an OrderedDict",
		"ctorch\nFloatStorage\n)R.":            "calls something else than OrderedDict() or a tensor",
		"ccollections\nOrderedDict\nN\x85R.":   "calls something else than OrderedDict() or a tensor",
		dict + "}Ns.":                          "a key of the state_dict is not a text",
		dict + "X\x01\x00\x00\x00aNs.":         `"a" in the state_dict is not a tensor`,
		dict + "NQ.":                           "persistent id is not that of a storage",
		dict + storage("K\x00K\x01\x85") + ".": "a tensor has 3 arguments, need at least 4",
		dict + storage("J\xff\xff\xff\xffK\x01\x85K\x01\x85") + ".":                                   "not described by storage, offset",
		dict + storage("K\x00J\xff\xff\xff\xff\x85K\x01\x85") + ".":                                   "of size [-1] is too large",
		dict + storage("K\x00J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86J\xff\xff\xff\x7fK\x01\x86") + ".": "is too large",
		dict + storage("K\x00K\x02\x85K\x02\x85") + ".":                                               "has stride [2]",
	} {
		_, err := unpickle([]byte(p))
		require.ErrorContains(t, err, want, "%q", p)
	}
}

func FuzzUnpickle(f *testing.F) {
	for _, name := range []string{"gru.pt", "lstm.pt", "flat.pt", "bidirectional.pt", "stack.pt", "module.pt", "checkpoint.pt"} {
		c := content(f, name)
		a, err := open(bytes.NewReader(c), int64(len(c)))
		require.NoError(f, err)
		p, err := a.content("data.pkl", maxPickle)
		require.NoError(f, err)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		_, _ = unpickle(p)
		_, _ = readBytes(rezip(t, zip.Store, map[string][]byte{"data.pkl": p}))
	})
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"gru.pt", "lstm.pt", "flat.pt", "script.pt", "legacy.pt"} {
		f.Add(content(f, name))
	}
	f.Fuzz(func(t *testing.T, c []byte) {
		if w, err := readBytes(c); err == nil {
			_, err := contextbuilder.FromTensors(w.Tensors())
			require.NoError(t, err)
		}
	})
}

func TestALargeDirectoryIsNotRead(t *testing.T) {
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for i := range 30_000 {
		_, err := z.Create("a/" + strconv.Itoa(i))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	_, err := read(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.ErrorContains(t, err, "its directory has more than 1048576 bytes")
}

// Each tuple has the same tuple twice, 200 levels deep: walking through or printing all would be 2^200 tuples.
func TestSharedTuplesTakeNoTime(t *testing.T) {
	laughs := ")q\x00"
	for i := range 200 {
		laughs += string([]byte{'h', byte(i), 'h', byte(i), '\x86', 'q', byte(i + 1)})
	}
	const dict, last = "ccollections\nOrderedDict\n", "h\xc8"
	for name, end := range map[string]string{
		"alone":                 ".",
		"as a function":         ")R.",
		"as arguments":          dict + last + "R.",
		"as a key":              dict + ")R" + last + "Ks.",
		"as a value":            dict + ")RX\x01\x00\x00\x00a" + last + "s.",
		"as two keys of a dict": "}" + last + "Ns" + last + "Ns.",
		"as a state":            dict + ")R" + last + "b.",
		"as a persistent id":    last + "Q.",
		"as a tensor":           "ctorch._utils\n_rebuild_tensor_v2\n(" + last + last + last + last + "tR.",
	} {
		_, err := unpickle([]byte("\x80\x02" + laughs + end))
		require.Error(t, err, name)
	}
}
