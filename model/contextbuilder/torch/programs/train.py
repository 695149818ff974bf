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


def joined(parts: List[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def decoder(
    w: Weights, state: Tensor, cell: Tensor, x: Tensor, onehot: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, is_lstm: bool
) -> Tuple[Tensor, Tensor, Tensor, List[Tensor]]:
    """Loss of a batch, and its gradients, of state and cell [B,H] after contexts x [B,L], and of the weights that are not the encoder's.
    onehot: x as [L,B,N], or empty. y [B,S], masks [B,S,H] or empty, teach [S]."""
    rows, steps = y.size(0), y.size(1)
    n, h = w.emb.size(0), w.emb.size(1)
    # forward; of every step what the way back needs
    states, cells = [state], [cell]
    gates: List[Tensor] = []
    candidates: List[Tensor] = []  # GRU only
    products: List[Tensor] = []  # gh; LSTM: tanh of the cell
    inputs: List[Tensor] = []
    embedded: List[Tensor] = []
    attentions: List[Tensor] = []
    combined: List[Tensor] = []
    hiddens: List[Tensor] = []
    confidences: List[Tensor] = []
    previous = torch.zeros([rows], dtype=torch.int64, device=x.device)
    for s in range(steps):
        e = w.emb.index_select(0, previous)
        if masks.numel() > 0:
            e = e.mul_(masks.select(1, s))
        gi = torch.addmm(w.dec_bih, e, w.dec_ih.t())
        gh = torch.addmm(w.dec_bhh, state, w.dec_hh.t())
        if is_lstm:
            state, cell, gate, t = lstm(gi + gh, cell)
            products.append(t)
        else:
            state, gate, candidate = gru(gi, gh, state)
            products.append(gh)
            candidates.append(candidate)
        attention = torch.softmax(torch.addmm(w.att_b, state, w.att.t()), 1)
        if onehot.numel() > 0:
            v = torch.bmm(attention.unsqueeze(1), onehot.transpose(0, 1)).squeeze(1)
        else:  # positions of one event write one sum
            same = (x.unsqueeze(2) == x.unsqueeze(1)).to(attention.dtype)
            v = torch.zeros([rows, n], device=x.device).scatter_(1, x, (same * attention.unsqueeze(1)).sum(2))
        hidden = torch.relu(torch.addmm(w.b1, v, w.w1))
        confidence = torch.log_softmax(torch.addmm(w.b2, hidden, w.w2.t()), 1)
        states.append(state)
        cells.append(cell)
        gates.append(gate)
        inputs.append(previous)
        embedded.append(e)
        attentions.append(attention)
        combined.append(v)
        hiddens.append(hidden)
        confidences.append(confidence)
        if s + 1 < steps:
            previous = y.select(1, s) if bool(teach[s + 1] != 0) else confidence.argmax(1)

    # back through the layers, all steps at once
    loss, g = smooth(joined(confidences), y.t().reshape(-1), delta)
    hidden = joined(hiddens)
    d_w2, d_b2 = torch.mm(g.t(), hidden), g.sum(0)
    g = torch.ops.aten.threshold_backward(torch.mm(g, w.w2), hidden, 0.0)
    d_w1, d_b1 = torch.mm(joined(combined).t(), g), g.sum(0)
    attention = joined(attentions)
    g = torch.mm(g, w.w1.t()).gather(1, joined([x] * steps))
    g = torch.ops.aten._softmax_backward_data(g, attention, 1, attention.dtype)
    d_att, d_att_b = torch.mm(g.t(), joined(states[1:])), g.sum(0)
    heads = torch.mm(g, w.att).view(steps, rows, h)

    # back through time
    d, dc = heads[steps - 1], torch.zeros_like(cell) if is_lstm else cell
    backs_h: List[Tensor] = []  # gradients of gh, last step first
    backs_i: List[Tensor] = []  # of gi
    for k in range(steps):
        s = steps - 1 - k
        if is_lstm:
            back, dc = lstm_back(d, dc, gates[s], products[s], cells[s])
            backs_i.append(back)
            d = torch.mm(back, w.dec_hh)
        else:
            back, tail, rest = gru_back(d, gates[s], candidates[s], products[s], states[s])
            backs_i.append(torch.cat([back.narrow(1, 0, 2 * h), tail], 1))
            d = torch.addmm(rest, back, w.dec_hh)
        backs_h.append(back)
        if s > 0:
            d = d + heads[s - 1]
    backs_h.reverse()
    backs_i.reverse()
    gi, gh = joined(backs_i), joined(backs_h)
    d_e = torch.mm(gi, w.dec_ih)
    if masks.numel() > 0:
        d_e = d_e.mul_(masks.transpose(0, 1).reshape(-1, h))
    return loss, d, dc, [
        sum_to(d_e, joined(inputs), w.emb), torch.mm(gi.t(), joined(embedded)), torch.mm(gh.t(), joined(states[:steps])), gi.sum(0), gh.sum(0),
        d_att, d_att_b, d_w1, d_b1, d_w2, d_b2,
    ]


def flat(encoder: List[Tensor], rest: List[Tensor]) -> Tensor:
    """Gradients as one vector, at the places of the weights."""
    zeros = torch.zeros([16], device=rest[0].device)
    parts: List[Tensor] = []
    for t in rest[:1] + encoder + rest[1:]:
        parts.append(t.reshape(-1))
        parts.append(zeros.narrow(0, 0, gap(t.numel())))
    return torch.cat(parts)


def by_distinct(w: Weights, x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, is_lstm: bool) -> Tuple[Tensor, Tensor]:
    """Loss of a batch and its gradient."""
    state, cell, trie = encode_distinct(w, x, is_lstm)
    loss, d, dc, rest = decoder(w, state, cell, x, torch.empty([0], device=x.device), y, masks, teach, delta, is_lstm)
    return loss, flat(encode_distinct_back(w, trie, d, dc, is_lstm), rest)


def by_library(w: Weights, x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, is_lstm: bool) -> Tuple[Tensor, Tensor]:
    """The same with libtorch's own recurrent layers."""
    onehot = torch.zeros([x.size(1), x.size(0), w.emb.size(0)], device=x.device).scatter_(2, x.t().unsqueeze(2), 1.0)
    state, cell, parameters = encode_library(w, onehot, is_lstm)
    loss, d, dc, rest = decoder(w, state.detach()[0], cell.detach()[0], x, onehot, y, masks, teach, delta, is_lstm)
    return loss, flat(encode_library_back(state, cell, parameters, d, dc, is_lstm), rest)


class Train(torch.nn.Module):
    def forward(
        self, state: Tensor, x: Tensor, y: Tensor, order: Tensor, teach: Tensor, rates: Tensor, ints: Tensor, floats: Tensor
    ) -> Tensor:
        """Changes state and gives the loss of each batch [batches] float64, summed over its rows and steps.

        state: weights [1,·], with Adam [3,·]: weights and both moments. x: all contexts [n,L] int32, y: all events [n,S] int32,
        order: of the epoch [n] int32, all on the device. teach: [batches,S], whether the true event is a step's input.
        rates: [batches,2] float64, learning rate and √(1−β2^step), both Adam's bias corrections included in them.
        ints: N, L, H, LSTM, batch size, first batch of this call, its number since training began, seed, library.
        floats: dropout, δ, β1, β2, ε."""
        n, l, h, size, first, number = int(ints[0]), int(ints[1]), int(ints[2]), int(ints[4]), int(ints[5]), int(ints[6])
        is_lstm, seed, library = bool(ints[3] != 0), int(ints[7]), bool(ints[8] != 0)
        dropout, delta, beta1, beta2, epsilon = float(floats[0]), float(floats[1]), float(floats[2]), float(floats[3]), float(floats[4])
        batches, steps = teach.size(0), teach.size(1)
        losses: List[Tensor] = []
        weights = state[0]
        w = named(split(weights, n, l, h, (4 if is_lstm else 3) * h))
        masks = torch.empty([batches, 0, 0, 0], device=state.device)
        if dropout > 0.0:
            masks = keep(seed, number * size * steps * h, [batches, size, steps, h], dropout, weights)
        rows = order.narrow(0, first * size, min(batches * size, order.size(0) - first * size))
        x, y = x.index_select(0, rows).long(), y.index_select(0, rows).long()
        for b in range(batches):
            count = min(size, rows.size(0) - b * size)
            xb, yb = x.narrow(0, b * size, count), y.narrow(0, b * size, count)
            mask = masks[b]
            if dropout > 0.0:
                mask = mask.narrow(0, 0, count)
            if library:
                loss, g = by_library(w, xb, yb, mask, teach[b], delta, is_lstm)
            else:
                loss, g = by_distinct(w, xb, yb, mask, teach[b], delta, is_lstm)
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
