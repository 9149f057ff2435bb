"""The launcher behind `hydra/launcher=ray_local` and `ray_cluster`: Hydra looks for it here.

Hydra imports it at each start: what is slow stands in starter/trials/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra_plugins.hydra_ray_launcher.ray_launcher import RayLauncher as HydraRayLauncher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.utils import JobReturn


class RayLauncher(HydraRayLauncher):
    """Hydra's launcher for Ray, whose trials start, fail and end as a run in this process does."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run trials on Ray, as many at once as there is room for, and wait for all of them."""
        from starter.trials.launching import launch  # noqa: PLC0415  Ray: only when it is used

        return launch(self, job_overrides, initial_job_idx)
