"""Who an S3 remote is used as: DVC's own settings of the remote first, then the usual AWS chain."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

from scripts.errors import AccessDenied, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASK_AGAIN_AFTER = timedelta(minutes=5)
"""How long obstore keeps keys that the chain may replace (roles, single sign-on)."""

CredentialProvider = Callable[[], Any]
PROFILE_OPTIONS = ("profile", "credentialpath", "configpath")
"""DVC's options of a remote that :func:`session_for` heeds."""


def session_for(config: Mapping[str, Any], environ: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Return the botocore session of a remote: its profile, its files, its patience.

    Args:
        config: DVC's settings of the remote.
        environ: What Slipway's settings hand over (``AWS_...``); goes before the environment.

    Raises:
        SettingsError: The profile is unknown.
    """
    import botocore.session  # noqa: PLC0415
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

    profile = config.get("profile") or environ.get("AWS_PROFILE")
    session = botocore.session.Session(profile=profile)
    for variable, option in (("credentials_file", "credentialpath"), ("config_file", "configpath")):
        if config.get(option):
            session.set_config_variable(variable, str(config[option]))
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise SettingsError(
            f"There is no AWS profile '{profile}'.",
            hint="`aws configure list-profiles` lists those that there are; AWS_PROFILE or the "
            "remote's `profile` names one.",
        ) from error
    return session


def credentials_for(
    name: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    session: Callable[[], Any],
) -> CredentialProvider:
    """Return what obstore asks for the keys of the remote ``name``.

    ``session`` returns botocore's; it is not asked for if the keys are told already.

    Raises:
        AccessDenied: There are none, or they cannot be read.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    if config.get("access_key_id") and config.get("secret_access_key"):
        return _fixed(
            config["access_key_id"], config["secret_access_key"], config.get("session_token")
        )
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret and not config.get("profile"):
        return _fixed(key_id, secret, environ.get("AWS_SESSION_TOKEN"))
    try:
        found = session().get_credentials()
    except BotoCoreError as error:
        raise AccessDenied(
            f"{name}: its credentials cannot be read ({type(error).__name__}).",
            hint="Check the remote's profile and ~/.aws.",
        ) from error
    if found is None:
        raise AccessDenied(
            f"{name}: there are no credentials for this remote.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .env or the environment, or "
            f"`dvc remote modify --local {name} access_key_id ...` (and secret_access_key).",
        )

    def ask() -> dict[str, Any]:
        frozen = found.get_frozen_credentials()
        until = datetime.now(timezone.utc) + _ASK_AGAIN_AFTER
        return _answer(frozen.access_key, frozen.secret_key, frozen.token, until)

    return ask


def _fixed(key_id: str, secret: str, token: str | None) -> CredentialProvider:
    return lambda: _answer(key_id, secret, token, None)


def _answer(key_id: str, secret: str, token: str | None, until: datetime | None) -> dict[str, Any]:
    answer = {"access_key_id": key_id, "secret_access_key": secret, "expires_at": until}
    return {**answer, "token": token} if token else answer
