"""The engines that a container can be brought up on, one module each, behind one protocol."""
