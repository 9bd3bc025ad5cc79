"""Importers and exporters of labels, one module per format with both.

What an exporter writes its importer reads back as the same label sets, up to what the
format cannot hold; each module says what that is. Importers change nothing in what they read.
"""

from __future__ import annotations

from nissl.io.contracts import Exporter, Imported, Importer
from nissl.io.registries import EXPORTERS, IMPORTERS, find_importer, import_labels

__all__ = [
    "EXPORTERS",
    "IMPORTERS",
    "Exporter",
    "Imported",
    "Importer",
    "find_importer",
    "import_labels",
]
