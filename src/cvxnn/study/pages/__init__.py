"""Pages about networks and methods that the paper names beside its experiments."""
