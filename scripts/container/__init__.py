"""Heart 1: observe the host and the engine, plan the container, apply the plan, prove it from inside."""
