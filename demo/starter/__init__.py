"""A small, complete deep-learning project on Lightning and Hydra, to start one's own from."""
