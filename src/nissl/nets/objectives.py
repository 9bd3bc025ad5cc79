"""What an encoder can learn from windows without labels. Needs PyTorch.

Each objective is a network around the encoder whose `forward` gives the loss; only the encoder
is kept.

========  ================================================  =======================================
masked    the spectrum of patches that were hidden           after Devlin et al. 2019 (BERT)
cpc       which token comes next, among others               van den Oord, Li and Vinyals 2018
pairs     which two crops are of one window, among others    after Chen et al. 2020 (SimCLR)
========  ================================================  =======================================
"""

from __future__ import annotations

from typing import Any

from nissl.errors import BadArgumentError
from nissl.nets.backend import pytorch
from nissl.nets.encoder import Encoder

torch: Any = pytorch()
nn: Any = torch.nn

PATCH = 4
"""Tokens of a patch that is hidden, and of a step that is foretold."""
HIDDEN = 0.4
"""Share of patches that are hidden."""
BANDS = 16
"""Numbers that describe the spectrum of a patch."""
AHEAD = 4
"""Steps that are foretold."""
CROP = 0.6
"""Share of a window that a crop keeps."""
TEMPERATURE = 0.2


class Masked(nn.Module):
    """Hide patches of a window; say the logarithm of their power in bands from what is around.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        width = encoder.settings.width
        self.encoder, self.size = encoder, PATCH * encoder.settings.stride
        self.around = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.say = nn.Linear(2 * width, min(BANDS, self.size // 2))

    def forward(self, x: Any) -> Any:
        """Loss of windows (n, n_samples)."""
        patches = x.unfold(1, self.size, self.size)
        hidden = torch.rand(patches.shape[:2], device=x.device) < HIDDEN
        shown = torch.where(hidden[:, :, None], 0.0, patches).flatten(1)
        tokens = self.encoder.tokens(shown[:, None])
        steps = nn.functional.avg_pool1d(tokens, PATCH).transpose(1, 2)
        said = self.say(self.around(steps)[0])
        lost = (said - self._spectrum(patches)).abs().mean(dim=2)
        return (lost * hidden).sum() / hidden.sum().clamp_min(1)

    def _spectrum(self, patches: Any) -> Any:
        """Logarithm of power in bands of equal width, (n, n_patches, n_bands)."""
        tapered = patches * torch.hann_window(self.size, device=patches.device)
        power = torch.fft.rfft(tapered.float()).abs().square()[..., 1:]
        bands = nn.functional.adaptive_avg_pool1d(power.flatten(0, 1), self.say.out_features)
        return torch.log(bands + 1e-3).reshape(*patches.shape[:2], -1)


class Predictive(nn.Module):
    """Contrastive predictive coding (arXiv:1807.03748): tell the next steps from all others.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        width = encoder.settings.width
        self.encoder = encoder
        self.past = nn.GRU(width, width, batch_first=True)
        self.foretell = nn.ModuleList(nn.Linear(width, width) for _ in range(AHEAD))

    def forward(self, x: Any) -> Any:
        """Loss of windows (n, n_samples); the others are steps of all windows of the batch."""
        tokens = self.encoder.tokens(x[:, None])
        steps = nn.functional.avg_pool1d(tokens, PATCH).transpose(1, 2)
        past, _ = self.past(steps)
        losses = []
        for ahead, foretell in enumerate(self.foretell, start=1):
            told = foretell(past[:, :-ahead]).flatten(0, 1)
            came = steps[:, ahead:].flatten(0, 1)
            few = torch.randperm(len(told), device=x.device)[:512]  # else the square is large
            losses.append(_told_apart(told[few], came[few]))
        return torch.stack(losses).mean()


class Pairs(nn.Module):
    """Two crops of a window belong together (arXiv:2002.05709, with crops in time).

    It assumes that what is to be told apart does not change within a window.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        n = encoder.settings.n_features
        self.encoder = encoder
        self.project = nn.Sequential(nn.Linear(n, n), nn.ELU(), nn.Linear(n, n // 2))

    def forward(self, x: Any) -> Any:
        """Loss of windows (n, n_samples), or of two views of each, (n, 2, n_samples)."""
        first, second = (x, x) if x.ndim == 2 else (x[:, 0], x[:, 1])
        a, b = (self.project(self.encoder(self._crop(v)[:, None])) for v in (first, second))
        return (_told_apart(a, b) + _told_apart(b, a)) / 2

    def _crop(self, x: Any) -> Any:
        size = max(self.encoder.settings.stride, round(CROP * x.shape[1]))
        start = int(torch.randint(x.shape[1] - size + 1, (1,)))
        return x[:, start : start + size]


def _told_apart(a: Any, b: Any) -> Any:
    """InfoNCE: row k of `a` belongs to row k of `b` and to no other, by the cosine."""
    likeness = nn.functional.normalize(a, dim=1) @ nn.functional.normalize(b, dim=1).T
    own = torch.arange(len(a), device=a.device)
    return nn.functional.cross_entropy(likeness / TEMPERATURE, own)


OBJECTIVES = {"masked": Masked, "cpc": Predictive, "pairs": Pairs}


def objective(name: str, encoder: Encoder) -> Any:
    """Network of an objective around an encoder."""
    if name not in OBJECTIVES:
        raise BadArgumentError(f"an objective among {sorted(OBJECTIVES)}", repr(name), "Choose.")
    made: Any = OBJECTIVES[name]
    return made(encoder)


__all__ = ["OBJECTIVES", "Masked", "Pairs", "Predictive", "objective"]
