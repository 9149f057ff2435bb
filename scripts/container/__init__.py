"""Heart 1: observe the host and the engine, plan the container, apply, prove it from inside."""
