"""A new project, planned: names and texts, nothing is written."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from scripts.errors import SettingsError
from scripts.template.plan import ProjectFile, plan_project, read_names


@pytest.mark.parametrize(
    ("name", "package", "classes", "variables"),
    [
        ("cats", "cats", "Cats", "CATS"),
        ("cat-or-dog", "cat_or_dog", "CatOrDog", "CAT_OR_DOG"),
        ("Cat_2", "cat_2", "Cat2", "CAT_2"),
    ],
)
def test_one_name_gives_all_others(name: str, package: str, classes: str, variables: str) -> None:
    names = read_names(name, ())
    assert names.directory == name
    assert (names.package, names.classes, names.variables) == (package, classes, variables)


@pytest.mark.parametrize(
    "name", ["", "9a", "-a", "a-", "a--b", "a-_b", "a b", "a/b", "../a", "a.b", "é", "_a", "a\n"]
)
def test_what_no_package_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a project's name"):
        read_names(name, ())


@pytest.mark.parametrize("name", ["class", "Import", "async"])
def test_words_of_python_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="a word of Python's own"):
        read_names(name, ())


@pytest.mark.parametrize("name", ["torch", "hydra-core", "Hydra_Core"])
def test_a_name_that_would_hide_what_the_project_imports_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="would hide it") as caught:
        read_names(name, ("torch", "hydra-core"))
    assert read_names(caught.value.hint.split()[2].rstrip("."), ("torch", "hydra-core"))


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("from starter.train import main", "from cat_dog.train import main"),
        ("_target_: starter.losses.Focal", "_target_: cat_dog.losses.Focal"),
        ("class StarterError(Exception)", "class CatDogError(Exception)"),
        ("STARTER_HOME, starter_path", "CAT_DOG_HOME, cat_dog_path"),
        ("restarted by starters, restarter", "restarted by starters, restarter"),
        ("demo/bin/train and `cd demo`", "cat-dog/bin/train and `cd cat-dog`"),
        ("./inv demo, the demo, a/demo/b", "./inv demo, the demo, a/demo/b"),
    ],
)
def test_the_templates_names_become_the_projects(text: str, renamed: str) -> None:
    assert read_names("cat-dog", ()).renamed(text) == renamed


def test_paths_links_and_texts_are_renamed_modes_and_pictures_stay() -> None:
    picture = b"\x89PNG starter \0"
    latin = "starter é".encode("latin-1")
    files = (
        ProjectFile(PurePosixPath("bin/train"), b"import starter\n", 0o755),
        ProjectFile(PurePosixPath("starter/a.png"), picture),
        ProjectFile(PurePosixPath("starter/latin.txt"), latin),
        ProjectFile(PurePosixPath("here"), link="starter/configs"),
    )
    made = plan_project(files, read_names("cats", ()))
    assert made == (
        ProjectFile(PurePosixPath("bin/train"), b"import cats\n", 0o755),
        ProjectFile(PurePosixPath("cats/a.png"), picture),
        ProjectFile(PurePosixPath("cats/latin.txt"), latin),
        ProjectFile(PurePosixPath("here"), link="cats/configs"),
    )
