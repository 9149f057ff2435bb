"""What is measured against peers: each module is a command that prints ratios from one run."""
