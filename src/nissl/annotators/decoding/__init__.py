"""Annotators of the task "decoding": what a trial was, from EEG, MEG, ECoG or spikes."""
