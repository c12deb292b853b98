"""The Osprey rule function `Magistrate`: P(violation) of a text under a written policy."""
