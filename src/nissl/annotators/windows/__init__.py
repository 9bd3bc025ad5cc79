"""Windows that recordings share: rest, stimuli, movement, two modalities at once, fragments."""
