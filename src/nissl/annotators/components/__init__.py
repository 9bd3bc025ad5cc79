"""Independent components of EEG: what each is."""
