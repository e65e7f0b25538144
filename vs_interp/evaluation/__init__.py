"""How good a network is: scores against withheld frames, beside other methods."""
