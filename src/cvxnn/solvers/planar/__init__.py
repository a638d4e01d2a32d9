"""The search on data of rank two, where rows are sorted by angle."""
