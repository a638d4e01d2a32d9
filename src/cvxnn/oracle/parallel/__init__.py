"""Bounds on sub-networks of three layers, by choices of signs and an oracle of two layers."""
