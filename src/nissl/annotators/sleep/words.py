"""Words for the features of epochs, as a scorer would say them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OURS = {"animals": "people", "animal": "person", "items": "epochs", "item": "epoch"}
_ROLE = {"front": "frontal", "back": "occipital"}
_QUANTITY = {
    "log10_bp_delta_0.5-4": "delta power (0.5-4 Hz)",
    "log10_bp_theta_4-8": "theta power (4-8 Hz)",
    "log10_bp_alpha_8-13": "alpha power (8-13 Hz)",
    "log10_bp_beta_13-30": "beta power (13-30 Hz)",
    "log10_bp_gamma_30-50": "gamma power (30-50 Hz)",
    "log10_var": "amplitude",
    "hjorth_mobility": "share of fast activity (mobility)",
}


def words(name: str) -> str:
    """A phrase with a place for the value, as ``str.format`` takes it.

    Parameters
    ----------
    name : str
        Of a feature; see `nissl.annotators.sleep.context`.
    """
    base, _, how = name.partition("|")
    said = " against ".join(_plain(part, base) for part in base.split("/"))
    said = said.replace("{", "(").replace("}", ")")
    if not how:
        return f"{said}: {{:.2f}}"
    if how == "night":
        return f"{said}, on this night's scale: {{:+.2f}}"
    if how.startswith("mean"):
        return f"{said}, averaged over {how.removeprefix('mean ')}: {{:+.2f}}"
    if how.startswith("spread"):
        return f"spread of {said} within {how.removeprefix('spread ')}: {{:.2f}}"
    when = "later" if how.startswith("+") else "earlier"
    return f"{said}, {how.lstrip('+-')} {when}: {{:+.2f}}"


def in_words(sentence: str, names: Iterable[str]) -> str:
    """A sentence about numbers of items of animals, as one about epochs of people.

    Parameters
    ----------
    sentence : str
    names : iterable of str
        Of the numbers that it may name.
    """
    for name in sorted(names, key=len, reverse=True):
        sentence = sentence.replace(name, _plain(name, name))
    for word, ours in _OURS.items():
        sentence = re.sub(rf"\b{word}\b", ours, sentence)
    return sentence


def _plain(part: str, base: str) -> str:
    role, _, quantity = part.rpartition(":")
    role = role or base.partition(":")[0]
    known = _QUANTITY.get(quantity) or _QUANTITY.get(f"log10_bp_{quantity}") or quantity
    return f"{_ROLE.get(role, role)} {known}" if role != base else known


__all__ = ["in_words", "words"]
