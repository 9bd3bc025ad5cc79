"""Where it is kept: the project folder, the journal, immutable files by digest.

::

    study/
      project.toml               name, format version, id
      journal.db                 SQLite: sources, runs, label sets, heads, findings, edits,
                                 questions, models, settings
      labels/<digest>.parquet    label sets, immutable
      labels/<digest>.items.parquet   item tables, immutable
      arrays/<digest>.zarr       arrays, immutable
      models/  reports/          weights with their cards; HTML
      work/<job hash>/           scratch of unfinished runs

With NISSL_DATABASE=postgresql://... the journal is in a database that several machines share
and the rest of the folder is as above, on a path they share.
"""

from nissl.store.asking import QuestionRow
from nissl.store.models import ModelMove, ModelRow
from nissl.store.rows import HeadMove, LabelRow, RunRow, SourceRow
from nissl.store.store import Store

__all__ = [
    "HeadMove",
    "LabelRow",
    "ModelMove",
    "ModelRow",
    "QuestionRow",
    "RunRow",
    "SourceRow",
    "Store",
]
