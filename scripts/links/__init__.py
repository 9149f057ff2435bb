"""Links: how files in the workspace are tied to the DVC cache, on both sides of the wall.

Belongs here: which link types work between two directories (``probe``), which to use (``choose``),
giving a checkout new ones (``relink``), what a checkout looks like now (``tracked``), mending it
(``repair``), and the contract of a cache that several people or projects share (``shared``,
``registry``). Each function works on the side that calls it; ``worker`` calls them inside.
"""
