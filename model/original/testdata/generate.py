"""Writes the files beside this one with the original (deepcase 1.0.1) and torch 2.1.0; reference.safetensors holds the weights of
gru.pt and flat.pt under gru.*, those of lstm.pt under lstm.*, and so on. The original cannot run layers.pt, because of its attention layer;
stack.pt has the one that it needs."""
import json
import struct

import torch
from deepcase.context_builder import ContextBuilder

torch.manual_seed(3)


def builder(**options):
    return ContextBuilder(input_size=7, output_size=7, hidden_size=4, max_length=3, **options)


gru, lstm = builder(), builder(LSTM=True)
gru.save("gru.pt")
lstm.save("lstm.pt")
bidirectional = builder(bidirectional=True)
bidirectional.save("bidirectional.pt")
builder(num_layers=2).save("layers.pt")
stack = builder(num_layers=2, bidirectional=True, LSTM=True)
stack.decoder_attention.attn = torch.nn.Linear(2 * 4, 3)
stack.save("stack.pt")

header, data = {}, b""
for name, saved in {"gru": gru, "lstm": lstm, "bidirectional": bidirectional, "stack": stack}.items():
    for key, value in saved.state_dict().items():
        content = value.numpy().tobytes()
        header[f"{name}.{key}"] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
with open("reference.safetensors", "wb") as f:
    encoded = json.dumps(header).encode()
    f.write(struct.pack("<Q", len(encoded)) + encoded + data)

torch.save(gru, "module.pt")
torch.save({"state_dict": gru.state_dict()}, "checkpoint.pt")
torch.save(gru.state_dict(), "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(gru.state_dict(), "protocol4.pt", pickle_protocol=4)
torch.jit.script(torch.nn.Linear(2, 2)).save("script.pt")

state = gru.state_dict()
transposed = type(state)(state)
transposed["decoder_event.out.weight"] = state["decoder_event.out.weight"].t()
torch.save(transposed, "transposed.pt")

# A GPU lays the weights of a recurrent layer out in one storage.
flat = torch.cat([p.data.flatten() for p in gru.encoder.recurrent.parameters()])
at = 0
for p in gru.encoder.recurrent.parameters():
    p.data = flat[at:at + p.numel()].view(p.shape)
    at += p.numel()
gru.save("flat.pt")

torch.save(gru.double().state_dict(), "double.pt")
