"""Learns: a run of batches, forward, back and step, on weights that stay on the device."""
import math

import torch
from torch import Tensor

from encoder import *
from network import *


def keep(seed: int, first: int, shape: List[int], dropout: float, like: Tensor) -> Tensor:
    """Dropout's factors, 0 or 1/(1−dropout), for the numbers from `first` on. A hash of seed and number and no generator: what a
    batch draws depends on nothing that ran before it. (The mixing is that of splitmix64, Steele et al., OOPSLA 2014.)"""
    count = 1
    for d in shape:
        count *= d
    z = torch.arange(first, first + count, dtype=torch.int64, device=like.device)
    z = z.mul_(-7046029254386353131).add_(seed)
    z = z.bitwise_xor_(z.bitwise_right_shift(30).bitwise_and_(0x3FFFFFFFF)).mul_(-4658895280553007687)
    z = z.bitwise_xor_(z.bitwise_right_shift(27).bitwise_and_(0x1FFFFFFFFF)).mul_(-7723592293110705685)
    z = z.bitwise_right_shift_(40).bitwise_and_(0xFFFFFF)  # 24 bits that are as good as random
    return (z >= int(dropout * (1 << 24))).to(like.dtype).mul_(1.0 / (1.0 - dropout)).view(shape)


def smooth(confidence: Tensor, y: Tensor, delta: float) -> Tuple[Tensor, Tensor]:
    """Label smoothing: its loss, summed, from log confidences [B,N] and events y [B], and the gradient at the logits [B,N]."""
    n = confidence.size(1)
    rest = delta / (n - 2)
    entropy = (1.0 - delta) * math.log(1.0 - delta)
    if delta > 0.0:
        entropy += (n - 1) * rest * math.log(rest)
    target = torch.full_like(confidence, rest).scatter_(1, y.unsqueeze(1), 1.0 - delta)
    loss = entropy * confidence.size(0) - (target * confidence).sum(dtype=torch.float64)
    return loss, confidence.exp().mul_(1.0 - delta + rest * (n - 1)).sub_(target)


def lists(count: int) -> List[List[Tensor]]:
    """So many empty lists."""
    found: List[List[Tensor]] = []
    for _ in range(count):
        found.append([])
    return found


def decoder(
    w: Weights, state: List[Tensor], cell: List[Tensor], x: Tensor, onehot: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float,
    shape: Shape,
) -> Tuple[Tensor, List[Tensor], List[Tensor], List[Tensor]]:
    """Loss of a batch, and its gradients, of states and cells [B,H] after contexts x [B,L], and of the weights that are not the encoder's.
    onehot: x as [L,B,N], or empty. y [B,S], masks [B,S,H] or empty, teach [S]."""
    rows, steps = y.size(0), y.size(1)
    n, h, directions = shape.n, shape.h, shape.directions
    # forward; of every step what the way back needs, by recurrent cell or by layer and then by step
    states: List[List[Tensor]] = [[t] for t in state]
    cells: List[List[Tensor]] = [[t] for t in cell]
    gates = lists(len(state))
    candidates = lists(len(state))  # GRU only
    products = lists(len(state))  # gh; LSTM: tanh of the cell
    belows = lists(shape.layers)  # what each layer takes
    inputs: List[Tensor] = []
    tops: List[Tensor] = []
    attentions: List[Tensor] = []
    combined: List[Tensor] = []
    hiddens: List[Tensor] = []
    confidences: List[Tensor] = []
    previous = torch.zeros([rows], dtype=torch.int64, device=x.device)
    for s in range(steps):
        below = w.emb.index_select(0, previous)
        if masks.numel() > 0:
            below = below.mul_(masks.select(1, s))
        for layer in range(shape.layers):
            belows[layer].append(below)
            for k in range(layer * directions, (layer + 1) * directions):
                c = w.dec[k]
                gi = torch.addmm(c.bih, below, c.ih.t())
                gh = torch.addmm(c.bhh, states[k][s], c.hh.t())
                if shape.lstm:
                    new, new_cell, gate, t = lstm(gi + gh, cells[k][s])
                    cells[k].append(new_cell)
                    products[k].append(t)
                else:
                    new, gate, candidate = gru(gi, gh, states[k][s])
                    products[k].append(gh)
                    candidates[k].append(candidate)
                states[k].append(new)
                gates[k].append(gate)
            below = joined([t[s + 1] for t in states[layer * directions : (layer + 1) * directions]], 1)
        attention = torch.softmax(torch.addmm(w.att_b, below, w.att.t()), 1)
        if onehot.numel() > 0:
            v = torch.bmm(attention.unsqueeze(1), onehot.transpose(0, 1)).squeeze(1)
        else:  # positions of one event write one sum
            same = (x.unsqueeze(2) == x.unsqueeze(1)).to(attention.dtype)
            v = torch.zeros([rows, n], device=x.device).scatter_(1, x, (same * attention.unsqueeze(1)).sum(2))
        hidden = torch.relu(torch.addmm(w.b1, v, w.w1))
        confidence = torch.log_softmax(torch.addmm(w.b2, hidden, w.w2.t()), 1)
        inputs.append(previous)
        tops.append(below)
        attentions.append(attention)
        combined.append(v)
        hiddens.append(hidden)
        confidences.append(confidence)
        if s + 1 < steps:
            previous = y.select(1, s) if bool(teach[s + 1] != 0) else confidence.argmax(1)

    # back through the linear layers, all steps at once
    loss, g = smooth(joined(confidences), y.t().reshape(-1), delta)
    hidden = joined(hiddens)
    d_w2, d_b2 = torch.mm(g.t(), hidden), g.sum(0)
    g = torch.ops.aten.threshold_backward(torch.mm(g, w.w2), hidden, 0.0)
    d_w1, d_b1 = torch.mm(joined(combined).t(), g), g.sum(0)
    attention = joined(attentions)
    g = torch.mm(g, w.w1.t()).gather(1, joined([x] * steps))
    g = torch.ops.aten._softmax_backward_data(g, attention, 1, attention.dtype)
    d_att, d_att_b = torch.mm(g.t(), joined(tops)), g.sum(0)
    heads = torch.mm(g, w.att).view(steps, rows, -1)

    # back through time, and through the recurrent layers
    ds = [t for t in state]  # gradients of states and cells, of the step after the one at hand and then of the one before it
    dcs = [torch.zeros_like(t) for t in cell] if shape.lstm else cell
    backs_h = lists(len(state))  # gradients of gh, last step first
    backs_i = lists(len(state))  # of gi
    for r in range(steps):
        s = steps - 1 - r
        above = heads[s]
        for j in range(shape.layers):
            layer = shape.layers - 1 - j
            first = layer * directions
            for k in range(first, first + directions):
                c = w.dec[k]
                d = above.narrow(1, (k - first) * h, h)
                if r > 0:
                    d = d + ds[k]
                if shape.lstm:
                    back, dcs[k] = lstm_back(d, dcs[k], gates[k][s], products[k][s], cells[k][s])
                    backs_i[k].append(back)
                    ds[k] = torch.mm(back, c.hh)
                else:
                    back, tail, rest = gru_back(d, gates[k][s], candidates[k][s], products[k][s], states[k][s])
                    backs_i[k].append(torch.cat([back.narrow(1, 0, 2 * h), tail], 1))
                    ds[k] = torch.addmm(rest, back, c.hh)
                backs_h[k].append(back)
            if layer > 0:
                above = torch.mm(backs_i[first][r], w.dec[first].ih)
                if directions == 2:
                    above = torch.addmm(above, backs_i[first + 1][r], w.dec[first + 1].ih)
    gradients: List[Tensor] = []
    d_es: List[Tensor] = []  # of the embedded inputs, from each direction
    for k, c in enumerate(w.dec):
        backs_h[k].reverse()
        backs_i[k].reverse()
        gi, gh = joined(backs_i[k]), joined(backs_h[k])
        gradients += [torch.mm(gi.t(), joined(belows[k // directions])), torch.mm(gh.t(), joined(states[k][:steps])), gi.sum(0), gh.sum(0)]
        if k < directions:
            d_es.append(torch.mm(gi, c.ih))
    d_e = d_es[0] if directions == 1 else d_es[0] + d_es[1]
    if masks.numel() > 0:
        d_e = d_e.mul_(masks.transpose(0, 1).reshape(-1, h))
    return loss, ds, dcs, [sum_to(d_e, joined(inputs), w.emb)] + gradients + [d_att, d_att_b, d_w1, d_b1, d_w2, d_b2]


def flat(encoder: List[Tensor], rest: List[Tensor]) -> Tensor:
    """Gradients as one vector, at the places of the weights."""
    zeros = torch.zeros([16], device=rest[0].device)
    parts: List[Tensor] = []
    for t in rest[:1] + encoder + rest[1:]:
        parts.append(t.reshape(-1))
        parts.append(zeros.narrow(0, 0, gap(t.numel())))
    return torch.cat(parts)


def by_distinct(w: Weights, x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, shape: Shape) -> Tuple[Tensor, Tensor]:
    """Loss of a batch and its gradient."""
    state, cell, trie = encode_distinct(w, x, shape.lstm)
    loss, d, dc, rest = decoder(w, [state], [cell], x, torch.empty([0], device=x.device), y, masks, teach, delta, shape)
    return loss, flat(encode_distinct_back(w, trie, d[0], dc[0], shape.lstm), rest)


def by_library(
    w: Weights, x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, shape: Shape, most: int
) -> Tuple[Tensor, Tensor]:
    """The same with libtorch's own recurrent layers, which take so many rows at once."""
    onehot = x
    runs: List[Tuple[Tensor, Tensor, List[Tensor]]] = []
    for part in x.split(most):
        onehot = torch.zeros([part.size(1), part.size(0), shape.n], device=x.device).scatter_(2, part.t().unsqueeze(2), 1.0)
        runs.append(encode_library(w, onehot, shape))
    if len(runs) > 1:
        onehot = torch.empty([0], device=x.device)
    states = joined([run[0].detach() for run in runs], 1).unbind(0)
    cells = joined([run[1].detach() for run in runs], 1).unbind(0)
    loss, d, dc, rest = decoder(w, states, cells, x, onehot, y, masks, teach, delta, shape)
    found: List[Tensor] = []
    at = 0
    for state, cell, parameters in runs:
        rows = state.size(1)
        part = encode_library_back(state, cell, parameters, [t.narrow(0, at, rows) for t in d], [t.narrow(0, at, rows) for t in dc], shape)
        found = part if at == 0 else [g + more for g, more in zip(found, part)]
        at += rows
    return loss, flat(found, rest)


class Train(torch.nn.Module):
    def forward(
        self, state: Tensor, x: Tensor, y: Tensor, order: Tensor, teach: Tensor, rates: Tensor, ints: Tensor, floats: Tensor
    ) -> Tensor:
        """Changes state and gives the loss of each batch [batches] float64, summed over its rows and steps.

        state: weights [1,·], with Adam [3,·]: weights and both moments. x: all contexts [n,L] int32, y: all events [n,S] int32,
        order: of the epoch [n] int32, all on the device. teach: [batches,S], whether the true event is a step's input.
        rates: [batches,2] float64, learning rate and √(1−β2^step), both Adam's bias corrections included in them.
        ints: shape, batch size, first batch of this call, its number since training began, seed, rows that
        libtorch's recurrent layers take at once, or 0 for encode_distinct.
        floats: dropout, δ, β1, β2, ε."""
        shape, size, first, number, seed, library = shape_of(ints), int(ints[6]), int(ints[7]), int(ints[8]), int(ints[9]), int(ints[10])
        dropout, delta, beta1, beta2, epsilon = float(floats[0]), float(floats[1]), float(floats[2]), float(floats[3]), float(floats[4])
        batches, steps = teach.size(0), teach.size(1)
        losses: List[Tensor] = []
        weights = state[0]
        w = named(weights, shape)
        masks = torch.empty([batches, 0, 0, 0], device=state.device)
        if dropout > 0.0:
            masks = keep(seed, number * size * steps * shape.h, [batches, size, steps, shape.h], dropout, weights)
        rows = order.narrow(0, first * size, min(batches * size, order.size(0) - first * size))
        x, y = x.index_select(0, rows).long(), y.index_select(0, rows).long()
        for b in range(batches):
            count = min(size, rows.size(0) - b * size)
            xb, yb = x.narrow(0, b * size, count), y.narrow(0, b * size, count)
            mask = masks[b]
            if dropout > 0.0:
                mask = mask.narrow(0, 0, count)
            if library > 0:
                loss, g = by_library(w, xb, yb, mask, teach[b], delta, shape, library)
            else:
                loss, g = by_distinct(w, xb, yb, mask, teach[b], delta, shape)
            losses.append(loss)
            rate = float(rates[b, 0])
            if state.size(0) == 1:
                weights.add_(g, alpha=-rate)
            else:  # Adam (Kingma and Ba, ICLR 2015, algorithm 1)
                m, v = state[1], state[2]
                m.lerp_(g, 1.0 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1.0 - beta2)
                weights.addcdiv_(m, v.sqrt().div_(float(rates[b, 1])).add_(epsilon), value=-rate)
        return torch.stack(losses).cpu()
