"""A fresh project made from demo/: what is copied, and what is called otherwise."""
