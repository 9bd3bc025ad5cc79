"""Names of neurons: which cell of the animal's plan a followed neuron is."""
