"""The study: Optuna's database, opened by the search, by each of its trials, and by `sweep`."""

from __future__ import annotations

import fcntl
import logging
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from starter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study

ABOUT = "search"
"""The study's attribute that says what was searched: metric, space, words."""
WHY = "fail_reason"
"""A trial's attribute that says why it failed; Optuna's own."""
_log = logging.getLogger(__name__)
_PATIENCE_S = 60
"""How long a writer waits for the others that write into the same SQLite file."""
_LINGERING_S = 10
"""How long the workers of a data loader may outlive their killed process, whose lock they share."""
_BEGIN = "`train hparams_search=...` makes one."


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a database says into an error that names it, without its password.

    Raises:
        ConfigError: The database cannot be opened, read or written.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(
            f"hydra.sweeper.storage={shown(url)}: {reason}",
            hint="It must be a database that a search has made, or a place where one can be made.",
        ) from error


def shown(url: str) -> str:
    """Return a database's address as it may be shown."""
    try:
        return repr(make_url(url))
    except SQLAlchemyError:
        return "(no address of a database)"


def open_storage(url: str, *, make: bool) -> RDBStorage:
    """Open a database; where it is a file of SQLite that is made, it appears whole or not at all.

    Raises:
        ConfigError: It cannot be opened or made, or there is none and none is to be made.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    with explained(url):
        address = make_url(url)
        if address.get_backend_name() != "sqlite" or not address.database:
            return RDBStorage(url)
        path = Path(address.database)
        if not path.exists():
            if not make:
                raise ConfigError(f"{path}: there is no such file.", hint=_BEGIN)
            making = path.with_name(f".{path.name}.making")
            making.unlink(missing_ok=True)
            RDBStorage(str(address.set(database=str(making)))).engine.dispose()
            making.replace(path)
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _PATIENCE_S}})


def begin(url: str, name: str, direction: str) -> Study:
    """Return a study by its name, begun where there is none.

    Raises:
        ConfigError: The database cannot be used, or the study goes in another direction.
    """
    storage = open_storage(url, make=True)
    with explained(url):
        if name not in {each.study_name for each in storage.get_all_study_summaries()}:
            return optuna.create_study(storage=storage, study_name=name, direction=direction)
        study = optuna.load_study(storage=storage, study_name=name)
        before = study.direction.name.lower()
        if before != direction:
            raise misfit(name, f"hydra.sweeper.direction was {before}, and is {direction}")
        return study


def begin_anew(study: Study, url: str, direction: str) -> Study:
    """Return a study in place of one of which nothing shall be kept.

    Raises:
        ConfigError: The database cannot be written.
    """
    with explained(url):
        optuna.delete_study(study_name=study.study_name, storage=study._storage)  # noqa: SLF001  its own
    return begin(url, study.study_name, direction)


def load(
    url: str,
    name: str | None = None,
    *,
    pruner: BasePruner | None = None,
    sampler: BaseSampler | None = None,
) -> Study:
    """Return a study that was begun; without a name, the only one of the database.

    Always read anew: through Optuna's cache a process does not see what others have written of
    the trials that it asked for itself.

    Raises:
        ConfigError: The database cannot be used, or has no such study.
    """
    storage = open_storage(url, make=False)
    with explained(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        names = [each.study_name for each in storage.get_all_study_summaries()]
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            held = ", ".join(names) or "none"
            raise ConfigError(
                f"{shown(url)} holds no study {name or 'that would be the only one'}.",
                hint=f"It holds: {held}.",
            )
        return optuna.load_study(storage=storage, study_name=name, pruner=pruner, sampler=sampler)


def trial_id(study: Study, number: int) -> int:
    """Return by which number the database knows a trial of a study."""
    # As `Study.tell` does: nothing public leads from the one to the other.
    storage, study_key = study._storage, study._study_id  # noqa: SLF001
    return storage.get_trial_id_from_study_id_trial_number(study_key, number)


def misfit(name: str, what: str) -> ConfigError:
    """Return the error of a study whose trials would not compare with those to come."""
    return ConfigError(
        f"The study {name!r} is another search: {what}.",
        hint="Search as before, or begin another study: hydra.sweeper.study_name=NAME",
    )


def require_same(name: str, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    """Check that the trials of a study compare with those to come.

    Raises:
        ConfigError: What is searched has changed.
    """
    if before is None:
        raise misfit(name, "no search of this project began it")
    if before["metric"] != now["metric"]:
        raise misfit(name, f"metric was {before['metric']}, and is {now['metric']}")
    was, becomes = before["space"], now["space"]
    changed = sorted(key for key in {*was, *becomes} if was.get(key) != becomes.get(key))
    if changed:
        raise misfit(name, f"{', '.join(changed)} had other values to search")
    for word in sorted({*before["words"]} ^ {*now["words"]}):
        began = "was, and is no more" if word in before["words"] else "was not, and is now"
        _log.warning("the earlier trials may not compare: %s %s", word, began)


@contextmanager
def alone(sweep_dir: Path) -> Iterator[None]:
    """Keep others from searching in the same folder; a killed search keeps nobody.

    Raises:
        ConfigError: Another process is searching there.
    """
    sweep_dir.mkdir(parents=True, exist_ok=True)
    with (sweep_dir / ".lock").open("w", encoding="utf-8") as file:
        until = time.monotonic() + _LINGERING_S
        while not _locked(file):
            if time.monotonic() > until:
                raise ConfigError(
                    f"{sweep_dir}: another process is searching here.",
                    hint="Wait for it, or begin another study: hydra.sweeper.study_name=NAME",
                )
            time.sleep(0.2)
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
