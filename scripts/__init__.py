"""Everything behind tasks.py: bring the container up, wire it to its host, move its data.

The package is never published; it is called ``scripts`` because that is where people look.
"""
