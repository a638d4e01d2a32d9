"""Losses with kinks, by a sequence of smooth ones."""
