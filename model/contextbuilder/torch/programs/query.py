"""The attention query (paper, section III-C): the attention under which the network would have predicted each sample's event."""
import math

import torch
from torch import Tensor

from network import *


def confidence(w: Weights, columns: Tensor, attention: Tensor) -> Tensor:
    """Confidence in every event [B,N] under an attention."""
    return torch.softmax(torch.addmm(w.b2, torch.relu(attended(w, columns, attention)), w.w2.t()), 1)


class Query(torch.nn.Module):
    def forward(self, flat: Tensor, x: Tensor, y: Tensor, ints: Tensor) -> Tensor:
        """flat: weights. x: contexts [B,L] int32. y: events [B] int32. ints: shape, iterations, batch size, events: N without
        those that fill it up, or 0. Gives attention [B,L], confidence before [B] and after [B], and in every event [B,events]."""
        shape, iterations, batch = shape_of(ints), int(ints[6]), int(ints[7])
        with torch.no_grad():
            w = named(flat, shape)
            x = x.to(flat.device).long()
            y = y.to(flat.device).long().unsqueeze(1)
            columns = w.w1.index_select(0, x.reshape(-1)).view(-1, shape.l, shape.n)
            states, cells = encode(w, x, shape)
            first = decode(w, torch.zeros([x.size(0)], dtype=torch.int64, device=x.device), states, cells, shape)
            confidence_first = confidence(w, columns, first)

            theta = first.clone()
            m = torch.zeros_like(theta)
            v = torch.zeros_like(theta)
            target = torch.zeros([x.size(0), shape.n], device=x.device).scatter_(1, y, 1.0)
            b1, b2 = 1.0, 1.0  # powers of β
            for k in range(iterations):
                a = theta if k == 0 else torch.softmax(theta, 1)
                # ∇ −log confidence_y is confidence − target at the logits
                pre = attended(w, columns, a)
                g = torch.softmax(torch.addmm(w.b2, torch.relu(pre), w.w2.t()), 1).sub_(target)
                g = torch.ops.aten.threshold_backward(torch.mm(g, w.w2), pre, 0.0)
                g = torch.bmm(columns, g.unsqueeze(2)).squeeze(2)
                if k > 0:
                    g = torch.ops.aten._softmax_backward_data(g, a, 1, a.dtype)
                g = g.div_(batch)
                b1, b2 = b1 * 0.9, b2 * 0.999
                m = m.lerp_(g, 0.1)
                v = v.mul_(0.999).addcmul_(g, g, value=0.001)
                theta = theta.addcdiv_(m, v.sqrt().div_(math.sqrt(1.0 - b2)).add_(1e-8), value=-0.1 / (1.0 - b1))

            found = torch.softmax(theta, 1)
            confidence_found = confidence(w, columns, found)
            before = confidence_first.gather(1, y)
            # A context of one distinct event has one confidence, whatever the attention: better is a rounding accident there.
            better = (confidence_found.gather(1, y) > before) & (x != x.narrow(1, 0, 1)).any(1, True)
            kept = torch.where(better, confidence_found, confidence_first)
            out = [torch.where(better, found, first).view(-1), before.view(-1), kept.gather(1, y).view(-1)]
            return torch.cat(out + [kept.narrow(1, 0, int(ints[8])).reshape(-1)]).cpu()
