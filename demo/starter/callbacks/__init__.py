"""What happens beside training: pictures, lines for the log, randomness that can be repeated."""
