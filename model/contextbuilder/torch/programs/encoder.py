"""Two ways to take gradients of the encoder: each gives state and cell of every context, and the way back the gradients of w.enc_ih, enc_hh,
enc_bih and enc_bhh from those of state and cell."""
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from network import *


def sum_to(rows: Tensor, to: Tensor, like: Tensor) -> Tensor:
    """Rows added up by what each belongs to, in order; like has a row for each of these."""
    return torch.ops.aten.embedding_dense_backward(rows, to, like.size(0), -1, False)


class Trie(NamedTuple):
    """Distinct prefixes of a batch's contexts: level i has a node for each of i+1 events. Lists have an element a level."""

    states: List[Tensor]  # from the root on, which holds no event
    cells: List[Tensor]
    events: List[Tensor]
    parents: List[Tensor]
    gates: List[Tensor]
    candidates: List[Tensor]  # GRU only
    products: List[Tensor]  # gh of each node's parent; LSTM: tanh of the cell
    leaf: Tensor  # of each row


def encode_distinct(w: Weights, x: Tensor, is_lstm: bool) -> Tuple[Tensor, Tensor, Trie]:
    """Computes each distinct prefix of contexts x [B,L] once. The best on a CPU."""
    rows, n, h = x.size(0), w.emb.size(0), w.emb.size(1)
    state = torch.zeros([1, h], device=x.device)
    cell = state
    leaf = torch.zeros([rows], dtype=torch.int64, device=x.device)
    states, cells = [state], [cell]
    events: List[Tensor] = []
    parents: List[Tensor] = []
    gates: List[Tensor] = []
    candidates: List[Tensor] = []
    products: List[Tensor] = []
    for i in range(x.size(1)):
        nodes, leaf, _ = torch._unique2(leaf * n + x.select(1, i), True, True, False)
        parent = torch.floor_divide(nodes, n)
        event = nodes - parent * n
        gi = w.enc_ih.index_select(0, event).add_(w.enc_bih)
        gh = torch.addmm(w.enc_bhh, state, w.enc_hh.t()).index_select(0, parent)
        state = state.index_select(0, parent)
        if is_lstm:
            state, cell, gate, t = lstm(gi + gh, cell.index_select(0, parent))
            products.append(t)
        else:
            state, gate, candidate = gru(gi, gh, state)
            products.append(gh)
            candidates.append(candidate)
        states.append(state)
        cells.append(cell)
        events.append(event)
        parents.append(parent)
        gates.append(gate)
    trie = Trie(states, cells, events, parents, gates, candidates, products, leaf)
    return state.index_select(0, leaf), cell.index_select(0, leaf) if is_lstm else cell, trie


def encode_distinct_back(w: Weights, trie: Trie, d: Tensor, dc: Tensor, is_lstm: bool) -> List[Tensor]:
    """Gradients of rows that share a node add up, so this is exact."""
    h = w.emb.size(1)
    levels = len(trie.events)
    d = sum_to(d, trie.leaf, trie.states[levels])
    dc = sum_to(dc, trie.leaf, trie.states[levels]) if is_lstm else dc
    backs_h: List[Tensor] = []  # gradients of gh where it was computed, last level first
    backs_i: List[Tensor] = []  # of gi
    for k in range(levels):
        i = levels - 1 - k
        parent, before = trie.parents[i], trie.states[i]
        if is_lstm:
            back, dc = lstm_back(d, dc, trie.gates[i], trie.products[i], trie.cells[i].index_select(0, parent))
            backs_i.append(back)
            back = sum_to(back, parent, before)
            dc = sum_to(dc, parent, before)
            d = torch.mm(back, w.enc_hh)
        else:
            back, tail, rest = gru_back(d, trie.gates[i], trie.candidates[i], trie.products[i], before.index_select(0, parent))
            backs_i.append(torch.cat([back.narrow(1, 0, 2 * h), tail], 1))
            back = sum_to(back, parent, before)
            d = torch.addmm(sum_to(rest, parent, before), back, w.enc_hh)
        backs_h.append(back)
    backs_h.reverse()
    backs_i.reverse()
    gi, gh = torch.cat(backs_i), torch.cat(backs_h)
    return [sum_to(gi, torch.cat(trie.events), w.enc_ih), torch.mm(gh.t(), torch.cat(trie.states[:levels])), gi.sum(0), gh.sum(0)]


def encode_library(w: Weights, onehot: Tensor, is_lstm: bool) -> Tuple[Tensor, Tensor, List[Tensor]]:
    """The same by libtorch's recurrent layers, which are cuDNN's on a GPU: far fewer and larger kernels. onehot: contexts [L,B,N]. Gives
    state and cell with a graph, and the parameters that it leads to.

    cuDNN takes its parameters one after the other from the start of a storage; others it would copy at every call, with a warning."""
    h = w.emb.size(1)
    flat = torch.cat([w.enc_ih.t().reshape(-1), w.enc_hh.reshape(-1), w.enc_bih, w.enc_bhh])
    parameters: List[Tensor] = []
    at = 0
    for shape in [[w.enc_ih.size(1), w.enc_ih.size(0)], [w.enc_hh.size(0), h], [w.enc_bih.size(0)], [w.enc_bhh.size(0)]]:
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        parameters.append(flat.narrow(0, at, size).view(shape).detach().requires_grad_())
        at += size
    state = torch.zeros([1, onehot.size(1), h], device=onehot.device)
    cell = state
    if is_lstm:
        _, state, cell = torch.lstm(onehot, [state, cell], parameters, True, 1, 0.0, True, False, False)
    else:
        _, state = torch.gru(onehot, state, parameters, True, 1, 0.0, True, False, False)
    return state, cell, parameters


def encode_library_back(state: Tensor, cell: Tensor, parameters: List[Tensor], d: Tensor, dc: Tensor, is_lstm: bool) -> List[Tensor]:
    outputs = [state]
    gradients: List[Optional[Tensor]] = [d.unsqueeze(0)]
    if is_lstm:
        outputs.append(cell)
        gradients.append(dc.unsqueeze(0))
    found: List[Tensor] = []
    for g in torch.autograd.grad(outputs, parameters, gradients):
        assert g is not None
        found.append(g)
    found[0] = found[0].t()
    return found
