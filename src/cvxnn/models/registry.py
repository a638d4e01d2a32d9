"""The registry of the kinds of networks: what stands here is everywhere, by one line."""

from __future__ import annotations

# The name of a model as a string, and its class in the file of models/ with that name.
MODELS = {
    "relu": "ReLU",
    "gated": "Gated",
    "conv": "Conv",
    "linear_conv": "LinearConv",
    "circular_conv": "CircularConv",
    "polynomial": "Polynomial",
    "quantized": "Quantized",
    "parallel": "Parallel",
}
