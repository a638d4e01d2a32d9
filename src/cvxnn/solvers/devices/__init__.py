"""The sums over rows that a rough search needs, on a device: arrays of any library."""
