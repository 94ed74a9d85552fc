"""What goes wrong, in the words of the program."""

from __future__ import annotations


class BackstayError(Exception):
    """A failure: `code` as in docs/api.md ("conflict", "invalid_argument", ...), `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "", code: str = "failure") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.code = code
