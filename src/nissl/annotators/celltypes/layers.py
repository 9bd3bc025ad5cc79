"""Names of layers as an ordinal from the surface, where a recording gives them."""

from __future__ import annotations

import re

_CODES = {
    "1": 1.0,
    "2": 2.0,
    "2/3": 2.5,
    "23": 2.5,
    "3": 3.0,
    "4": 4.0,
    "5": 5.0,
    "5a": 5.0,
    "5b": 5.0,
    "5/6": 5.5,
    "6": 6.0,
    "6a": 6.0,
    "6b": 6.0,
    "i": 1.0,
    "ii": 2.0,
    "ii/iii": 2.5,
    "iii": 3.0,
    "iv": 4.0,
    "v": 5.0,
    "vi": 6.0,
    "molecular": 1.0,
    "ml": 1.0,
    "purkinje": 2.0,
    "pcl": 2.0,
    "pl": 2.0,
    "granular": 3.0,
    "granule": 3.0,
    "granule cell": 3.0,
    "gcl": 3.0,
    "gl": 3.0,
}


def layer_code(name: str) -> float:
    """Ordinal of a layer, from the surface down.

    Parameters
    ----------
    name : str
        As in "L2/3", "layer 5", "VISp5", "IV", or of the cerebellum "molecular", "PCL", "GCL".

    Returns
    -------
    float
        Number of the cortical layer, the mean of two for "2/3"; 1 molecular, 2 Purkinje, 3
        granular layer; NaN for anything else.
    """
    text = name.strip().lower().replace("_", " ").replace("-", "/")
    text = re.sub(r"\b(layer|lamina|cortical|cell layer)\b", "", text).strip()
    text = re.sub(r"^l(?=[1-6i-v])", "", text).strip()
    if text in _CODES:
        return _CODES[text]
    area = re.fullmatch(r"[a-z]{3,}(1|2/3|4|5|6a|6b|6)", text)
    return _CODES[area.group(1)] if area else float("nan")


__all__ = ["layer_code"]
