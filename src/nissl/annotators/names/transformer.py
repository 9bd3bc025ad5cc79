"""A small set transformer that corrects what an atlas says of points, from how all of them lie.

Points attend to each other without any order (Lee et al. 2019, Set Transformer, ICML; Vaswani et
al. 2017, Attention is all you need, NeurIPS), as in names of neurons learned from simulated worms
(Yu et al. 2021, eLife 10:e66410). Each begins with its place, its colour, and the move that the
atlas would ask of it; it ends with a move of its own, under which the atlas is asked again, and
with a preference for names. Before any training all of that is nothing: the atlas speaks alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from nissl.annotators.names.atlas import Atlas
from nissl.annotators.names.scatter import Scatter

_WAVES = (1.0, 2.0, 4.0)
"""Cycles per unit of the atlas that places are also told in."""


@dataclass(frozen=True)
class Size:
    """Width, layers and heads of a network."""

    width: int = 48
    layers: int = 2
    heads: int = 4


class Corrector(nn.Module):
    """Log-scores of all names and of none for the points of some animals.

    Parameters
    ----------
    atlas : Atlas
    size : Size
    """

    def __init__(self, atlas: Atlas, size: Size) -> None:
        super().__init__()
        self.place = _Density(atlas.place)
        self.colour = None if atlas.colour is None else _Density(atlas.colour)
        n_colours = 0 if atlas.colour is None else atlas.colour.centre.shape[1]
        self.register_buffer("presence", _tensor(np.log(atlas.presence)))
        self.register_buffer("centre", _tensor(atlas.place.centre))
        n_in = 3 + 6 * len(_WAVES) + n_colours + 1 + 4
        self.begin = nn.Linear(n_in, size.width)
        layer = nn.TransformerEncoderLayer(
            size.width,
            size.heads,
            2 * size.width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.body = nn.TransformerEncoder(layer, size.layers, enable_nested_tensor=False)
        self.end = nn.LayerNorm(size.width)
        self.move = nn.Linear(size.width, 3)
        self.prefer = nn.Linear(size.width, len(atlas.names) + 1)
        self.trust = nn.Parameter(torch.zeros(2))
        for part in (self.move, self.prefer):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
        half = np.log(np.ptp(atlas.place.centre, axis=0) * 1.2).sum()
        self.stranger = float(-half + math.log(0.02))

    def forward(self, xyz: Any, colours: Any, coloured: Any, there: Any) -> Any:
        """Log-scores, shape (n_animals, n_points, n_names + 1).

        Parameters
        ----------
        xyz : Tensor, shape (n_animals, n_points, 3)
            In the frame of the atlas.
        colours : Tensor, shape (n_animals, n_points, n_colours)
            Normal colours, 0 where unknown.
        coloured : Tensor, shape (n_animals, n_points)
            1 where colour is known, 0 where not.
        there : Tensor, shape (n_animals, n_points), bool
            False where it is padding.
        """
        paint = self._paint(colours, coloured)
        with torch.no_grad():
            score = self.place(xyz) + paint[..., :-1] + self.presence
            p = torch.softmax(score, dim=-1)
            asked = p @ self.centre - xyz
            sure = p.amax(dim=-1, keepdim=True)
        waves = [f(2 * math.pi * k * xyz / 4) for k in _WAVES for f in (torch.sin, torch.cos)]
        known = coloured[..., None]
        told = torch.cat([xyz, *waves, colours * known, known, asked * sure, sure], dim=-1)
        h = self.end(self.body(self.begin(told), src_key_padding_mask=~there))
        again = self.place(xyz + self.move(h)) + self.presence
        named = torch.exp(self.trust[0]) * again + torch.exp(self.trust[1]) * paint[..., :-1]
        none = self.stranger + paint[..., -1:]
        return torch.cat([named, none.expand(*named.shape[:-1], 1)], dim=-1) + self.prefer(h)

    def _paint(self, colours: Any, coloured: Any) -> Any:
        """Log-densities of colours for each name and for none."""
        if self.colour is None:
            return torch.zeros((*coloured.shape, len(self.presence) + 1))
        wide = 1.5**2
        none = -(colours**2).sum(dim=-1, keepdim=True) / (2 * wide)
        none = none - colours.shape[-1] / 2 * math.log(2 * math.pi * wide)
        return torch.cat([self.colour(colours), none], dim=-1) * coloured[..., None]


class _Density(nn.Module):
    """Log-density of Student's t of each neuron, which stays as the atlas has it."""

    def __init__(self, scatter: Scatter) -> None:
        super().__init__()
        m, d = scatter.centre.shape
        root = scatter.root_precision
        self.shape = (m, d)
        self.register_buffer("root", _tensor(root.reshape(m * d, d).T))
        self.register_buffer("own", _tensor(np.einsum("jab,jb->ja", root, scatter.centre)))
        at_centre = scatter.density_at(np.zeros((1, m)))[0]
        self.register_buffer("top", _tensor(at_centre))
        self.register_buffer("freedom", _tensor(scatter.freedom))

    def forward(self, points: Any) -> Any:
        """Shape (..., n_points, n_names) of points (..., n_points, n_axes)."""
        m, d = self.shape
        off = (points @ self.root).unflatten(-1, (m, d)) - self.own
        square = (off**2).sum(dim=-1) / self.freedom
        return self.top - (self.freedom + d) / 2 * torch.log1p(square)


def _tensor(values: Any) -> Any:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)
