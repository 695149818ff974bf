"""Predicts: log confidence and attention for a block of contexts."""
import torch
from torch import Tensor

from network import *


class Forward(torch.nn.Module):
    def forward(self, flat: Tensor, x: Tensor, ints: Tensor) -> Tensor:
        """flat: weights. x: contexts [B,L] int32. ints: shape, S, events: N without those that fill it
        up. Gives log confidence [B,S,events], then attention [B,S,L]."""
        shape, steps, events = shape_of(ints), int(ints[6]), int(ints[7])
        with torch.no_grad():
            w = named(flat, shape)
            x = x.to(flat.device).long()
            columns = w.w1.index_select(0, x.reshape(-1)).view(-1, shape.l, shape.n)
            states, cells = encode(w, x, shape)
            previous = torch.zeros([x.size(0)], dtype=torch.int64, device=x.device)
            confidences: List[Tensor] = []
            attentions: List[Tensor] = []
            for s in range(steps):
                attention = decode(w, previous, states, cells, shape)
                hidden = torch.relu(attended(w, columns, attention))
                confidence = torch.log_softmax(torch.addmm(w.b2, hidden, w.w2.t()), 1)
                previous = confidence.argmax(1)
                confidences.append(confidence.narrow(1, 0, events))
                attentions.append(attention)
            return torch.cat([torch.stack(confidences, 1).view(-1), torch.stack(attentions, 1).view(-1)]).cpu()
