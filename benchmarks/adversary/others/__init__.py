"""Networks of degree two, of signs and of three layers, held against arithmetic of their own."""
