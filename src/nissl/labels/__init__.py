"""What is claimed about a recording: label sets, edits, replay, comparison."""

from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind, schema
from nissl.labels.labelset import Author, LabelSet, Provenance
from nissl.labels.tables import FeatureTable, ItemTable
from nissl.labels.vocabulary import Vocabulary

__all__ = [
    "Author",
    "Edit",
    "EditKind",
    "FeatureTable",
    "ItemTable",
    "Kind",
    "LabelSet",
    "Provenance",
    "Vocabulary",
    "schema",
]
