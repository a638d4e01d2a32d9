"""The search for networks whose neurons see one group of columns each."""
