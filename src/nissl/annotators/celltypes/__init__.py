"""The task "celltypes": which kind of neuron a sorted unit is."""
