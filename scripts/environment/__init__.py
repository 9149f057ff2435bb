"""What the image holds: requirements and their lock."""
