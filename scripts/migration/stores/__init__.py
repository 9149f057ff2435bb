"""The places that hold DVC objects, one module each, all behind the same protocol."""
