"""What a bucket itself does with the objects in it: let them expire, keep them from being deleted.

It is asked for, never guessed. A server that knows no such rules, or does not tell them, has none
as far as can be told.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COLD = {"GLACIER", "DEEP_ARCHIVE"}


class BucketRules:
    """The rules of ``bucket``, as far as they concern what lies below ``prefix``.

    Args:
        name: The remote's name in DVC's configuration.
        bucket: The bucket's name.
        prefix: The remote's path in it, without slashes around it.
        connect: Returns botocore's client; called when it is needed.
    """

    def __init__(self, name: str, bucket: str, prefix: str, connect: Callable[[], Any]) -> None:
        self._name = name
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._connect = connect

    def cautions(self) -> tuple[str, ...]:
        """Return what a person should know before anything is written there."""
        return (*self._lifecycle(), *self._lock())

    @cached_property
    def needs_checksums(self) -> bool:
        """Whether the server takes objects only with a checksum, as it retains them by default."""
        return self._retention is not None

    def _lifecycle(self) -> Iterator[str]:
        told = self._ask("get_bucket_lifecycle_configuration")
        for rule in told.get("Rules", ()):
            if rule.get("Status") != "Enabled" or not self._concerns(rule):
                continue
            what = f"{self._name}: the bucket {self._bucket} has the rule '{rule.get('ID', '')}'"
            expiration = rule.get("Expiration", {})
            if "Days" in expiration or "Date" in expiration:
                yield (
                    f"{what}, which deletes objects {_when(expiration)}: what is migrated there "
                    f"will be lost. Take {self._prefix or 'this bucket'} out of that rule first."
                )
            for transition in rule.get("Transitions", ()):
                if transition.get("StorageClass") in _COLD:
                    yield (
                        f"{what}, which moves objects to {transition['StorageClass']} "
                        f"{_when(transition)}: DVC cannot read them from there until they are "
                        "restored."
                    )

    def _concerns(self, rule: Mapping[str, Any]) -> bool:
        """Return whether a rule can apply to an object below the prefix; ours have no tags."""
        chosen = rule.get("Filter", {})
        both = chosen.get("And", {})
        if "Tag" in chosen or both.get("Tags"):
            return False
        prefix = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
        return bool(self._prefix.startswith(prefix) or prefix.startswith(self._prefix))

    def _lock(self) -> Iterator[str]:
        if self._retention is not None:
            mode, days = self._retention.get("Mode", ""), self._retention.get("Days")
            length = f"{days} days" if days else f"{self._retention.get('Years')} years"
            yield (
                f"{self._name}: the bucket {self._bucket} keeps every object for {length} (object "
                f"lock, {mode}): what is replaced or deleted there stays as an old version, and "
                "costs room until then."
            )

    @cached_property
    def _retention(self) -> Mapping[str, Any] | None:
        told = self._ask("get_object_lock_configuration").get("ObjectLockConfiguration", {})
        retention: Mapping[str, Any] | None = told.get("Rule", {}).get("DefaultRetention")
        return retention

    def _ask(self, question: str) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            told: Mapping[str, Any] = getattr(self._connect(), question)(Bucket=self._bucket)
        except (BotoCoreError, ClientError):
            return {}  # no such rule, no right to see it, or no such question: see the module
        return told


def _when(rule: Mapping[str, Any]) -> str:
    return f"after {rule['Days']} days" if "Days" in rule else f"on {rule.get('Date', '')}"
