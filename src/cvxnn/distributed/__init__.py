"""Rows that are on a cluster, or on a disk, in dask collections: their sums and their bounds."""
