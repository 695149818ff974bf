"""The Python original's side of the comparison: answers each line `job data threads` on standard input with one JSON line.

    python original.py FOLDER

FOLDER holds, for each data set, NAME.csv or NAME.txt (to sequence) and NAME.safetensors (X, y and a trained network's weights). The file
is driven by bench/compare, so that both sides take turns on the same machine with the same data.
"""
import json
import pathlib
import sys
import time

import numpy as np
import torch
from deepcase.context_builder import ContextBuilder
from deepcase.interpreter import Interpreter
from deepcase.interpreter.utils import unique_2d
from deepcase.preprocessing import Preprocessor
from safetensors.torch import load_file

FOLDER = pathlib.Path(sys.argv[1])
TRAIN_WARM_UP = 2560


class Data:
    def __init__(self, name):
        tensors = load_file(FOLDER / f"{name}.safetensors")
        self.X, self.y = tensors.pop("X").long(), tensors.pop("y").long().reshape(-1, 1)
        events, hidden = tensors["embedding.weight"].shape
        self.shape = dict(input_size=events, output_size=events, hidden_size=hidden, max_length=self.X.shape[1])
        self.model = ContextBuilder(**self.shape)
        tensors["decoder_attention.embedding.weight"] = tensors["embedding.weight"]  # one table under two names
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.path = next(p for p in (FOLDER / f"{name}.csv", FOLDER / f"{name}.txt") if p.exists())

    def part(self, rows):
        return self.X[:rows], self.y[:rows]

    def interpreter(self):
        return Interpreter(self.model, features=self.shape["input_size"], eps=0.1, min_samples=5, threshold=0.2)


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def train(data, rows):
    X, y = data.part(rows)
    model = ContextBuilder(**data.shape)
    model.fit(X[:TRAIN_WARM_UP], y[:TRAIN_WARM_UP], epochs=1, verbose=False)
    return len(X), timed(lambda: model.fit(X, y, epochs=1, verbose=False))


def query(data, rows):
    X, y, _ = unique_2d(*data.part(len(data.X)))
    X, y = X[:rows], y[:rows]
    return len(X), timed(lambda: data.model.query(X, y, iterations=100, batch_size=1024, verbose=False))


def latency(data, rows):
    X, y, _ = unique_2d(*data.part(len(data.X)))
    times = [timed(lambda i=i: data.model.query(X[i:i + 1], y[i:i + 1], iterations=100, verbose=False)) for i in range(min(rows, len(X)))]
    return 1, float(np.median(times))


def forward(data, rows):
    X, _ = data.part(rows)
    def run():
        with torch.no_grad():
            for start in range(0, len(X), 1024):
                data.model.predict(X[start:start + 1024])
    return len(X), timed(run)


def cluster(data, rows):
    X, y = data.part(rows)
    interpreter = data.interpreter()
    return len(X), timed(lambda: interpreter.cluster(X, y, iterations=100, batch_size=1024, verbose=False))


def predict(data, rows):
    X, y = data.part(rows)
    interpreter = data.interpreter()
    interpreter.fit(X, y, np.zeros(len(X)), iterations=100, batch_size=1024, verbose=False)
    return len(X), timed(lambda: interpreter.predict(X, y, iterations=100, batch_size=1024, verbose=False))


def sequence(data, rows):
    preprocessor = Preprocessor(10, 86400)
    read = preprocessor.csv if data.path.suffix == ".csv" else preprocessor.text
    return len(data.X), timed(lambda: read(data.path))


jobs = dict(train=train, query=query, latency=latency, forward=forward, cluster=cluster, predict=predict, sequence=sequence)
loaded = {}
print(json.dumps(dict(torch=torch.__version__, python=sys.version.split()[0])), flush=True)
for line in sys.stdin:
    job, name, threads, rows = line.split()
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    if name not in loaded:
        loaded[name] = Data(name)
    count, seconds = jobs[job](loaded[name], int(rows))
    print(json.dumps(dict(count=count, seconds=seconds)), flush=True)
