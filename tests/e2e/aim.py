"""When to kill -9, so that what is under way is hit on a fast machine and on a slow one."""

import random


class Aim:
    """Draws delays around a moment, which it finds by what the last draws hit."""

    def __init__(self, seed: int, seconds: float, spread: tuple[float, float] = (0.5, 1.5), late_to_early: float = 1):
        """`seconds` is a first guess; in the long run there are `late_to_early` hits after the moment for each before."""
        self._draws, self._seconds, self._spread = random.Random(seed), seconds, spread
        self._earlier, self._later = 0.8, 0.8 ** -late_to_early

    def draw(self) -> float:
        return self._seconds * self._draws.uniform(*self._spread)

    def note(self, too_late: bool) -> None:
        self._seconds *= self._earlier if too_late else self._later
