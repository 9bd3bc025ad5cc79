import pytest

from nissl.io.channel_names import find_channels

IDS = ["EEG Fpz-Cz", "EEG C3-A2", "EEG C4-A1", "EOG horizontal", "Flow", "F3"]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("EEG Fpz-Cz", 0),
        ("eeg fpz-cz", 0),
        ("Fpz-Cz", 0),
        ("C3-M2", 1),
        ("C3-A2", 1),
        ("C4-M1", 2),
        ("Flow", 4),
        ("F3 (scalp)", 5),
        ("C3", None),
        ("C3-Cz", None),
        ("Pz", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_channel_is_found_by_what_its_name_means(name, index):
    assert find_channels([name], IDS) == ({} if index is None else {name: index})


def test_what_could_be_two_channels_is_none():
    assert find_channels(["C3-M2"], ["EEG C3-A2", "EEG C3-M2", "Cz"]) == {}
    assert find_channels(["c3"], ["C3", "c3"]) == {"c3": 1}
    assert find_channels(["x"], []) == {}
