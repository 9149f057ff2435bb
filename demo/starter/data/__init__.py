"""Data: what is made here, how it is read, and in which order it is seen."""
