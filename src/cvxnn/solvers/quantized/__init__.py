"""The search for quantised networks: sizes of given pairs, a semidefinite program, new pairs."""
