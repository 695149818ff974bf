"""The network of the Context Builder (van Ede et al., IEEE S&P 2022, section III-B), for the programs beside this file.

Weights are one flat vector, in the order of the original's state_dict and in its layout, each at a multiple of 16, except that two
matrices are transposed so that an event selects a row: encoder.recurrent.weight_ih_l0 as [N,G] and decoder_event.hidden.weight as [N,N] by input. G is 3H (GRU,
gates r, z, n) or 4H (LSTM, gates i, f, g, o). Names: B rows, N events, L positions, H hidden units, S steps.
"""
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor


class Weights(NamedTuple):
    emb: Tensor  # N×H
    enc_ih: Tensor  # N×G
    enc_hh: Tensor  # G×H
    enc_bih: Tensor  # G
    enc_bhh: Tensor  # G
    dec_ih: Tensor  # G×H
    dec_hh: Tensor  # G×H
    dec_bih: Tensor  # G
    dec_bhh: Tensor  # G
    att: Tensor  # L×H
    att_b: Tensor  # L
    w1: Tensor  # N×N, by input
    b1: Tensor  # N
    w2: Tensor  # N×N
    b2: Tensor  # N


def gap(size: int) -> int:
    """Numbers between a tensor of some size and the next one: products want both to begin at a multiple of 16, on a GPU as well."""
    return (16 - size % 16) % 16


def split(flat: Tensor, n: int, l: int, h: int, g: int) -> List[Tensor]:
    """Views of the weights in a flat vector."""
    shapes = [[n, h], [n, g], [g, h], [g], [g], [g, h], [g, h], [g], [g], [l, h], [l], [n, n], [n], [n, n], [n]]
    views: List[Tensor] = []
    at = 0
    for shape in shapes:
        size = 1
        for d in shape:
            size *= d
        views.append(flat.narrow(0, at, size).view(shape))
        at += size + gap(size)
    return views


def named(v: List[Tensor]) -> Weights:
    return Weights(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14])


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


def encode(w: Weights, x: Tensor, h: int, is_lstm: bool) -> Tuple[Tensor, Tensor]:
    """State and cell [B,H] after contexts x [B,L]."""
    rows, length = x.size(0), x.size(1)
    gi = w.enc_ih.index_select(0, x.t().reshape(-1)).add_(w.enc_bih).view(length, rows, -1)
    state = torch.zeros([rows, h], device=x.device)
    cell = state
    for i in range(length):
        gh = torch.addmm(w.enc_bhh, state, w.enc_hh.t())
        if is_lstm:
            state, cell, _, _ = lstm(gi[i] + gh, cell)
        else:
            state, _, _ = gru(gi[i], gh, state)
    return state, cell


def decode(w: Weights, previous: Tensor, state: Tensor, cell: Tensor, is_lstm: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """A step of the decoder after events previous [B]: attention [B,L], new state and cell."""
    gi = torch.addmm(w.dec_bih, w.emb.index_select(0, previous), w.dec_ih.t())
    gh = torch.addmm(w.dec_bhh, state, w.dec_hh.t())
    if is_lstm:
        state, cell, _, _ = lstm(gi + gh, cell)
    else:
        state, _, _ = gru(gi, gh, state)
    return torch.softmax(torch.addmm(w.att_b, state, w.att.t()), 1), state, cell


def attended(w: Weights, columns: Tensor, attention: Tensor) -> Tensor:
    """The hidden layer of the event decoder before its ReLU [B,N] from attention [B,L] and the columns of W1 of each context
    [B,L,N]. A product and not a scatter: sums of a scatter have no order on a GPU."""
    return torch.bmm(attention.unsqueeze(1), columns).squeeze(1) + w.b1
