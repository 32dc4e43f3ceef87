"""What can go wrong: :class:`HastyError` and its children."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AuthenticationException",
    "AuthorisationException",
    "BatchError",
    "ConnectionFailed",
    "EvaluationWarning",
    "FormatError",
    "FrameError",
    "HastyError",
    "InferenceException",
    "InsufficientCredits",
    "JobFailed",
    "JournalError",
    "LimitExceededException",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "PlanWarning",
    "Problem",
    "RateLimited",
    "ReadError",
    "RequestTimeout",
    "ServerError",
    "SizeLimitError",
    "UnexpectedAnswer",
    "ValidationException",
]


class HastyError(Exception):
    """The parent of every error that hastyframe raises on purpose.

    Parameters
    ----------
    message : str
        What happened and what to do about it.
    request : str, optional
        The request it happened to, as ``"GET /v1/projects"``. Never holds the key.
    status : int, optional
        The status code of the server's answer.
    request_id : str, optional
        What the server calls the request (``X-Request-ID``): its owner finds it in the logs by that.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        named = f" [{self.request}]" if self.request else ""
        return f"{self.message}{named} (request ID {self.request_id})" if self.request_id else f"{self.message}{named}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process boundaries; what a child's __init__ takes is not what the message says.
        return _restore, (type(self), self.args, self.__dict__)


class ValidationException(HastyError, ValueError):
    """The input is not what the API takes: found before sending, or refused by the server with 400."""


class FormatError(ValidationException):
    """A file that cannot be read, or that cannot be written as asked.

    Parameters
    ----------
    file : str
        Its name.
    place : str
        Where in the file: a key, a row, a member of an archive. Empty for the file as a whole.
    problem : str
        What is wrong there.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> error = FormatError("a.json", "images[3]", "'id' is missing", "Give every row its 'id'")
    >>> print(error)
    a.json, images[3]: 'id' is missing. Give every row its 'id'.
    >>> error.problems.to_dict("records")
    [{'file': 'a.json', 'place': 'images[3]', 'problem': "'id' is missing", 'remedy': "Give every row its 'id'"}]
    """

    _shown = 5

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place_in_file(file, place)}: {problem}. {remedy}.")
        self.file = file
        self.place = place
        self.problem = problem
        self.remedy = remedy
        self._problems: list[FileProblem] = [FileProblem(file, place, problem, remedy)]

    @classmethod
    def of(cls, problems: Sequence[FileProblem], hint: str = "") -> FormatError:
        """Make one error of all problems: its message names the first five, its attributes are those of the first.

        Examples
        --------
        >>> bad = [FileProblem("a.txt", f"line {line}", "it has 3 numbers", "Correct it") for line in (2, 7)]
        >>> print(FormatError.of(bad))
        2 problems, and nothing was read:
          a.txt, line 2: it has 3 numbers. Correct it.
          a.txt, line 7: it has 3 numbers. Correct it.
        """
        error = cls(*problems[0])
        error._problems = list(problems)
        if len(problems) > 1:
            lines = [f"{len(problems):,} problems, and nothing was read:"]
            lines += [f"  {place_in_file(p.file, p.place)}: {p.problem}. {p.remedy}." for p in problems[: cls._shown]]
            if (rest := len(problems) - cls._shown) > 0:
                lines.append(f"  and {rest:,} more: all of them are in the error's `problems`, a DataFrame.")
            error.message = "\n".join([*lines, hint] if hint else lines)
            error.args = (error.message,)
        return error

    @property
    def problems(self) -> pd.DataFrame:
        """One row a problem: ``file``, ``place``, ``problem``, ``remedy``."""
        import pandas as pd

        return pd.DataFrame(self._problems, columns=list(FileProblem._fields), dtype=object)


class FileProblem(NamedTuple):
    """One thing that is wrong at one place of a file."""

    file: str
    place: str
    problem: str
    remedy: str


def place_in_file(file: str, place: str) -> str:
    """Name a place in a file, or the file as a whole."""
    return f"{file}, {place}" if place else file


class LimitExceededException(ValidationException):
    """More things at once than the API takes in one request."""


class SizeLimitError(ValidationException):
    """A file or an answer that would take more memory or time than its :class:`~hastyframe.limits.Limits` allow.

    Parameters
    ----------
    what : str
        What is too large, and where: a file and its member, a request.
    amount : str
        How large it is, with its unit.
    limit : str
        The name of the bound, as ``"pixels"``.
    allowed : float
        The bound.
    """

    def __init__(self, what: str, amount: str, limit: str, allowed: float) -> None:
        super().__init__(
            f"{what}: {amount}, where {allowed:,.0f} is the most. If you trust where it comes from, give "
            f"limits=hf.Limits({limit}=...)."
        )
        self.what = what
        self.limit = limit


class AuthenticationException(HastyError):
    """The server does not know the API key (401)."""


class AuthorisationException(HastyError):
    """The API key is known and may not do this (403)."""


class InsufficientCredits(HastyError):
    """The account is out of credits (402)."""


class NotFound(HastyError, LookupError):
    """The thing that was asked for does not exist (404)."""


ACCOUNT_ERRORS = (AuthenticationException, AuthorisationException, InsufficientCredits)
"""Errors after which no other request of the kind can succeed."""


class RateLimited(HastyError):
    """The server kept answering 429 until the client gave up."""


class NotSent(RateLimited):
    """A request that was not sent, because the server has asked to slow down."""


class ServerError(HastyError):
    """The server had trouble of its own (5xx) until the client gave up."""


class ConnectionFailed(HastyError, ConnectionError):
    """No connection to the server, or it broke, until the client gave up."""


class RequestTimeout(HastyError, TimeoutError):
    """The server did not answer in time."""


class UnexpectedAnswer(HastyError):
    """The answer is not one of the Hasty API: HTML, cut JSON, a redirect of a write, a missing key."""


class OutcomeUnknown(HastyError):
    """A creating request broke off after it was sent: the server may have done it or not.

    It is never simply repeated, because that could create the same thing twice. Read back what is there first.
    """


class InferenceException(HastyError):
    """The model is not loaded."""


TRANSIENT_ERRORS = (UnexpectedAnswer, ServerError, ConnectionFailed, RequestTimeout, RateLimited)
"""Errors that may not come again when the same is tried later."""


class JobFailed(HastyError):
    """An export or an automated labeling ended without a result."""


class JournalError(HastyError):
    """A journal that cannot be written or gone on with: it is there already, held by somebody else, or none at all."""


class EvaluationWarning(UserWarning):
    """An evaluation whose result is seldom what was meant: no image in common, boxes held against masks."""


class PlanWarning(UserWarning):
    """A plan that would do what is seldom meant: delete most of what was read, say. It is carried out all the same."""


class Problem(NamedTuple):
    """One thing that is wrong with one row of a frame."""

    column: str
    row: Any
    value: Any
    remedy: str


class FrameError(ValidationException):
    """A frame that cannot be sent, with every bad row named.

    Parameters
    ----------
    problems : iterable of Problem
        What is wrong: column, row (its index label), value, and what would be right.
    frame : str
        What the frame is called.
    outcome : str
        What did not happen.

    Attributes
    ----------
    problems : pandas.DataFrame
        Columns ``column``, ``row``, ``value``, ``remedy``; one row a problem.
    """

    _shown = 5

    def __init__(
        self, problems: Iterable[Problem], frame: str = "the frame", outcome: str = "nothing was sent"
    ) -> None:
        self._problems: Sequence[Problem] = list(problems)
        lines = [
            f"  {p.column}, row {_short(p.row)}: {_short(p.value)}. {p.remedy}" for p in self._problems[: self._shown]
        ]
        rest = len(self._problems) - self._shown
        if rest > 0:
            lines.append(f"  and {rest:,} more: all of them are in the error's `problems`, a DataFrame.")
        what = "1 problem" if len(self._problems) == 1 else f"{len(self._problems):,} problems"
        super().__init__(f"{what} in {frame}, {outcome}:\n" + "\n".join(lines))

    @property
    def problems(self) -> pd.DataFrame:
        """One row a problem: ``column``, ``row``, ``value``, ``remedy``."""
        import pandas as pd

        try:
            return pd.DataFrame(self._problems, columns=list(Problem._fields))
        except (UnicodeEncodeError, OverflowError):  # of the very values that are the problem
            return pd.DataFrame(self._problems, columns=list(Problem._fields), dtype=object)


class BatchError(HastyError):
    """Some rows of a bulk call were not carried out; the others were.

    Attributes
    ----------
    report : pandas.DataFrame
        One row for each row that was asked for, with its fate and the server's words.
    """

    def __init__(self, message: str, report: pd.DataFrame) -> None:
        super().__init__(message)
        self.report = report


class ReadError(BatchError):
    """Some of many things could not be read; what was read is kept.

    The same call again, in the same process and soon, reads only what is missing.

    Attributes
    ----------
    report : pandas.DataFrame
        A row a thing, by its id: ``outcome``, which is ``read`` or ``failed``, and ``message``.
    partial : pandas.DataFrame
        What was read, as the call returns it.
    """

    def __init__(self, message: str, report: pd.DataFrame, partial: Any) -> None:
        super().__init__(message, report)
        self.partial = partial


def _restore(kind: type[HastyError], args: tuple[Any, ...], state: dict[str, Any]) -> HastyError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


_OF_NUMPY = re.compile(r"\bnp\.(?:\w+_|u?int\d+|float\d+)\(([^()]*)\)")


def said(value: Any) -> str:
    """Return a value as it stands in a message: 3 and ['a'], where NumPy says np.int64(3) and [np.str_('a')]."""
    value = value.item() if hasattr(value, "dtype") and value.ndim == 0 else value
    return _OF_NUMPY.sub(r"\1", repr(value))


def _short(value: Any, width: int = 80) -> str:
    text = said(value)
    return text if len(text) <= width else text[: width - 1] + "…"
