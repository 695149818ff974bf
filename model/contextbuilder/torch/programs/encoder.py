"""Two ways to take gradients of the encoder: each gives the states and cells of every context, and the way back the gradients of the weights in
w.enc from those of states and cells."""
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
    """Computes each distinct prefix of contexts x [B,L] once, in one layer and one direction. The best on a CPU."""
    c = w.enc[0]
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
        gi = c.ih.index_select(0, event).add_(c.bih)
        gh = torch.addmm(c.bhh, state, c.hh.t()).index_select(0, parent)
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
    c = w.enc[0]
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
            d = torch.mm(back, c.hh)
        else:
            back, tail, rest = gru_back(d, trie.gates[i], trie.candidates[i], trie.products[i], before.index_select(0, parent))
            backs_i.append(torch.cat([back.narrow(1, 0, 2 * h), tail], 1))
            back = sum_to(back, parent, before)
            d = torch.addmm(sum_to(rest, parent, before), back, c.hh)
        backs_h.append(back)
    backs_h.reverse()
    backs_i.reverse()
    gi, gh = torch.cat(backs_i), torch.cat(backs_h)
    return [sum_to(gi, torch.cat(trie.events), c.ih), torch.mm(gh.t(), torch.cat(trie.states[:levels])), gi.sum(0), gh.sum(0)]


def encode_library(w: Weights, onehot: Tensor, s: Shape) -> Tuple[Tensor, Tensor, List[Tensor]]:
    """By libtorch's recurrent layers, any number of them, which are cuDNN's on a GPU: far fewer and larger kernels. onehot: contexts [L,B,N].
    Gives states and cells [cells,B,H] with a graph, and the parameters that it leads to: ih, hh, bih and bhh of each cell.

    cuDNN takes its parameters one after the other from the start of a storage, first the matrices of all cells and then their biases; others
    it would copy at every call, with a warning."""
    matrices: List[Tensor] = []
    biases: List[Tensor] = []
    for k, c in enumerate(w.enc):
        matrices += [c.ih.t() if k < s.directions else c.ih, c.hh]
        biases += [c.bih, c.bhh]
    flat = torch.cat([t.reshape(-1) for t in matrices + biases])
    views: List[Tensor] = []
    at = 0
    for t in matrices + biases:
        views.append(flat.narrow(0, at, t.numel()).view(t.size()).detach().requires_grad_())
        at += t.numel()
    parameters: List[Tensor] = []
    for k in range(len(w.enc)):
        parameters += views[2 * k : 2 * k + 2] + views[len(matrices) + 2 * k : len(matrices) + 2 * k + 2]
    state = torch.zeros([len(w.enc), onehot.size(1), s.h], device=onehot.device)
    cell = state
    if s.lstm:
        _, state, cell = torch.lstm(onehot, [state, cell], parameters, True, s.layers, 0.0, True, s.directions == 2, False)
    else:
        _, state = torch.gru(onehot, state, parameters, True, s.layers, 0.0, True, s.directions == 2, False)
    return state, cell, parameters


def encode_library_back(
    state: Tensor, cell: Tensor, parameters: List[Tensor], d: List[Tensor], dc: List[Tensor], s: Shape
) -> List[Tensor]:
    outputs = [state]
    gradients: List[Optional[Tensor]] = [joined([t.unsqueeze(0) for t in d])]
    if s.lstm:
        outputs.append(cell)
        gradients.append(joined([t.unsqueeze(0) for t in dc]))
    found: List[Tensor] = []
    for k, g in enumerate(torch.autograd.grad(outputs, parameters, gradients)):
        assert g is not None
        found.append(g.t() if k % 4 == 0 and k // 4 < s.directions else g)
    return found
