"""Pictures of a field are kept beside a label set, whole or not at all."""

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.project import open_project
from nissl.store.images import keep_images, kept_images

LABELS = "a" * 64


def test_pictures_come_back_by_name(tmp_path):
    rng = np.random.default_rng(0)
    images = {"mean": rng.normal(size=(5, 7)), "max": rng.normal(size=(1, 5, 7))}
    with open_project(tmp_path / "study") as project:
        store = project.store
        assert kept_images(store, LABELS) == {}
        keep_images(store, LABELS, {})
        assert kept_images(store, LABELS) == {}
        keep_images(store, LABELS, images)
        kept = kept_images(store, LABELS)
        assert list(kept) == ["mean", "max"]
        for name, digest in kept.items():
            assert np.array_equal(store.get_array(digest), images[name].astype(np.float32))
        keep_images(store, LABELS, images)
        assert kept_images(store, LABELS) == kept
        assert kept_images(store, "b" * 64) == {}


def test_pictures_of_several_sizes_are_refused(tmp_path):
    with open_project(tmp_path / "study") as project:
        for wrong in ({"a": np.zeros((2, 3)), "b": np.zeros((3, 2))}, {"a": np.zeros(3)}):
            with pytest.raises(BadArgumentError, match="one shape"):
                keep_images(project.store, LABELS, wrong)
