package docs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/original"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// library is the Go side of library.md, so that a name that is changed or removed breaks the build of this test.
var library = map[string]any{
	"sequencer.Options":           sequencer.Options{Length: 10, Timeout: 0},
	"SequenceOptions.NoEvent":     sequencer.SequenceOptions{}.NoEvent,
	"SequenceOptions.Label":       sequencer.SequenceOptions{}.Label,
	"SequenceOptions.Progress":    sequencer.SequenceOptions{}.Progress,
	"Sequences.Contexts":          sequencer.Sequences{}.Contexts,
	"Table.Read":                  (*sequencer.Table).Read,
	"Table.Append":                (*sequencer.Table).Append,
	"Table.AppendLabelled":        (*sequencer.Table).AppendLabelled,
	"Table.Sequence":              (*sequencer.Table).Sequence,
	"ReadOptions.Rows":            sequencer.ReadOptions{}.Rows,
	"ReadOptions.Progress":        sequencer.ReadOptions{}.Progress,
	"sequencer.Windows":           sequencer.Windows{},
	"model.Train":                 model.Train,
	"model.Params":                model.Params{},
	"model.Data":                  model.Data{}.Scores,
	"Data.Progress":               model.Data{}.Progress,
	"Data.Fold":                   model.Data.Fold,
	"model.NewPredictor":          model.NewPredictor,
	"model.FromNetwork":           model.FromNetwork,
	"model.Cluster":               model.Cluster{},
	"Model.Cluster":               (*model.Model).Cluster,
	"Model.WithScores":            (*model.Model).WithScores,
	"Model.TrainFurther":          (*model.Model).TrainFurther,
	"Model.WithExamples":          (*model.Model).WithExamples,
	"store.Follower":              store.Follower{},
	"Model.Fit":                   (*model.Model).Fit,
	"Params.TrainingMemory":       model.Params.TrainingMemory,
	"Predictor.PredictData":       (*model.Predictor).PredictData,
	"Predictor.Predict":           (*model.Predictor).Predict,
	"Verdict.Code":                model.Verdict.Code,
	"store.Open":                  store.Open,
	"store.Store":                 store.Store{},
	"Store.Publish":               (*store.Store).Publish,
	"Store.Load":                  (*store.Store).Load,
	"contextbuilder.Config":       contextbuilder.Config{},
	"contextbuilder.Init":         contextbuilder.Init,
	"Config.Events":               contextbuilder.Config{}.Events,
	"Config.Layers":               contextbuilder.Config{}.Layers,
	"Config.Bidirectional":        contextbuilder.Config{}.Bidirectional,
	"Engine.Train":                contextbuilder.Engine.Train,
	"Engine.Open":                 contextbuilder.Engine.Open,
	"Training.Delta":              contextbuilder.Training{}.Delta,
	"Training.TeachRatio":         contextbuilder.Training{}.TeachRatio,
	"Training.Progress":           contextbuilder.Training{}.Progress,
	"Network.Forward":             contextbuilder.Network.Forward,
	"Network.Query":               contextbuilder.Network.Query,
	"Prediction.LogConfidence":    contextbuilder.Prediction{}.LogConfidence,
	"Query.Distribution":          contextbuilder.Query{}.Distribution,
	"engine.Open":                 engine.Open,
	"original.Load":               original.Load,
	"original.OrderOf":            original.OrderOf,
	"original.Sort":               original.Sort,
	"interpreter.New":             interpreter.New,
	"interpreter.Options":         interpreter.Options{},
	"interpreter.Vectorize":       interpreter.Vectorize,
	"interpreter.ScoreClusters":   interpreter.ScoreClusters,
	"Interpreter.Cluster":         (*interpreter.Interpreter).Cluster,
	"Interpreter.Score":           (*interpreter.Interpreter).Score,
	"Interpreter.Fit":             (*interpreter.Interpreter).Fit,
	"Interpreter.FitPredict":      (*interpreter.Interpreter).FitPredict,
	"Interpreter.AttentionQuery":  (*interpreter.Interpreter).AttentionQuery,
	"Interpreter.AttendedContext": (*interpreter.Interpreter).AttendedContext,
}

func TestTheLibraryPageNamesWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("library.md")
	require.NoError(t, err)
	for name := range library {
		require.Contains(t, string(page), name)
	}
}
