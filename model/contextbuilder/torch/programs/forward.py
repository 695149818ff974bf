"""Predicts: log confidence and attention for a block of contexts."""
import torch
from torch import Tensor

from network import *


class Forward(torch.nn.Module):
    def forward(self, flat: Tensor, x: Tensor, ints: Tensor) -> Tensor:
        """flat: weights. x: contexts [B,L] int32. ints: N, L, H, LSTM, S, events: N without
        those that fill it up. Gives log confidence [B,S,events], then attention [B,S,L]."""
        n, l, h, steps, events = int(ints[0]), int(ints[1]), int(ints[2]), int(ints[4]), int(ints[5])
        is_lstm = bool(ints[3] != 0)
        with torch.no_grad():
            w = named(split(flat, n, l, h, (4 if is_lstm else 3) * h))
            x = x.to(flat.device).long()
            columns = w.w1.index_select(0, x.reshape(-1)).view(-1, l, n)
            state, cell = encode(w, x, h, is_lstm)
            previous = torch.zeros([x.size(0)], dtype=torch.int64, device=x.device)
            confidences: List[Tensor] = []
            attentions: List[Tensor] = []
            for s in range(steps):
                attention, state, cell = decode(w, previous, state, cell, is_lstm)
                hidden = torch.relu(attended(w, columns, attention))
                confidence = torch.log_softmax(torch.addmm(w.b2, hidden, w.w2.t()), 1)
                previous = confidence.argmax(1)
                confidences.append(confidence.narrow(1, 0, events))
                attentions.append(attention)
            return torch.cat([torch.stack(confidences, 1).view(-1), torch.stack(attentions, 1).view(-1)]).cpu()
