"""Tools that print local variables find no key in them, wherever a request is interrupted."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from proxies import address_of, encrypted, make_certificate
from servers import Answer, serve

import hastyframe as hf
from hastyframe.http import wire
from hastyframe.http.key import ApiKey
from hastyframe.transport import Transport

KEY = "s3cr3t-k3y-0f-a-user"


def by_traceback(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def by_rich(error: BaseException) -> str:
    console = pytest.importorskip("rich.console")
    from rich.traceback import Traceback

    out = io.StringIO()
    shown = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None, locals_max_length=None
    )
    console.Console(file=out, width=400).print(shown)
    return out.getvalue()


def by_ipython(error: BaseException) -> str:
    ultratb = pytest.importorskip("IPython.core.ultratb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = ultratb.VerboseTB(theme_name="nocolor", include_vars=True)
    return "\n".join(shown.text(type(error), error, error.__traceback__).splitlines())


def by_cgitb(error: BaseException) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cgitb = pytest.importorskip("cgitb")
    with suppress(AttributeError):  # it fails at the attribute `characters_written` of every OSError
        return str(cgitb.text((type(error), error, error.__traceback__), context=1))
    return ""


def by_attributes(error: BaseException) -> str:
    """Local variables, and what is in them, as a service that collects errors takes them along."""
    found = []
    frame = error.__traceback__
    while frame is not None:
        for value in frame.tb_frame.f_locals.values():
            with suppress(AttributeError):
                found.append(repr(value))
            if type(value).__module__.startswith(("hastyframe", "requests", "urllib3", "http")):
                found.append(repr(getattr(value, "__dict__", "")))
        frame = frame.tb_next
    return "\n".join(found)


SHOWN = [by_traceback, by_rich, by_ipython, by_cgitb, by_attributes]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_that_is_interrupted_anywhere_shows_no_key(scheme, tmp_path):
    """In a process of its own, since what is interrupted in the midst of a lock may keep it."""
    script = Path(__file__).with_name("interrupting.py")
    with ExitStack() as stack:
        server = stack.enter_context(serve(lambda seen: {"value": 1}))
        url, environment = server.url, dict(os.environ)
        if scheme == "https":
            certificate = make_certificate(tmp_path, "localhost")
            _, port = stack.enter_context(encrypted(address_of(server.url), certificate))
            url, environment = f"https://localhost:{port}", environment | {"REQUESTS_CA_BUNDLE": str(certificate)}
        command = [sys.executable, "-W", "ignore", str(script), url, KEY]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    shown = run.stdout.split()
    assert len(shown) == 2, run.stderr
    assert all(int(count) > 10 for count in shown), "both on a new connection and on one that is kept"


@pytest.mark.parametrize("show", SHOWN)
def test_a_request_that_is_interrupted_while_it_waits_shows_no_key(show, monkeypatch):
    """Where Ctrl-C is most likely: while bytes go out, and while the answer is waited for."""
    import http.client

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with serve(lambda seen: {}) as server:
        for place, name in [(http.client.HTTPResponse, "begin"), (wire._Timed, "readinto")]:
            with monkeypatch.context() as patch:
                patch.setattr(place, name, interrupt)
                one = Transport(KEY, server.url, progress=False)
                with pytest.raises(KeyboardInterrupt) as caught:
                    one.put("/v1/x", {"a": 1})
                assert KEY not in show(caught.value), name
                one.close()


@pytest.mark.parametrize("show", SHOWN)
def test_no_error_of_a_request_shows_it(show):
    answers = [Answer(401, {"message": f"no {KEY}"}), Answer(200, b"<" + KEY.encode()), Answer(200, {}, fault="reset")]
    for answer in answers:
        with serve(lambda seen, answer=answer: answer) as server:
            one = Transport(KEY, server.url, progress=False, retries=0)
            for call in (lambda one=one: one.get("/v1/x"), lambda one=one: one.post("/v1/x", {})):
                with pytest.raises(hf.HastyError) as caught:
                    call()
                text = by_rich(caught.value) if show is by_rich else show(caught.value)
                assert f"api_key='{KEY}'" not in text
                assert "X-Api-Key" not in text or KEY not in text.partition("X-Api-Key")[2][:80]
            one.close()


WRONG = {
    "timeout": {"timeout": None},
    "max_workers": {"max_workers": "8"},
    "limits": {"limits": 3},
    "base_url": {"base_url": "nowhere"},
    "user": {"base_url": "http://me:secret@127.0.0.1"},
    "port": {"base_url": "http://127.0.0.1:99999"},
    "number": {"base_url": 3},
}


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_no_error_of_the_client_shows_it(show, options):
    with pytest.raises(hf.ValidationException) as caught:
        make(options)
    assert KEY not in show(caught.value)
    assert "secret" not in str(caught.value)


def make(options: dict) -> hf.Client:
    """Make a client as it is made with a key from elsewhere; the frames of who knows it are his own."""
    return hf.Client(_given(), **options)


def _given() -> str:
    return "".join(map(chr, (ord(c) for c in KEY)))


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("bad", [f"{KEY}\n", f" {KEY}", f"{KEY}\u20ac", f"{KEY}\0", KEY.encode(), [KEY], 3])
def test_a_key_that_is_none_is_not_shown(show, bad):
    holder = [bad]
    del bad
    with pytest.raises(hf.ValidationException, match="API key") as caught:
        hf.Client(holder.pop())
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next  # without the frame of this test
    assert KEY not in show(error)


@pytest.mark.parametrize("show", SHOWN[:-1])
def test_no_error_of_the_embedded_client_shows_its_key(show, tmp_path):
    with hf.Client.local(tmp_path, progress=False) as client:
        key = client.api_key
    with pytest.raises(hf.ValidationException) as caught:
        hf.Client.local(tmp_path, max_workers=0)
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next
    assert key not in show(error)


# The object -----------------------------------------------------------------------------------------------------------


def test_the_key_shows_nothing():
    key = ApiKey(KEY)
    for shown in (repr(key), str(key), f"{key}", f"{key!r:>9}", "%s" % key, repr([key]), repr({"key": key})):  # noqa: UP031
        assert KEY not in shown
    assert copy.copy(key) is copy.deepcopy(key) is key
    with pytest.raises(TypeError):
        vars(key)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not stored"):
            pickle.dumps(key, protocol)
    for name in dir(key):
        assert KEY not in repr(getattr(key, name))
    assert key.reveal() == KEY


def test_a_prepared_request_and_a_client_hold_no_text():
    with hf.Client(KEY) as client:
        assert client.api_key == KEY
        one = client._transport
        prepared = one._prepare("GET", "https://api.hasty.ai/v1/x", True)
        for thing in (client, one, one._wire, one._wire._adapter, prepared, prepared.headers, prepared.copy().headers):
            assert KEY not in repr(thing) + repr(vars(thing))


@pytest.mark.parametrize("key", ["a-key/with+odd=signs", "k\"ey'with\\quotes", "key with blanks", "key&<more>"])
def test_odd_keys_arrive_as_they_are_and_are_blotted_out(key):
    with serve(lambda seen: Answer(403, {"message": f"no key {seen.headers['x-api-key']}"})) as server:
        with pytest.raises(hf.AuthorisationException) as caught:
            Transport(key, server.url, progress=False).get("/v1/x")
        assert server.seen[0].headers["x-api-key"] == key
        assert str(caught.value).endswith("The server said: no key *** [GET /v1/x]")


@pytest.mark.parametrize(
    "spell",
    [str, str.upper, lambda key: key.replace("/", "%2F").replace("+", "%2B"), lambda key: key.replace("/", "\\/")],
)
@pytest.mark.parametrize("place", ["Content-Type", "Location", "body", "message", "cut"])
def test_the_key_is_blotted_out_wherever_a_server_repeats_it(spell, place):
    key = "a-key/with+odd-signs-and-length"
    told = spell(key)
    answers = {
        "Content-Type": Answer(200, b"<p>", {"Content-Type": f"text/{told}"}),
        "Location": Answer(302, headers={"Location": f"https://127.0.0.1:9/{told}"}),
        "body": Answer(200, f"<p>{told}".encode()),
        "message": Answer(400, b'{"message": "no ' + told.encode() + b'"}'),
        "cut": Answer(200, b"<" + b"p" * 70 + told.encode()),
    }
    with serve(lambda seen: answers[place]) as server, pytest.raises(hf.HastyError) as caught:
        Transport(key, server.url, progress=False, retries=0).post("/v1/x", {})
    assert "***" in str(caught.value)
    assert "with" not in str(caught.value).lower().replace("without", "")


def test_a_path_with_the_key_is_blotted_out():
    with serve(lambda seen: Answer(404)) as server, pytest.raises(hf.NotFound) as caught:
        hf.Client(KEY, server.url, progress=False)._transport.get(f"/v1/projects/{KEY}")
    assert KEY not in str(caught.value)
