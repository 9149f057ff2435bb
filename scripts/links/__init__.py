"""DVC cache link types: which work, and on which side of the wall."""
