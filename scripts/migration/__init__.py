"""Heart 2: move a DVC project's data from one remote to another and prove that it arrived."""
