"""Bad rows of files: all of them named at once, or left out and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from ..errors import FileProblem, FormatError, ValidationException

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CORRECT", "OnError", "Problems"]

OnError: TypeAlias = Literal["raise", "skip"]
"""What to do about bad rows: name all of them in an error, or leave them out and list them."""

CORRECT = "Correct it or leave it out"

_HINT = 'With errors="skip" they are left out, and listed in the label set\'s `skipped`.'


class Problems:
    """Collects what is wrong with the rows of files.

    A reader goes on without a row that is bad, and notes it here: an annotation of COCO, a line of YOLO, an object of
    VOC. At the end it calls :meth:`throw`, and gives :attr:`frame` to its label set as ``skipped``. What is wrong
    with a file as a whole (no JSON, a list where an object should be) stays an error at once.

    Parameters
    ----------
    errors : {"raise", "skip"}
        Whether :meth:`throw` raises.

    Examples
    --------
    >>> problems = Problems("skip")
    >>> problems.add("a.txt", "line 2", "it has 3 numbers")
    >>> problems.throw()
    >>> problems.frame.loc[0].tolist()
    ['a.txt', 'line 2', 'it has 3 numbers', 'Correct it or leave it out']

    Where a check raises a FormatError for one row, that is noted as well:

    >>> with problems.noting():
    ...     raise FormatError("a.txt", "line 7", "class 9 is not in classes.txt", "Add it")
    >>> len(problems)
    2
    """

    def __init__(self, errors: OnError = "raise") -> None:
        if errors not in ("raise", "skip"):
            raise ValidationException(f'errors is "raise" or "skip", not {errors!r}.')
        self.skips = errors == "skip"
        self._rows: list[FileProblem] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, file: str, place: str, problem: str, remedy: str = CORRECT) -> None:
        """Note what is wrong at a place of a file, and what to do about it."""
        self._rows.append(FileProblem(file, place, problem, remedy))

    def note(self, error: FormatError) -> None:
        """Note what an error says."""
        self._rows += error._problems

    def noting(self) -> _Noting:
        """Note a FormatError that is raised inside of a ``with``, and go on behind it."""
        return _Noting(self)

    def throw(self) -> None:
        """Raise one error that names all problems, if there are any and they are not to be skipped.

        Raises
        ------
        FormatError
            Its message names the first five and how many there are; all are in its ``problems``.
        """
        if self._rows and not self.skips:
            raise FormatError.of(self._rows, _HINT)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a problem: ``file``, ``place``, ``problem``, ``remedy``."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(FileProblem._fields), dtype=object).astype("str")


class _Noting:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, FormatError):
            return False
        self._problems.note(error)
        return True
