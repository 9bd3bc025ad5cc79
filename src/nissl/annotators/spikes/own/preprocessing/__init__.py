"""Band, whitening, and the samples that every stage works on."""
