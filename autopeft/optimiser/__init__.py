"""Initial designs, surrogate, acquisition function and local search."""
