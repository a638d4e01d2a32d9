"""Networks of several outputs on fixed gates: nuclear norms, one for each gate."""
