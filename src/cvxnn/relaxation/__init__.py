"""Lower bounds at any rank: a semidefinite relaxation with products of activations, in blocks."""
