"""The worker's protocol, written and read again: the wall changes nothing of what is said."""

from __future__ import annotations

import io
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from scripts import errors
from scripts.errors import CacheError, CommandFailed, SlipwayError, ToolError
from scripts.links import worker
from scripts.links.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.progress import Progress


class Recorder:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int | None, str]] = []
        self.counted: list[int] = []
        self.said: list[str] = []
        self.open = 0

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Recorder]:
        self.phases.append((name, total, unit))
        self.counted.append(0)
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def advance(self, amount: int = 1) -> None:
        self.counted[-1] += amount

    def say(self, message: str) -> None:
        self.said.append(message)


def answered(call: Callable[..., dict[str, Any]], **arguments: object) -> tuple[list[str], int]:
    """Have the worker answer with ``call`` and return its lines and exit code."""
    lines = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(worker.CALLS, "made up", call)
        code = worker.answer({"call": "made up", **arguments}, worker.LineProgress(lines))
    return lines.getvalue().splitlines(), code


def read(lines: list[str]) -> tuple[Answers, Recorder]:
    recorder = Recorder()
    answers = Answers(recorder)
    for line in lines:
        answers.take(line)
    return answers, recorder


def test_progress_and_result_arrive_as_they_were_said() -> None:
    def call(progress: Progress, *, word: str) -> dict[str, Any]:
        with progress.phase("hashing", total=1000, unit="bytes") as phase:
            threads = [threading.Thread(target=phase.advance, args=(100,)) for _ in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        progress.say("halfway")
        with progress.phase("linking") as phase:
            phase.advance()
        return {"word": word, "ü": [1, None]}

    lines, code = answered(call, word="a\nb", attended=True)
    answers, recorder = read(lines)
    assert code == 0
    assert answers.result() == {"word": "a\nb", "ü": [1, None]}
    assert recorder.phases == [("hashing", 1000, "bytes"), ("linking", None, "objects")]
    assert recorder.counted == [1000, 1]
    assert recorder.said == ["halfway"]
    assert recorder.open == 0


def test_counting_is_throttled_and_nothing_of_it_lost() -> None:
    def call(progress: Progress) -> dict[str, Any]:
        with progress.phase("relinking", total=10_000, unit="files") as phase:
            for _ in range(10_000):
                phase.advance()
        return {}

    lines, _ = answered(call)
    assert len(lines) < 100
    assert sum(json.loads(line).get("advance", 0) for line in lines) == 10_000


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (CacheError("full", hint="free some"), CacheError),
        (errors.AccessDenied("no"), errors.AccessDenied),
        (CommandFailed(["dvc"], 1, "no", hint="try"), ToolError),
        (SlipwayError("odd"), SlipwayError),
    ],
)
def test_an_error_is_raised_again_as_what_it_was(
    raised: SlipwayError, expected: type[SlipwayError]
) -> None:
    def call(progress: Progress) -> dict[str, Any]:
        with progress.phase("relinking"):
            raise raised

    lines, code = answered(call)
    answers, recorder = read(lines)
    assert code == 0
    assert recorder.open == 0
    with pytest.raises(SlipwayError) as again:
        answers.result()
    assert type(again.value) is expected
    assert (again.value.message, again.value.hint) == (raised.message, raised.hint)


def test_every_error_of_the_tree_can_cross_the_wall() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in (kind for kind in kinds if issubclass(kind, SlipwayError)):
        answers, _ = read(
            [json.dumps({"error": {"kind": kind.__name__, "message": "m", "hint": "h"}})]
        )
        with pytest.raises(SlipwayError) as raised:
            answers.result()
        assert issubclass(kind, type(raised.value))
        assert (raised.value.message, raised.value.hint) == ("m", "h")
        assert raised.value.exit_code == kind.exit_code


def test_an_error_of_an_unknown_kind_is_still_an_error() -> None:
    answers, _ = read(['{"error": {"kind": "annotations", "message": "m", "hint": ""}}'])
    with pytest.raises(SlipwayError, match="m"):
        answers.result()


def test_an_interrupt_inside_is_one_outside() -> None:
    def call(_: Progress) -> dict[str, Any]:
        raise KeyboardInterrupt

    lines, code = answered(call)
    assert code == 130
    with pytest.raises(KeyboardInterrupt):
        read(lines)[0].result()


def test_a_bug_inside_keeps_its_traceback() -> None:
    def call(_: Progress) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answered(call)


def test_lines_that_are_no_answer_are_passed_over_but_count_for_none() -> None:
    answers, recorder = read(["", "WARNING: a runtime's", "[]", "17", '{"advance": 3}'])
    assert recorder.phases == []
    with pytest.raises(ToolError, match="without an answer"):
        answers.result()


def test_a_worker_that_dies_in_a_phase_leaves_none_open() -> None:
    answers, recorder = read(['{"phase": "hashing", "total": 1, "unit": "bytes"}'])
    assert recorder.open == 1
    with pytest.raises(ToolError):
        answers.result()
    assert recorder.open == 0
