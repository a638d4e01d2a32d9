"""Searches for networks of several outputs, whose neurons are shared."""
