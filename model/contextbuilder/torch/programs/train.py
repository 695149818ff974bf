"""Learns: a run of batches, forward, back and step, on weights that stay on the device."""
import math

import torch
from torch import Tensor

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
    y = y.unsqueeze(1)
    hit = confidence.gather(1, y).sum(dtype=torch.float64)
    loss = entropy * confidence.size(0) - (1.0 - delta - rest) * hit
    g = confidence.exp().mul_(1.0 - delta + rest * (n - 1))
    if delta > 0.0:
        loss = loss - rest * confidence.sum(dtype=torch.float64)
        g = g.sub_(rest)
    return loss, g.scatter_add_(1, y, torch.full_like(y, -(1.0 - delta - rest), dtype=g.dtype))


def sum_to(rows: Tensor, to: Tensor, like: Tensor) -> Tensor:
    """Rows added up by what each belongs to, in order; like has a row for each of these."""
    return torch.ops.aten.embedding_dense_backward(rows, to, like.size(0), -1, False)


def by_formula(w: Weights, x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, is_lstm: bool) -> Tuple[Tensor, Tensor]:
    """Loss of a batch and its gradient, flat: x [B,L], y [B,S], masks [B,S,H] or empty, teach [S].

    The encoder computes each distinct prefix of the batch's contexts once, forward and back: level i of the trie of contexts has a node
    for each distinct prefix of i+1 events. Gradients of rows that share a node add up, so this is exact."""
    rows, length, steps = x.size(0), x.size(1), y.size(1)
    n, h = w.emb.size(0), w.emb.size(1)
    # forward; of every step what the way back needs
    state = torch.zeros([1, h], device=x.device)  # the root
    cell = state
    node = torch.zeros([rows], dtype=torch.int64, device=x.device)  # of each row
    states, cells = [state], [cell]
    events: List[Tensor] = []  # of the nodes of a level
    parents: List[Tensor] = []  # of nodes; of rows at the first step of the decoder
    products: List[Tensor] = []  # gh; LSTM: tanh of the cell
    gates: List[Tensor] = []
    candidates: List[Tensor] = []  # GRU only
    previous = torch.zeros([rows], dtype=torch.int64, device=x.device)
    inputs: List[Tensor] = []
    embedded: List[Tensor] = []
    attentions: List[Tensor] = []
    combined: List[Tensor] = []
    hiddens: List[Tensor] = []
    confidences: List[Tensor] = []
    same = (x.unsqueeze(2) == x.unsqueeze(1)).to(w.emb.dtype)
    for i in range(length + steps):
        if i < length:
            gh = torch.addmm(w.enc_bhh, state, w.enc_hh.t())
            nodes, node, _ = torch._unique2(node * n + x.select(1, i), True, True, False)
            parent = torch.floor_divide(nodes, n)
            event = nodes - parent * n
            events.append(event)
            gi = w.enc_ih.index_select(0, event).add_(w.enc_bih)
        else:
            gh = torch.addmm(w.dec_bhh, state, w.dec_hh.t())
            e = w.emb.index_select(0, previous)
            if masks.numel() > 0:
                e = e.mul_(masks.select(1, i - length))
            gi = torch.addmm(w.dec_bih, e, w.dec_ih.t())
            inputs.append(previous)
            embedded.append(e)
            parent = node
        if i <= length:
            parents.append(parent)
            gh = gh.index_select(0, parent)
            state = state.index_select(0, parent)
            cell = cell.index_select(0, parent) if is_lstm else cell
        if is_lstm:
            state, cell, gate, t = lstm(gi + gh, cell)
            products.append(t)
            cells.append(cell)
        else:
            state, gate, candidate = gru(gi, gh, state)
            products.append(gh)
            candidates.append(candidate)
        states.append(state)
        gates.append(gate)
        if i >= length:
            attention = torch.softmax(torch.addmm(w.att_b, state, w.att.t()), 1)
            # positions of one event write one sum: a scatter that adds has no order on a GPU
            v = torch.zeros([rows, n], device=x.device).scatter_(1, x, (same * attention.unsqueeze(1)).sum(2))
            hidden = torch.relu(torch.addmm(w.b1, v, w.w1))
            confidence = torch.log_softmax(torch.addmm(w.b2, hidden, w.w2.t()), 1)
            attentions.append(attention)
            combined.append(v)
            hiddens.append(hidden)
            confidences.append(confidence)
            if i + 1 < length + steps:
                s = i - length
                previous = y.select(1, s) if bool(teach[s + 1] != 0) else confidence.argmax(1)

    # back through the decoder's layers, all steps at once
    loss, g = smooth(torch.cat(confidences), y.t().reshape(-1), delta)
    hidden = torch.cat(hiddens)
    d_w2, d_b2 = torch.mm(g.t(), hidden), g.sum(0)
    g = torch.ops.aten.threshold_backward(torch.mm(g, w.w2), hidden, 0.0)
    d_w1, d_b1 = torch.mm(torch.cat(combined).t(), g), g.sum(0)
    attention = torch.cat(attentions)
    g = torch.mm(g, w.w1.t()).gather(1, x.repeat(steps, 1))
    g = torch.ops.aten._softmax_backward_data(g, attention, 1, attention.dtype)
    d_att, d_att_b = torch.mm(g.t(), torch.cat(states[length + 1:])), g.sum(0)
    heads = torch.mm(g, w.att).view(steps, rows, h)

    # back through time
    d = torch.zeros([rows, h], device=x.device)
    dc = d
    backs_h: List[Tensor] = []  # gradients of gh where it was computed, last step first
    backs_i: List[Tensor] = []  # of gi
    for k in range(length + steps):
        i = length + steps - 1 - k
        if i >= length:
            d = d + heads[i - length]
        before, cell_before = states[i], cells[i if is_lstm else 0]
        if i <= length:
            before = before.index_select(0, parents[i])
            cell_before = cell_before.index_select(0, parents[i]) if is_lstm else cell_before
        if is_lstm:
            back, dc = lstm_back(d, dc, gates[i], products[i], cell_before)
            backs_i.append(back)
            if i <= length:
                back = sum_to(back, parents[i], states[i])
                dc = sum_to(dc, parents[i], states[i])
            d = torch.mm(back, w.dec_hh if i >= length else w.enc_hh)
        else:
            back, tail, rest = gru_back(d, gates[i], candidates[i], products[i], before)
            backs_i.append(torch.cat([back.narrow(1, 0, 2 * h), tail], 1))
            if i <= length:
                back = sum_to(back, parents[i], states[i])
                rest = sum_to(rest, parents[i], states[i])
            d = torch.addmm(rest, back, w.dec_hh if i >= length else w.enc_hh)
        backs_h.append(back)
    backs_h.reverse()
    backs_i.reverse()

    dec_h, dec_i = torch.cat(backs_h[length:]), torch.cat(backs_i[length:])
    enc_h, enc_i = torch.cat(backs_h[:length]), torch.cat(backs_i[:length])
    d_e = torch.mm(dec_i, w.dec_ih)
    if masks.numel() > 0:
        d_e = d_e.mul_(masks.transpose(0, 1).reshape(-1, h))
    gradients = [
        sum_to(d_e, torch.cat(inputs), w.emb),
        sum_to(enc_i, torch.cat(events), w.enc_ih), torch.mm(enc_h.t(), torch.cat(states[:length])), enc_i.sum(0), enc_h.sum(0),
        torch.mm(dec_i.t(), torch.cat(embedded)), torch.mm(dec_h.t(), torch.cat(states[length:length + steps])), dec_i.sum(0), dec_h.sum(0),
        d_att, d_att_b, d_w1, d_b1, d_w2, d_b2,
    ]
    return loss, torch.cat([t.reshape(-1) for t in gradients])


def by_library(
    views: List[Tensor], x: Tensor, y: Tensor, masks: Tensor, teach: Tensor, delta: float, is_lstm: bool
) -> Tuple[Tensor, Tensor]:
    """The same with libtorch's own recurrent layers (cuDNN's on a GPU) and automatic gradients: far fewer and larger kernels."""
    rows, length, steps = x.size(0), x.size(1), y.size(1)
    n, h = views[0].size(0), views[0].size(1)
    leaves = [t.detach().requires_grad_() for t in views]
    p = named(leaves)
    onehot = torch.zeros([length, rows, n], device=x.device).scatter_(2, x.t().unsqueeze(2), 1.0)
    state = torch.zeros([1, rows, h], device=x.device)
    cell = state
    previous = torch.zeros([rows], dtype=torch.int64, device=x.device)
    encoder = [p.enc_ih.t(), p.enc_hh, p.enc_bih, p.enc_bhh]
    decoder = [p.dec_ih, p.dec_hh, p.dec_bih, p.dec_bhh]
    confidences: List[Tensor] = []
    if is_lstm:
        _, state, cell = torch.lstm(onehot, [state, cell], encoder, True, 1, 0.0, True, False, False)
    else:
        _, state = torch.gru(onehot, state, encoder, True, 1, 0.0, True, False, False)
    for s in range(steps):
        e = torch.embedding(p.emb, previous)
        if masks.numel() > 0:
            e = e * masks.select(1, s)
        if is_lstm:
            _, state, cell = torch.lstm(e.unsqueeze(0), [state, cell], decoder, True, 1, 0.0, True, False, False)
        else:
            _, state = torch.gru(e.unsqueeze(0), state, decoder, True, 1, 0.0, True, False, False)
        attention = torch.softmax(torch.addmm(p.att_b, state[0], p.att.t()), 1)
        v = torch.bmm(attention.unsqueeze(1), onehot.transpose(0, 1)).squeeze(1)
        hidden = torch.relu(torch.addmm(p.b1, v, p.w1))
        logits = torch.addmm(p.b2, hidden, p.w2.t())
        confidences.append(logits)
        if s + 1 < steps:
            previous = y.select(1, s) if bool(teach[s + 1] != 0) else logits.detach().argmax(1)
    logits = torch.cat(confidences)
    loss, g = smooth(torch.log_softmax(logits.detach(), 1), y.t().reshape(-1), delta)
    out: List[Optional[Tensor]] = [g]
    gradients = torch.autograd.grad([logits], leaves, out)
    flat: List[Tensor] = []
    for t in gradients:
        assert t is not None
        flat.append(t.reshape(-1))
    return loss, torch.cat(flat)


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
        views = split(weights, n, l, h, (4 if is_lstm else 3) * h)
        w = named(views)
        masks = torch.empty([batches, 0, 0, 0], device=state.device)
        if dropout > 0.0:
            masks = keep(seed, number * size * steps * h, [batches, size, steps, h], dropout, weights)
        for b in range(batches):
            at = (first + b) * size
            rows = order.narrow(0, at, min(size, order.size(0) - at))
            xb = x.index_select(0, rows).long()
            yb = y.index_select(0, rows).long()
            mask = masks[b]
            if dropout > 0.0:
                mask = mask.narrow(0, 0, rows.size(0))
            if library:
                loss, g = by_library(views, xb, yb, mask, teach[b], delta, is_lstm)
            else:
                loss, g = by_formula(w, xb, yb, mask, teach[b], delta, is_lstm)
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
