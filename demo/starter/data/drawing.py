"""Cats and dogs, drawn: the same number always gives the same picture.

Fur, background, light and noise are drawn from the same lots for both, so that nothing but the
animal's shape tells them apart: a cat has upright ears, a short face, slit pupils and whiskers; a
dog has hanging ears, a long snout, round pupils and often its tongue out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Point = tuple[float, float]
    Colour = tuple[int, int, int]

CLASSES = ("cat", "dog")
_FURS: tuple[Colour, ...] = (
    (196, 134, 74), (92, 84, 80), (222, 204, 176), (132, 92, 60), (164, 164, 168), (60, 54, 52),
)  # fmt: skip
_BACKGROUNDS: tuple[Colour, ...] = (
    (126, 168, 116), (150, 180, 212), (214, 196, 160), (176, 140, 150), (110, 120, 140),
)  # fmt: skip
_FINER = 2
"""Pictures are drawn larger by this and reduced, which smooths their edges."""


def draw_picture(kind: str, *, seed: int, index: int, size: int = 64) -> Image.Image:
    """Draw one animal.

    Args:
        kind: ``cat`` or ``dog``.
        seed: The data set's number.
        index: The picture's number in the data set.
        size: Its width and height in pixels.
    """
    rng = np.random.default_rng([seed, index, CLASSES.index(kind)])
    animal = _Animal(rng, size * _FINER)
    if kind == "cat":
        _draw_cat(animal)
    else:
        _draw_dog(animal)
    return _photographed(animal.picture, rng, size)


class _Animal:
    """A canvas with the animal's own coordinates: its head is the circle of radius 1 at 0, 0."""

    def __init__(self, rng: np.random.Generator, pixels: int) -> None:
        self.rng = rng
        self._scale = pixels * rng.uniform(0.2, 0.31)
        self._angle = rng.normal(0, 0.22)
        self._centre = (pixels * rng.uniform(0.42, 0.58), pixels * rng.uniform(0.44, 0.58))
        self._wide, self._high = rng.uniform(0.88, 1.12, size=2)
        self.turn = rng.uniform(-0.16, 0.16)
        """How far it looks to the side."""
        self.fur = self._varied(_FURS)
        self.dark: Colour = _mixed(self.fur, (20, 16, 14), 0.45)
        self.light: Colour = _mixed(self.fur, (255, 250, 244), 0.45)
        self.picture = _background(rng, pixels, self._varied(_BACKGROUNDS))
        self._draw = ImageDraw.Draw(self.picture)

    def ellipse(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """Draw an ellipse around a point."""
        steps = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        self.shape([(x + wide * math.cos(t), y + high * math.sin(t)) for t in steps], colour)

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """Draw a filled shape."""
        self._draw.polygon([self._placed(point) for point in points], fill=colour)

    def line(self, points: Sequence[Point], colour: Colour, thick: float = 0.035) -> None:
        """Draw a line."""
        width = max(1, round(thick * self._scale))
        self._draw.line([self._placed(point) for point in points], fill=colour, width=width)

    def on_both_sides(self, draw: Callable[[int], None]) -> None:
        """Draw something left and right."""
        for side in (-1, 1):
            draw(side)

    def _placed(self, point: Point) -> Point:
        x, y = point[0] * self._wide * self._scale, point[1] * self._high * self._scale
        cos, sin = math.cos(self._angle), math.sin(self._angle)
        return self._centre[0] + x * cos - y * sin, self._centre[1] + x * sin + y * cos

    def _varied(self, colours: Sequence[Colour]) -> Colour:
        colour = np.array(colours[self.rng.integers(len(colours))]) + self.rng.normal(0, 14, 3)
        red, green, blue = (int(part) for part in np.clip(colour, 0, 255))
        return red, green, blue


def _draw_cat(animal: _Animal) -> None:
    rng, turn = animal.rng, animal.turn
    spread, height = rng.uniform(0.5, 0.75), rng.uniform(1.25, 1.6)
    eye, open_ = rng.uniform(0.34, 0.44), rng.uniform(0.11, 0.2)
    iris: Colour = ((150, 190, 70), (220, 180, 60), (110, 170, 200))[rng.integers(3)]

    animal.shape([(-0.75, 0.55), (-1.05, 2.6), (1.05, 2.6), (0.75, 0.55)], animal.fur)

    def ear(side: int) -> None:
        animal.shape(
            [(side * 0.95, -0.35), (side * (spread + 0.2), -height), (side * 0.2, -0.85)],
            animal.dark,
        )
        animal.shape(
            [(side * 0.8, -0.5), (side * (spread + 0.15), -height + 0.25), (side * 0.4, -0.8)],
            (205, 150, 150),
        )

    def side_of_face(side: int) -> None:
        animal.ellipse(turn + side * eye, -0.12, 0.2, open_, iris)
        animal.ellipse(turn + side * eye, -0.12, 0.045, open_ * 0.95, (15, 15, 15))
        animal.ellipse(turn + side * 0.15, 0.42, 0.19, 0.14, animal.light)
        for row in (-1, 0, 1):
            start = (turn + side * 0.25, 0.4 + 0.06 * row)
            animal.line([start, (turn + side * 1.3, 0.36 + 0.2 * row)], (245, 245, 240), 0.03)

    animal.on_both_sides(ear)
    animal.ellipse(0, 0, 1, 0.9, animal.fur)
    if rng.random() < 0.5:
        for stripe in (-0.2, 0.0, 0.2):
            animal.line([(turn + stripe, -0.85), (turn + stripe * 0.8, -0.5)], animal.dark, 0.07)
    animal.on_both_sides(side_of_face)
    animal.shape([(turn - 0.1, 0.2), (turn + 0.1, 0.2), (turn, 0.33)], (200, 120, 130))


def _draw_dog(animal: _Animal) -> None:
    rng, turn = animal.rng, animal.turn
    hang, ear_wide = rng.uniform(0.55, 0.9), rng.uniform(0.26, 0.38)
    eye, snout = rng.uniform(0.3, 0.42), rng.uniform(0.4, 0.55)
    long_ = rng.uniform(0.5, 0.72)

    animal.shape([(-0.7, 0.6), (-1.0, 2.6), (1.0, 2.6), (0.7, 0.6)], animal.fur)
    animal.ellipse(0, 0, 0.88, 0.98, animal.fur)

    def side_of_face(side: int) -> None:
        animal.ellipse(side * 0.95, 0.1 + hang * 0.3, ear_wide, hang, animal.dark)
        animal.ellipse(turn + side * eye, -0.22, 0.13, 0.14, (240, 238, 230))
        animal.ellipse(turn + side * eye, -0.2, 0.1, 0.11, (40, 26, 18))

    animal.on_both_sides(side_of_face)
    if rng.random() < 0.4:
        animal.ellipse(turn + eye, -0.2, 0.28, 0.3, animal.dark)
        animal.ellipse(turn + eye, -0.2, 0.1, 0.11, (30, 20, 14))
    if rng.random() < 0.6:
        animal.ellipse(turn, 0.45 + long_ * 0.9, 0.17, 0.3, (220, 110, 120))
    animal.ellipse(turn, 0.45, snout, long_, animal.light)
    animal.ellipse(turn, 0.2, 0.22, 0.15, (25, 22, 22))
    animal.line([(turn, 0.35), (turn, 0.62)], (60, 45, 40), 0.04)
    animal.line([(turn - 0.25, 0.72), (turn, 0.62), (turn + 0.25, 0.72)], (60, 45, 40), 0.05)


def _background(rng: np.random.Generator, pixels: int, colour: Colour) -> Image.Image:
    """Return a background that grows darker to one side, with blots on it."""
    across, down = np.meshgrid(np.linspace(0, 1, pixels), np.linspace(0, 1, pixels))
    angle = rng.uniform(0, 2 * math.pi)
    shade = 1 + 0.25 * (math.cos(angle) * (across - 0.5) + math.sin(angle) * (down - 0.5))
    filled = np.clip(np.array(colour) * shade[..., None], 0, 255).astype(np.uint8)
    picture = Image.fromarray(filled)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(2, 6)):
        x, y = rng.uniform(0, pixels, size=2)
        radius = rng.uniform(0.05, 0.2) * pixels
        blot = _mixed(colour, _FURS[rng.integers(len(_FURS))], rng.uniform(0.1, 0.5))
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=blot)
    return picture


def _photographed(picture: Image.Image, rng: np.random.Generator, size: int) -> Image.Image:
    """Return a picture as a camera would: reduced, blurred, in some light, with noise."""
    reduced = picture.resize((size, size), Image.Resampling.BOX)
    if rng.random() < 0.3:
        reduced = reduced.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0) * size / 64))
    pixels = np.asarray(reduced, dtype=np.float32) * rng.uniform(0.7, 1.25)
    pixels = pixels + rng.normal(0, rng.uniform(2, 14), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(colour, other))
    return red, green, blue
