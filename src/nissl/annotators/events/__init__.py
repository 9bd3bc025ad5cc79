"""Events in EEG, MEG and field potentials: spindles, seizures, artifacts, bursts and their like."""
