"""Searching for good values: a study of Optuna, its trials as runs of `train`, and what came of it.

Whoever needs only to know how a run stands does not import Optuna: that is below.
"""
