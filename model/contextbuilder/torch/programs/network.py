"""The network of the Context Builder (van Ede et al., IEEE S&P 2022, section III-B), for the programs beside this file.

Weights are one flat vector, in the order of the original's state_dict and in its layout, each at a multiple of 16, except that two
matrices are transposed so that an event selects a row: encoder.recurrent.weight_ih_l0 as [N,G] and decoder_event.hidden.weight as [N,N] by input. G is 3H (GRU,
gates r, z, n) or 4H (LSTM, gates i, f, g, o). Names: B rows, N events, L positions, H hidden units, S steps, D directions.

Lists of cells, and of their states, go layer by layer, each forward and then, in a bidirectional network, backward: cell k is of layer
k // D and direction k % D. The decoder's input is one event, so that both of its directions see the same.
"""
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor


class Shape(NamedTuple):
    n: int
    l: int
    h: int
    lstm: bool
    layers: int
    directions: int


def shape_of(ints: Tensor) -> Shape:
    """From the numbers that every program's ints begin with: N, L, H, LSTM, layers, D."""
    return Shape(int(ints[0]), int(ints[1]), int(ints[2]), bool(ints[3] != 0), int(ints[4]), int(ints[5]))


class Cell(NamedTuple):
    """A recurrent layer in one direction. I is N in the encoder's first layer, H in the decoder's, and D·H in the layers above."""

    ih: Tensor  # G×I; N×G in the encoder's first layer
    hh: Tensor  # G×H
    bih: Tensor  # G
    bhh: Tensor  # G


class Weights(NamedTuple):
    emb: Tensor  # N×H
    enc: List[Cell]
    dec: List[Cell]
    att: Tensor  # L×DH
    att_b: Tensor  # L
    w1: Tensor  # N×N, by input
    b1: Tensor  # N
    w2: Tensor  # N×N
    b2: Tensor  # N


def gap(size: int) -> int:
    """Numbers between a tensor of some size and the next one: products want both to begin at a multiple of 16, on a GPU as well."""
    return (16 - size % 16) % 16


def named(flat: Tensor, s: Shape) -> Weights:
    """Views of the weights in a flat vector."""
    g = (4 if s.lstm else 3) * s.h
    shapes = [[s.n, s.h]]
    for first in [[s.n, g], [g, s.h]]:
        for k in range(s.layers * s.directions):
            shapes += [first if k < s.directions else [g, s.directions * s.h], [g, s.h], [g], [g]]
    shapes += [[s.l, s.directions * s.h], [s.l], [s.n, s.n], [s.n], [s.n, s.n], [s.n]]
    views: List[Tensor] = []
    at = 0
    for shape in shapes:
        size = 1
        for d in shape:
            size *= d
        views.append(flat.narrow(0, at, size).view(shape))
        at += size + gap(size)
    enc: List[Cell] = []
    dec: List[Cell] = []
    at = 1
    for cells in [enc, dec]:
        for _ in range(s.layers * s.directions):
            cells.append(Cell(views[at], views[at + 1], views[at + 2], views[at + 3]))
            at += 4
    return Weights(views[0], enc, dec, views[at], views[at + 1], views[at + 2], views[at + 3], views[at + 4], views[at + 5])


def joined(parts: List[Tensor], dim: int = 0) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def gru(gi: Tensor, gh: Tensor, state: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """A step of a GRU from the products with input and state [B,3H]: the new state, gates r and z [B,2H], candidate n."""
    h = state.size(1)
    rz = torch.sigmoid(gi.narrow(1, 0, 2 * h) + gh.narrow(1, 0, 2 * h))
    n = torch.tanh(torch.addcmul(gi.narrow(1, 2 * h, h), rz.narrow(1, 0, h), gh.narrow(1, 2 * h, h)))
    return torch.lerp(n, state, rz.narrow(1, h, h)), rz, n


def gru_back(d: Tensor, rz: Tensor, n: Tensor, gh: Tensor, state: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Gradients of a step of a GRU from that of its new state: of gh [B,3H], of the n part of gi, and of state but through gh."""
    h = state.size(1)
    keep = d * rz.narrow(1, h, h)
    dn = torch.ops.aten.tanh_backward(d - keep, n)
    drz = torch.ops.aten.sigmoid_backward(torch.cat([dn * gh.narrow(1, 2 * h, h), d * (state - n)], 1), rz)
    return torch.cat([drz, dn * rz.narrow(1, 0, h)], 1), dn, keep


def lstm(pre: Tensor, cell: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """A step of an LSTM from the sum of the products [B,4H]: new state, new cell, gates [B,4H], tanh of the new cell."""
    h = cell.size(1)
    gates = torch.sigmoid(pre)
    torch.tanh(pre.narrow(1, 2 * h, h), out=gates.narrow(1, 2 * h, h))
    c = torch.addcmul(gates.narrow(1, h, h) * cell, gates.narrow(1, 0, h), gates.narrow(1, 2 * h, h))
    t = torch.tanh(c)
    return gates.narrow(1, 3 * h, h) * t, c, gates, t


def lstm_back(d: Tensor, dc: Tensor, gates: Tensor, t: Tensor, cell: Tensor) -> Tuple[Tensor, Tensor]:
    """Gradients of a step of an LSTM from those of its new state and cell: of the sum of the products, and of cell."""
    h = cell.size(1)
    i, f, g, o = gates.narrow(1, 0, h), gates.narrow(1, h, h), gates.narrow(1, 2 * h, h), gates.narrow(1, 3 * h, h)
    dc = dc + torch.ops.aten.tanh_backward(d * o, t)
    dif = torch.ops.aten.sigmoid_backward(torch.cat([dc * g, dc * cell], 1), gates.narrow(1, 0, 2 * h))
    dg = torch.ops.aten.tanh_backward(dc * i, g)
    do = torch.ops.aten.sigmoid_backward(d * t, o)
    return torch.cat([dif, dg, do], 1), dc * f


def encode(w: Weights, x: Tensor, s: Shape) -> Tuple[List[Tensor], List[Tensor]]:
    """States and cells [B,H] after contexts x [B,L]."""
    rows, length = x.size(0), x.size(1)
    events = x.t().reshape(-1)
    zero = torch.zeros([rows, s.h], device=x.device)
    states: List[Tensor] = []
    cells: List[Tensor] = []
    below = zero  # from the second layer on: states of the layer below at each position [L·B,D·H]
    for layer in range(s.layers):
        found: List[Tensor] = []
        for direction in range(s.directions):
            c = w.enc[len(states)]
            if layer == 0:
                gi = c.ih.index_select(0, events).add_(c.bih)
            else:
                gi = torch.addmm(c.bih, below, c.ih.t())
            gi = gi.view(length, rows, -1)
            state, cell = zero, zero
            passed: List[Tensor] = []
            for i in range(length):
                at = length - 1 - i if direction == 1 else i
                gh = torch.addmm(c.bhh, state, c.hh.t())
                if s.lstm:
                    state, cell, _, _ = lstm(gi[at] + gh, cell)
                else:
                    state, _, _ = gru(gi[at], gh, state)
                if layer + 1 < s.layers:
                    passed.append(state)
            states.append(state)
            cells.append(cell)
            if layer + 1 < s.layers:
                if direction == 1:
                    passed.reverse()
                found.append(torch.cat(passed))
        if layer + 1 < s.layers:
            below = joined(found, 1)
    return states, cells


def decode(w: Weights, previous: Tensor, states: List[Tensor], cells: List[Tensor], s: Shape) -> Tensor:
    """A step of the decoder after events previous [B]: attention [B,L]. Puts the new states and cells into their lists."""
    below = w.emb.index_select(0, previous)
    for layer in range(s.layers):
        found: List[Tensor] = []
        for k in range(layer * s.directions, (layer + 1) * s.directions):
            c = w.dec[k]
            gi = torch.addmm(c.bih, below, c.ih.t())
            gh = torch.addmm(c.bhh, states[k], c.hh.t())
            if s.lstm:
                states[k], cells[k], _, _ = lstm(gi + gh, cells[k])
            else:
                states[k], _, _ = gru(gi, gh, states[k])
            found.append(states[k])
        below = joined(found, 1)
    return torch.softmax(torch.addmm(w.att_b, below, w.att.t()), 1)


def attended(w: Weights, columns: Tensor, attention: Tensor) -> Tensor:
    """The hidden layer of the event decoder before its ReLU [B,N] from attention [B,L] and the columns of W1 of each context
    [B,L,N]. A product and not a scatter: sums of a scatter have no order on a GPU."""
    return torch.bmm(attention.unsqueeze(1), columns).squeeze(1) + w.b1
