"""Shared learning parts: networks over time, one training loop, self-supervision, ONNX.

PyTorch is needed to train and is imported by the modules that define networks; nothing else
imports those, so that reading, annotating with shipped weights and embedding run without it.

=================  ==========================================================
needs PyTorch      `unet1d`, `context`, `encoder`, `objectives`, `finetuning`
imports it late    `training`, `pretraining`, `onnx_files`
never needs it     `windows`, `augment`, `checkpoint`, `inference`, `embedding`,
                   `segmenting`, `softmax` (small heads), `adaptation` (of features)
=================  ==========================================================
"""
