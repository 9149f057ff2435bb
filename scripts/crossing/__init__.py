"""What passes through the container's wall: paths, identity, git, network."""
