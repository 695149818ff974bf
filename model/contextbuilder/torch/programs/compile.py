"""Compiles the programs: python compile.py [FOLDER]. Each .pt holds the hash of the sources that it was made of (file extra/sources).

Compiled with torch 2.1, they load in libtorch 2.1 and later.
"""
import hashlib
import pathlib
import sys

import torch

from forward import Forward
from query import Query
from train import Train

here = pathlib.Path(__file__).parent
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
sources = hashlib.sha256(b"".join((here / f"{name}.py").read_bytes() for name in ("network", "encoder", "forward", "query", "train")))
for name, program in (("forward", Forward()), ("query", Query()), ("train", Train())):
    torch.jit.script(program).save(str(folder / f"{name}.pt"), _extra_files={"sources": sources.hexdigest()})
