package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/report"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/sequencer"
)

const noCluster = -1

// documents prints the documents of files that a model puts into the cluster that --cluster names.
func (s *session) documents(ctx context.Context, files []string) error {
	if err := s.refuse("documents are printed as they are", "csv", "json", "contexts", "unscored"); err != nil {
		return err
	}
	st, err := s.store()
	if err != nil {
		return err
	}
	m, version, err := loadVersion(st, s.flags.String("of"))
	if err != nil {
		return err
	}
	cluster := noCluster
	if text := s.flags.String("cluster"); text == "" {
		return usagef("--documents lists the documents of one cluster: say which with --cluster NUMBER or --cluster none")
	} else if text != "none" {
		if cluster, err = strconv.Atoi(text); err != nil || cluster < 0 || cluster >= len(m.Clusters) {
			return usagef("--cluster: %q is neither none nor one of the %d clusters of version %s, which are numbered from 0", text, len(m.Clusters), version)
		}
	}
	e, err := s.engine()
	if err != nil {
		return err
	}
	found := map[model.Status]int{}
	show := func(v model.Verdict, document []byte) error {
		if v.Cluster != cluster && (cluster != noCluster || v.Cluster >= 0) {
			return nil
		}
		found[v.Status]++
		_, err := fmt.Fprintf(s.out, "%s\n", report.VisibleJSON(document))
		return err
	}
	annotated, err := areAnnotated(files)
	if err != nil {
		return err
	}
	if annotated {
		if err := s.refuse("documents in ndjson have their contexts already", readingSettings...); err != nil {
			return err
		}
		err = s.annotatedDocuments(ctx, e, m, files, show)
	} else {
		if err := s.refuse("the files hold events, not documents", "target"); err != nil {
			return err
		}
		err = s.eventDocuments(ctx, e, m, files, show)
	}
	if err != nil {
		return err
	}
	total := 0
	var parts []string
	for status, n := range found {
		total += n
		parts = append(parts, fmt.Sprintf("%d %s", n, status))
	}
	slices.Sort(parts)
	s.note("%s", strings.Join(append([]string{fmt.Sprintf("%d documents", total)}, parts...), ", "))
	return nil
}

// areAnnotated tells annotated documents from events.
func areAnnotated(files []string) (bool, error) {
	annotated := 0
	for _, file := range files {
		if format, err := sequencer.FormatOf(file); err == nil && format == sequencer.NDJSON {
			annotated++
		}
	}
	if annotated > 0 && annotated < len(files) {
		return false, usagef("--documents: give annotated documents (ndjson) or files of events, not both")
	}
	return annotated > 0, nil
}

// eventDocuments prints events of files.
func (s *session) eventDocuments(ctx context.Context, e contextbuilder.Engine, m *model.Model, files []string, show func(model.Verdict, []byte) error) error {
	q, err := s.readEvents(files, m.Params)
	if err != nil {
		return err
	}
	verdicts, err := s.predict(ctx, e, m, q.unlabelled())
	if err != nil {
		return err
	}
	for row, v := range verdicts {
		if err := show(v, q.document(row)); err != nil {
			return err
		}
	}
	return nil
}

// readEvents reads events of files, and makes contexts of them as a model has them.
func (s *session) readEvents(files []string, p model.Params) (*sequences, error) {
	format, err := sequencer.FormatOf(files[0])
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if other, err := sequencer.FormatOf(file); err != nil {
			return nil, err
		} else if other != format {
			return nil, usagef("--documents: %s is %s, %s is %s: give files of one format only", files[0], format, file, other)
		}
	}
	return s.read(format, files, sequencer.Options{Length: p.Length, Timeout: p.Timeout})
}

// annotatedDocuments prints documents that have an event and its context at --target.
func (s *session) annotatedDocuments(ctx context.Context, e contextbuilder.Engine, m *model.Model, files []string, show func(model.Verdict, []byte) error) error {
	target, err := annotation.ParseTarget(s.flags.String("target"))
	if err != nil {
		return usagef("--target %s", err)
	}
	p, err := model.NewPredictor(m, e)
	if err != nil {
		return err
	}
	defer p.Close()
	const atOnce = 1024
	var samples []model.Sample
	var documents [][]byte
	flush := func() error {
		verdicts, err := p.Predict(ctx, samples)
		for i, v := range verdicts {
			if err == nil {
				err = show(v, documents[i])
			}
		}
		samples, documents = samples[:0], documents[:0]
		return err
	}
	for _, path := range files {
		err := eachFileLine(path, func(line []byte) error {
			s, err := readSequence(line, target, m.Params.Length)
			if err != nil {
				return err
			}
			samples, documents = append(samples, model.Sample{Event: s.Event, Context: s.Context}), append(documents, line)
			if len(samples) < atOnce {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
	}
	if len(samples) == 0 {
		return nil
	}
	return flush()
}

// eachFileLine calls f for each line of a file that is not blank; errors name the file and the line.
func eachFileLine(path string, f func(line []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := textfile.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	number, err := textfile.EachLine(text, func(_ int, line []byte) error { return f(line) })
	if err != nil {
		return fmt.Errorf("%s:%d: %w", path, number, err)
	}
	return nil
}

// readSequence reads what deepcase_sequence wrote into a document, with a context of length events.
func readSequence(document []byte, target annotation.Target, length int) (s annotation.Sequence, err error) {
	if !jsontext.Valid(document) || document[0] != '{' {
		return s, errors.New("not a JSON object")
	}
	if s, err = target.JSONSequence(document); err == nil && len(s.Context) != length {
		err = fmt.Errorf("%s: the context has %d events, the model needs %d", target, len(s.Context), length)
	}
	return s, err
}
