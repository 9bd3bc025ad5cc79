"""What drives what: directed dependence between series, each arrow with a test and a verdict.

Transfer entropy (Gaussian, nearest neighbours, spike trains in bins and in continuous time),
Granger causality in time and frequency, and dynamic causal models of fMRI. Direction is claimed
only where it survives what could feign it; see `nissl.align.directed.arrows`.
"""
