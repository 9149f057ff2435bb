"""A fresh project made from demo/: what is copied, what is renamed."""
