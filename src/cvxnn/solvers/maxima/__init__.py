"""Searches for filters whose activations are pooled by their maximum."""
