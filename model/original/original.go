// Package original imports networks that the Python original of DeepCASE saved. It needs no Python and runs no code from the file.
package original

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model/contextbuilder"
)

// maxPickle bounds the pickle in a file, because reading takes a multiple of its size in memory. That of a ContextBuilder is below 4 KiB with one
// recurrent layer, and below 64 KiB with the most.
const maxPickle = 1 << 16

// Load reads a file that the original's ContextBuilder.save wrote with torch 1.6 or newer. It is a zip archive: a pickle describes the
// tensors of the state_dict, and one entry per storage has their numbers. Such a file has no vocabulary.
func Load(path string) (*contextbuilder.Weights, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, info.Size())
}

func read(file io.ReaderAt, size int64) (*contextbuilder.Weights, error) {
	a, err := open(file, size)
	if err != nil {
		return nil, err
	}
	content, err := a.content("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	named, err := unpickle(content)
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	if err := checkNames(named); err != nil {
		return nil, err
	}
	var tensors []contextbuilder.Tensor
	for _, n := range named {
		data, err := a.data(n)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", n.name, err)
		}
		tensors = append(tensors, contextbuilder.Tensor{Name: n.name, Shape: n.shape, Data: data})
	}
	return contextbuilder.FromTensors(tensors)
}

// alias is a second name of the embedding, which the original's decoder knows too.
const alias = "decoder_attention.embedding.weight"

// checkNames says what is wrong with a network that has other tensors, before any number is read.
func checkNames(tensors []tensor) error {
	largest := contextbuilder.Config{Events: 3, Length: 1, Hidden: 1, Layers: contextbuilder.MaxLayers, Bidirectional: true}
	w, err := contextbuilder.NewWeights(largest)
	if err != nil {
		return err
	}
	known := map[string]bool{alias: true}
	for _, t := range w.Tensors() {
		known[t.Name] = true
	}
	for _, t := range tensors {
		if !known[t.name] {
			return fmt.Errorf("tensor %q is not one of a ContextBuilder of up to %d layers", t.name, contextbuilder.MaxLayers)
		}
	}
	return checkAttention(tensors)
}

// checkAttention explains the shape with which the original saves a network of several layers: its attention layer takes the states of all layers,
// but is given those of the last one, and fails.
func checkAttention(tensors []tensor) error {
	shapes := map[string][]int{}
	for _, t := range tensors {
		shapes[t.name] = t.shape
	}
	const name = "decoder_attention.attn.weight"
	attention, embedding := shapes[name], shapes["embedding.weight"]
	if len(attention) != 2 || len(embedding) != 2 {
		return nil // another error says so
	}
	need := embedding[1]
	if _, reverse := shapes["encoder.recurrent.weight_ih_l0_reverse"]; reverse {
		need *= 2
	}
	if _, several := shapes["encoder.recurrent.weight_ih_l1"]; several && attention[1] > need {
		return fmt.Errorf("tensor %q has shape %v, need [%d %d]: the original makes this layer too large for a network of several layers, which it cannot run or train",
			name, attention, attention[0], need)
	}
	return nil
}

// archive is a file of torch.save.
type archive struct {
	size    int64
	left    int64 // bytes that storages may still have; each is read once, so all of them fit into the file
	entries map[string]*zip.File
	read    map[string][]float32 // by storage key
}

// maxDirectory bounds the directory of an archive, because reading takes a multiple of its size in memory. torch writes some 30 entries.
const maxDirectory = 1 << 20

var errDirectory = fmt.Errorf("its directory has more than %d bytes", maxDirectory)

// directory lets zip read at most maxDirectory bytes until the directory is known.
type directory struct {
	io.ReaderAt
	left  int
	known bool
}

func (d *directory) ReadAt(p []byte, offset int64) (int, error) {
	if !d.known {
		if d.left -= len(p); d.left < 0 {
			return 0, errDirectory
		}
	}
	return d.ReaderAt.ReadAt(p, offset)
}

func open(file io.ReaderAt, size int64) (*archive, error) {
	d := &directory{ReaderAt: file, left: maxDirectory + 1<<17} // plus what it takes to find it
	z, err := zip.NewReader(d, size)
	d.known = true
	if err != nil {
		return nil, fmt.Errorf("is not a zip archive (%w): need a file that ContextBuilder.save wrote with torch 1.6 or newer", err)
	}
	a := &archive{size: size, left: size, entries: map[string]*zip.File{}, read: map[string][]float32{}}
	for _, f := range z.File { // all entries are in one folder, which has the name of the file
		_, name, _ := strings.Cut(f.Name, "/")
		a.entries[name] = f
	}
	if a.entries["constants.pkl"] != nil {
		return nil, errors.New("is a TorchScript program: need a file that ContextBuilder.save wrote")
	}
	if a.entries["byteorder"] != nil { // since torch 2.1
		order, err := a.content("byteorder", 16)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, fmt.Errorf("byteorder: %q, need little", order)
		}
	}
	return a, nil
}

// content reads an entry of at most limit bytes and checks its checksum.
func (a *archive) content(name string, limit int64) ([]byte, error) {
	f := a.entries[name]
	if f == nil {
		return nil, fmt.Errorf("%s is missing in the archive: need a file that ContextBuilder.save wrote", name)
	}
	if f.Method != zip.Store {
		return nil, fmt.Errorf("%s is compressed, which torch.save never does", name)
	}
	if limit = min(limit, a.size); f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return content, nil
}

// data returns the numbers of a tensor. Tensors may share a storage: those of a recurrent layer do after training on a GPU.
func (a *archive) data(t tensor) ([]float32, error) {
	values, there := a.read[t.storage.key]
	if !there {
		content, err := a.content("data/"+t.storage.key, a.left)
		if err != nil {
			return nil, err
		}
		a.left -= int64(len(content))
		values = make([]float32, len(content)/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(content[4*i:]))
		}
		a.read[t.storage.key] = values
	}
	if t.offset > len(values) || t.numbers > len(values)-t.offset {
		return nil, fmt.Errorf("numbers %d to %d are not in storage %s, which has %d", t.offset, t.offset+t.numbers, t.storage.key, len(values))
	}
	return values[t.offset : t.offset+t.numbers], nil
}
