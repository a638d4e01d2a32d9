"""The largest ``v'phi`` of a pair of sign vectors: exactly by a tree, or bounded at any size."""
