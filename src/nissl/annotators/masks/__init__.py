"""Which voxels belong to each neuron, in every volume of a moving animal."""
