"""A DVC project brought in line with the settings: observe, plan, apply, verify, report.

Belongs here: what ``./inv dvc-init`` does to a workspace. It runs where DVC is, in the container.
"""

from scripts.project.init import init_project
from scripts.project.model import InitResult, Step, StepStatus

__all__ = ["InitResult", "Step", "StepStatus", "init_project"]
