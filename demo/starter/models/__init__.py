"""Backbones, each from inputs to features, and the Lightning module that trains one."""
