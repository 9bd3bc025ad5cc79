"""The tasks and methods that there are, by name."""

from __future__ import annotations

from nissl.errors import MissingDependencyError
from nissl.registry import Registry
from nissl.tasks.contracts import Annotator
from nissl.tasks.task import Task

EVENTS = {
    "spindles": "spindles:SPINDLES",
    "yasa-spindles": "yasa:YASA_SPINDLES",
    "yasa-slow-waves": "yasa:YASA_SLOW_WAVES",
    "yasa-rems": "yasa:YASA_REMS",
    "slow-waves": "slow_waves:SLOW_WAVES",
    "bursts": "bursts:BURSTS",
    "seizures": "seizures:SEIZURES",
    "artifacts": "artifacts:ARTIFACTS",
    "spikes-interictal": "sharp:SPIKES_INTERICTAL",
    "hfo": "sharp:HFO",
    "suppression": "suppression:SUPPRESSION",
    "nissl": "learner:LEARNER",
    "microstates": "microstates:MICROSTATES",
    "arousals": "sleep_events:AROUSALS",
    "respiration": "sleep_events:RESPIRATION",
    "limb-movements": "sleep_events:LIMB_MOVEMENTS",
    "background": "critical_care:BACKGROUND",
}
"""Methods of the task "events", the default first, and where they are."""

TASKS: Registry[Task] = Registry(
    "tasks",
    {
        name: f"nissl.annotators.{name}.task:{name.upper()}"
        for name in (
            "spikes",
            "curation",
            "celltypes",
            "sleep",
            "events",
            "components",
            "decoding",
            "cells",
            "rates",
            "tracks",
            "names",
            "masks",
            "windows",
        )
    },
)


ANNOTATORS: Registry[Annotator] = Registry(
    "annotators",
    {
        f"spikes/{name}": f"nissl.annotators.spikes.adapters:{name.upper()}"
        for name in ("lupin", "tridesclous2", "spykingcircus2", "mountainsort5", "kilosort4")
    }
    | {
        "spikes/nissl": "nissl.annotators.spikes.adapters:NISSL",
        "curation/nissl": "nissl.annotators.curation.learner:LEARNER",
        "curation/thresholds": "nissl.annotators.curation.thresholds:THRESHOLDS",
        "celltypes/nissl": "nissl.annotators.celltypes.learner:LEARNER",
        "celltypes/putative": "nissl.annotators.celltypes.putative:PUTATIVE",
        "sleep/nissl": "nissl.annotators.sleep.learner:LEARNER",
        "sleep/yasa": "nissl.annotators.sleep.yasa:YASA",
        "sleep/network": "nissl.annotators.sleep.network:NETWORK",
        "sleep/combined": "nissl.annotators.sleep.combined:COMBINED",
        "components/icalabel": "nissl.annotators.components.icalabel:ICALABEL",
        "celltypes/c4": "nissl.annotators.celltypes.c4_method:C4_METHOD",
        "cells/nissl": "nissl.annotators.cells.method:NISSL",
        "cells/quality": "nissl.annotators.cells.learner:LEARNER",
        "rates/nissl": "nissl.annotators.rates.method:NISSL",
        "rates/oasis": "nissl.annotators.rates.method:OASIS",
        "rates/derivative": "nissl.annotators.rates.method:DERIVATIVE",
        "cells/still": "nissl.annotators.cells.still:STILL",
        "rates/voltage": "nissl.annotators.rates.voltage_method:VOLTAGE",
        "tracks/nissl": "nissl.annotators.tracks.method:NISSL",
        "cells/suite2p": "nissl.annotators.cells.peers:SUITE2P",
        "cells/cellpose": "nissl.annotators.cells.peers:CELLPOSE",
        "cells/caiman": "nissl.annotators.cells.peers:CAIMAN",
        "tracks/registration": "nissl.annotators.tracks.registering:REGISTRATION",
        "tracks/blobs": "nissl.annotators.tracks.linking:BLOBS",
        "names/atlas": "nissl.annotators.names.method:ATLAS",
        "tracks/masks": "nissl.annotators.masks.centres:CENTRES",
        "names/nissl": "nissl.annotators.names.network_method:NISSL",
        "masks/nissl": "nissl.annotators.masks.method:NISSL",
        "masks/registration": "nissl.annotators.masks.registering:REGISTRATION",
        "windows/movement": "nissl.annotators.windows.methods:BY_MOVEMENT",
        "windows/sleep": "nissl.annotators.windows.methods:BY_SLEEP",
        "windows/population": "nissl.annotators.windows.methods:BY_POPULATION",
    }
    | {f"events/{name}": f"nissl.annotators.events.{target}" for name, target in EVENTS.items()}
    | {
        f"decoding/{name}": f"nissl.annotators.decoding.methods:{name.upper()}"
        for name in ("riemann", "csp", "ssvep", "fbcca", "trca", "xdawn", "eegnet")
    },
)


def resolve(name: str) -> tuple[Task, Annotator]:
    """Task and method of "task" or "task/method"; the first installed method by default.

    Raises
    ------
    BadArgumentError
        No such task or method.
    MissingDependencyError
        The method, or every method of the task, lacks a package.
    """
    task = TASKS.get(name.partition("/")[0])
    names = [name] if "/" in name else list(task.methods)
    lacking: dict[str, str] = {}
    for candidate in names:
        annotator = ANNOTATORS.get(candidate)
        missing = annotator.missing()
        if not missing:
            return task, annotator
        lacking |= missing
    raise MissingDependencyError(
        f"an installed method for {name!r}",
        f"none; missing {sorted(lacking)}",
        f"Install with: {next(iter(lacking.values()))}",
    )
