"""Names of cell types, and the many spellings under which laboratories write them."""

from __future__ import annotations

from nissl.errors import BadArgumentError
from nissl.labels import Vocabulary

UNKNOWN = "unknown"
"""The last class of every vocabulary: none of the others, or not to be told."""

_COLOURS = {
    "PV": "#d55e00",
    "SST": "#0072b2",
    "VIP": "#009e73",
    "pyramidal": "#e69f00",
    "axo-axonic": "#cc79a7",
    "excitatory": "#e69f00",
    "inhibitory": "#56b4e9",
    "Purkinje simple spikes": "#d55e00",
    "Purkinje complex spikes": "#0072b2",
    "molecular layer interneuron": "#009e73",
    "Golgi": "#cc79a7",
    "mossy fibre": "#e69f00",
    "granule": "#56b4e9",
    UNKNOWN: "#8a8f98",
}
_SPARE = ("#5b4db7", "#7a8b00", "#a03d4b", "#00808a", "#9c6b30", "#4a4a4a")

CORTICAL_NAMES = ("PV", "SST", "VIP", "pyramidal", "axo-axonic")
CEREBELLAR_NAMES = (
    "Purkinje simple spikes",
    "Purkinje complex spikes",
    "molecular layer interneuron",
    "Golgi",
    "mossy fibre",
)

_ALIASES = {
    "PV": ("pv", "pvalb", "pv+", "parvalbumin", "pv basket", "pvbc"),
    "SST": ("sst", "som", "sst+", "somatostatin"),
    "VIP": ("vip", "vip+"),
    "pyramidal": ("pyramidal", "pyramidal cell", "pyr", "pc", "principal"),
    "axo-axonic": ("axo-axonic", "axo_axonic", "axoaxonic", "aac", "chandelier"),
    "excitatory": ("excitatory", "exc", "e"),
    "inhibitory": ("inhibitory", "inh", "i", "vgat"),
    "Purkinje simple spikes": ("pkc_ss", "purkinje simple", "purkinje simple spikes", "ss"),
    "Purkinje complex spikes": ("pkc_cs", "purkinje complex", "purkinje complex spikes", "cs"),
    "molecular layer interneuron": ("mli", "molecular layer interneuron"),
    "Golgi": ("goc", "golgi", "golgi cell"),
    "mossy fibre": ("mfb", "mossy fibre", "mossy fiber", "mf"),
    "granule": ("grc", "granule", "granule cell"),
    UNKNOWN: ("unknown", "unk", "?", "undefined", "undef", "unlabelled", "unlabeled"),
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


def canonical(name: str) -> str:
    """The name under which nissl keeps a cell type.

    Parameters
    ----------
    name : str
        As a laboratory writes it; spelling that nobody knows is kept.

    Raises
    ------
    BadArgumentError
        It is empty.

    Examples
    --------
    >>> canonical("Pvalb"), canonical("SOM"), canonical("my type")
    ('PV', 'SST', 'my type')
    """
    text = " ".join(str(name).split())
    if not text:
        raise BadArgumentError("the name of a cell type", "an empty text", "Name the class.")
    return _CANONICAL.get(text.lower(), text)


def vocabulary(names: tuple[str, ...]) -> Vocabulary:
    """Vocabulary of some cell types, with "unknown" as its last class.

    Parameters
    ----------
    names : tuple of str
        Canonical names; "unknown" may be left out.
    """
    classes = (*(name for name in names if name != UNKNOWN), UNKNOWN)
    spare = iter(_SPARE * (1 + len(classes) // len(_SPARE)))
    return Vocabulary(classes, tuple(_COLOURS.get(name) or next(spare) for name in classes))


CORTICAL = vocabulary(CORTICAL_NAMES)
CEREBELLAR = vocabulary(CEREBELLAR_NAMES)
