"""Glyphs: 240 made-up characters, each drawn 20 times, 28×28 grey levels (generated, needs no file)."""

from functools import cache

import numpy as np

from automl.data.dataset import Dataset

CLASSES = 240
DRAWERS = 20
SIDE = 28
STROKES = (2, 4)  # strokes of a character, at least and at most
POINTS = 16  # dots along a stroke
WIDTH = 0.045  # of the pen, in sides of the image
WOBBLE = 0.035  # deviation of a drawer's control points from the character's own


def glyphs() -> Dataset:
    """4,800 images (1, 28, 28), 240 classes: strokes are quadratic Bézier curves, drawers wobble and tilt."""
    return Dataset(_images().copy(), np.repeat(np.arange(CLASSES), DRAWERS), "image", CLASSES)


@cache
def _images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([_drawn(_character(rng), rng) for _ in range(CLASSES)])[:, None]


def _character(rng: np.random.Generator) -> np.ndarray:
    """Control points (strokes, 3, 2) in the unit square; half of the strokes start where another one ends."""
    strokes = rng.uniform(0.15, 0.85, (rng.integers(STROKES[0], STROKES[1] + 1), 3, 2))
    for number in range(1, len(strokes)):
        if rng.random() < 0.5:
            strokes[number, 0] = strokes[rng.integers(number), rng.choice((0, 2))]
    return strokes


def _drawn(character: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The character as each drawer draws it: (drawers, 28, 28) uint8, ink 255."""
    points = character + rng.normal(0, WOBBLE, (DRAWERS, *character.shape))
    angle, size = rng.normal(0, 0.12, DRAWERS), rng.normal(1, 0.08, DRAWERS)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * size
    points = np.einsum("ijd,dskj->dski", turn, points - 0.5) + 0.5
    points += rng.normal(0, 0.03, (DRAWERS, 1, 1, 2))
    t = np.linspace(0, 1, POINTS)[:, None]
    curve = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2])[..., 0]  # (3, POINTS)
    dots = np.einsum("dski,kp->dspi", points, curve).reshape(DRAWERS, -1, 2).astype(np.float32)
    grid = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    across = (grid[None, None] - dots[..., 0][..., None]) ** 2  # (drawers, dots, 28)
    down = (grid[None, None] - dots[..., 1][..., None]) ** 2
    distance = np.sqrt((down[..., :, None] + across[..., None, :]).min(1))
    ink = np.clip((WIDTH - distance) * SIDE + 0.5, 0, 1)
    image: np.ndarray = (255 * ink).astype(np.uint8)
    return image


PLUGIN = glyphs
