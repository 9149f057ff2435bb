"""Git: what lets git work on the workspace from inside."""

from __future__ import annotations


def git_environment(workspace: str) -> dict[str, str]:
    """Return the variables that make git trust exactly this workspace.

    Docker Desktop shows files as owned by another uid than the one inside, which git would
    refuse as "dubious ownership". See GIT_CONFIG_COUNT in git-config(1).
    """
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": workspace,
    }
