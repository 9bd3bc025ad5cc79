"""What a stage reads from, as a digest: two readers with the same one give the same samples."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any


def identity(reader: Any) -> str:
    """Digest of a reader of samples or frames.

    Readers travel to worker processes pickled (`nissl.data.SampleReader`); that form is hashed,
    block by block where it holds samples, and kept nowhere.
    """
    digest = _Digest()
    pickle.Pickler(digest, protocol=5).dump(reader)
    return digest.hexdigest()


class _Digest:
    """File that is hashed instead of kept."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()

    def write(self, data: Any) -> int:
        self._hasher.update(data)
        return memoryview(data).nbytes

    def hexdigest(self) -> str:
        return self._hasher.hexdigest()
