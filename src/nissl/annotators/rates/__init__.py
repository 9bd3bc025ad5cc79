"""The task "rates": spike rates and spikes from fluorescence of calcium or voltage."""
