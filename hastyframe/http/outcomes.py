"""What became of a request, as an error of the package: by the status of its answer, or by what came instead of one."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from hastyframe.errors import (
    AuthenticationException,
    AuthorisationException,
    ConnectionFailed,
    HastyError,
    InsufficientCredits,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RequestTimeout,
    ServerError,
    SizeLimitError,
    UnexpectedAnswer,
    ValidationException,
)
from hastyframe.urls import without_query

from .answers import Answer, TooLarge
from .causes import cause_of, is_timeout, never_sent, took_too_long

__all__ = ["NO_API", "REDIRECTS", "error_from_answer", "error_from_exception", "error_from_size", "is_transient"]

NO_API = "Is the base address the one of a Hasty API, and not of a web page or a proxy?"
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_IN_DOUBT = frozenset({408, 425, 460, 499})
"""Refusals that do not say what was done: the server, or a proxy before it, lost patience or thinks that we did."""
_PERMANENT = frozenset({501, 505, 506, 508, 510, 511})
"""Troubles of the server that will be the same the next time."""
_BY_STATUS: dict[int, tuple[type[HastyError], str]] = {
    400: (ValidationException, "The server refused the input."),
    401: (AuthenticationException, "The server does not know the API key. Check HASTY_API_KEY or api_key=."),
    402: (InsufficientCredits, "The account is out of credits. Top it up or ask its owner."),
    403: (AuthorisationException, "The API key may not do this. Ask the project's owner for the permission."),
    404: (NotFound, "There is no such thing on the server; it may have been deleted. Check the id."),
    407: (ConnectionFailed, "The proxy wants a user name and a password. Put them into HTTPS_PROXY or HTTP_PROXY."),
    429: (RateLimited, "The server kept asking to slow down. Wait a while, or use a smaller max_workers=."),
}


def is_transient(status: int) -> bool:
    """Whether a status may be another one the next time, while the request may have been carried out.

    Examples
    --------
    >>> [status for status in (400, 408, 499, 500, 501, 503, 522) if is_transient(status)]
    [408, 499, 500, 503, 522]
    """
    return status in _IN_DOUBT or (status >= 500 and status not in _PERMANENT)


def error_from_answer(answer: Answer, request: str, *, repeatable: bool = True, signed: bool = False) -> HastyError:
    """Return the error that says what an answer means that is no success; `signed` for other hosts."""
    status = answer.status
    kind: type[HastyError]
    if status in (401, 403) and signed:
        kind, text = AuthorisationException, f"The storage refused the address ({status}); it may have expired."
    elif status in _BY_STATUS:
        kind, text = _BY_STATUS[status]
    elif (status >= 500 or status in _IN_DOUBT) and not repeatable:
        kind = OutcomeUnknown
        text = f"The server had trouble ({status}) and may have done it or not; read back what is there first."
    elif status >= 500 or status in _IN_DOUBT:
        kind, text = ServerError, f"The server had trouble ({status}, {answer.tries} tries). Try again later."
    elif status >= 400:
        kind, text = ValidationException, f"The server refused the request ({status})."
    elif status in REDIRECTS:
        kind, place = UnexpectedAnswer, without_query(answer.place) or "nowhere"
        text = f"The server answered {status} and points to {place}; what writes is not sent elsewhere. {NO_API}"
    else:
        kind, text = UnexpectedAnswer, f"The server answered {status}, which does not say that all was done. {NO_API}"
    return kind(text + _words(answer, signed), request=request, status=status, request_id=answer.request_id)


def _words(answer: Answer, signed: bool) -> str:
    """Return what else there is to say of an answer that is no success."""
    text = ""
    if words := answer.words:
        text = f" The server said: {words}"
    elif answer.status == 404 and not signed and "json" not in answer.headers.get("Content-Type", "json"):
        text = f" The answer is not JSON. {NO_API}"
    if answer.status == 429 and answer.retry_after:
        text += f" It asks for a pause of {answer.retry_after:,.0f} s."
    return text


def error_from_exception(
    error: Exception, request: str, *, url: str, timeout: float, repeatable: bool, tries: int
) -> HastyError:
    """Return the error that says what happened to a request without an answer."""
    tried = "" if tries == 1 else f" ({tries} tries)"
    if isinstance(error, ValueError):  # no address, or of a kind that is not fetched (file:, say)
        kind: type[HastyError] = ConnectionFailed
        text = f"The address, or one it redirects to, cannot be used ({type(error).__name__})."
    elif isinstance(error, requests.TooManyRedirects):
        kind, text = UnexpectedAnswer, f"The server redirects in circles. {NO_API}"
    elif never_sent(error):
        sent = getattr(error, "request", None)  # the last one, after redirects
        host = urlsplit(without_query(getattr(sent, "url", None) or url)).netloc
        kind = ConnectionFailed
        text = f"No connection to {host}{tried}: {cause_of(error)}. Check the address and the network."
    elif not repeatable:
        kind = OutcomeUnknown
        text = (
            f"The request broke off after it was sent: {cause_of(error)}. The server may have done it or not; read "
            "back what is there before doing it again."
        )
    elif took_too_long(error):
        kind = RequestTimeout
        text = (
            "The answer kept coming and was not whole when its time was up. Try again, or give the client a longer "
            "timeout=; for downloads, limits=hf.Limits(seconds=...)."
        )
    elif is_timeout(error):
        kind = RequestTimeout
        text = f"No answer within {timeout:g} s{tried}. Try again, or give the client a longer timeout=."
    else:
        kind, text = ConnectionFailed, f"The connection broke{tried}: {cause_of(error)}. Try again."
    return kind(text, request=request)


def error_from_size(error: TooLarge, request: str, *, reads: bool, limit: str) -> HastyError:
    """Return the error for an answer that is too large; of a request that writes, it might have said what was done."""
    if reads:
        return SizeLimitError(request, f"an answer of {error.amount}", limit, error.allowed)
    return OutcomeUnknown(
        f"The answer is too large to be read ({error.amount}), so that it is not known what was done; read back what "
        f"is there. If you trust the server, give limits=hf.Limits({limit}=...).",
        request=request,
    )
