"""Behind proxies: what was never sent, what is in doubt, and what goes past them."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pandas as pd
import pytest
from proxies import Proxy, address_of, encrypted, make_certificate, proxy, use_proxy
from servers import RESET, Answer, free_port, in_turn, serve

import hastyframe as hf
from hastyframe import transport
from hastyframe.local import Faults
from hastyframe.transport import Transport

HOST = "api.hasty.test"
CUT = Faults(cut_after=1.0, methods=("POST",))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(transport, "_MAX_SETTLE_TIMEOUT", 0.01)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"), HOST)


@pytest.fixture
def behind(monkeypatch, request):
    """Put a server behind a proxy: a function that returns the address that leads to it, and the proxy."""
    with ExitStack() as stack:

        def put(url: str, scheme: str) -> tuple[str, Proxy]:
            target = address_of(url)
            if scheme == "https":
                certificate = request.getfixturevalue("certificate")
                target = stack.enter_context(encrypted(target, certificate))
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
            port = {"http": 80, "https": 443}[scheme]
            one = stack.enter_context(proxy({f"{HOST}:{port}": target}))
            use_proxy(monkeypatch, one.url)
            return f"{scheme}://{HOST}", one

        yield put


def connect(url: str, key: str = "the-key", **options) -> Transport:
    return Transport(key, url, **{"progress": False, "max_workers": 4, "timeout": 5.0, **options})


both = pytest.mark.parametrize("scheme", ["http", "https"])


# What is in doubt -----------------------------------------------------------------------------------------------------


@both
def test_one_call_makes_one_thing_where_the_connection_closes_after_the_commit(behind, scheme):
    with hf.Client.local(progress=False) as local:
        project = local.create_project(local.get_workspaces(), "Things")
        url, one = behind(local.base_url, scheme)
        project = hf.Project(connect(url, local.api_key), project._data)
        assert project.get_label_classes().empty
        local.server.faults = CUT
        with pytest.raises(hf.OutcomeUnknown, match="read back"):
            project.create_label_class("coin")
        local.server.faults = None
        assert project.get_label_classes()["name"].tolist() == ["coin"]
        assert any(seen.startswith({"http": "POST", "https": "CONNECT"}[scheme]) for seen in one.seen)
        project._requester.close()


@both
@pytest.mark.parametrize("call", ["dataset", "tag class", "labels"])
def test_nothing_is_made_twice_where_connections_close_now_and_then(behind, scheme, call, pictures):
    with hf.Client.local(progress=False) as local:
        project = local.create_project(local.get_workspaces(), "Things")
        project.create_dataset("train")
        project.create_label_class("coin")
        image = project.upload_from_file("train", pictures / "ramp.png")
        url, _ = behind(local.base_url, scheme)
        through = hf.Project(connect(url, local.api_key, timeout=(5.0, 5.0)), project._data)
        local.server.faults = Faults(cut_after=0.4, methods=("POST",), seed=4)
        if call == "labels":
            box = {"image_id": image.id, "class_name": "coin", "x_min": 0.0, "y_min": 0.0, "y_max": 9.0}
            rows = [{**box, "x_max": 1.0 + i, "z_index": i} for i in range(250)]
            through.create_labels(pd.DataFrame(rows))
            local.server.faults = None
            assert sorted(project.get_labels()["z_index"]) == list(range(250))
        else:
            create = through.create_dataset if call == "dataset" else through.create_tag_class
            for number in range(12):
                with suppress(hf.OutcomeUnknown):
                    create(f"number {number}")
            local.server.faults = None
            found = project.get_datasets() if call == "dataset" else project.get_tag_classes()
            names = [name for name in found["name"] if name.startswith("number")]
            assert sorted(names) == sorted(f"number {number}" for number in range(12))
        through._requester.close()


@both
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_done_twice_is_repeated_behind_a_proxy(behind, scheme, method):
    with serve(in_turn(RESET, {"value": 1})) as server:
        one = connect(behind(server.url, scheme)[0])
        assert one.request(method, "/v1/x", body={}) == {"value": 1}
        assert len(server.seen) == 2
        one.close()


@both
@pytest.mark.parametrize(
    "fault", [RESET, Answer(200, {"a": "b" * 100}, fault="cut"), Answer(200, {}, late=0.8)], ids=str
)
def test_a_post_behind_a_proxy_is_sent_exactly_once(behind, scheme, fault):
    with serve(lambda seen: fault) as server:
        one = connect(behind(server.url, scheme)[0], timeout=(5.0, 0.3))
        with pytest.raises(hf.OutcomeUnknown):
            one.post("/v1/x", {})
        assert len(server.seen) == 1
        one.close()


def test_a_connection_that_is_kept_and_closed_later_is_in_doubt_too(behind):
    """The second request goes over a tunnel that was opened for the first one."""
    with serve(in_turn({}, RESET)) as server:
        url, one = behind(server.url, "https")
        client = connect(url)
        client.get("/v1/x")
        with pytest.raises(hf.OutcomeUnknown):
            client.post("/v1/x", {})
        assert len(server.seen) == 2
        assert len(one.seen) == 1
        client.close()


# What was never sent --------------------------------------------------------------------------------------------------


@both
def test_a_post_that_finds_no_proxy_waits_for_it(monkeypatch, scheme):
    port, started = free_port(), []
    use_proxy(monkeypatch, f"http://127.0.0.1:{port}")
    with serve(lambda seen: {"id": "a"}) as server:
        one = connect(f"http://{HOST}")
        monkeypatch.setattr(
            one._gate, "sleep", lambda _: started.append(Proxy({f"{HOST}:80": address_of(server.url)}, port=port))
        )
        assert one.post("/v1/x", {}) == {"id": "a"}
        assert len(server.seen) == len(started) == 1
        started[0].close()
        one.close()


@pytest.mark.parametrize(("fault", "words"), [("refuse", "403"), ("password", "407"), ("close", "closed|Remote")])
def test_a_tunnel_that_does_not_open_is_no_doubt(behind, monkeypatch, fault, words):
    with serve(lambda seen: {"id": "a"}) as server:
        url, one = behind(server.url, "https")
        one.fault = fault
        client = connect(url, retries=2)
        with pytest.raises(hf.ConnectionFailed, match=f"No connection to {HOST}.*({words})"):
            client.post("/v1/x", {})
        assert len(one.seen) == 3, "as nothing was sent, it is tried again"
        monkeypatch.setattr(client._gate, "sleep", lambda _: setattr(one, "fault", ""))
        assert client.post("/v1/x", {}) == {"id": "a"}
        assert len(server.seen) == 1
        client.close()


def test_a_host_that_the_proxy_does_not_find_is_no_doubt(behind):
    with serve(lambda seen: {}) as server:
        behind(server.url, "https")
        with pytest.raises(hf.ConnectionFailed, match="the proxy made no connection to it"):
            connect("https://other.hasty.test", retries=0).post("/v1/x", {})
        assert not server.seen


@both
def test_a_proxy_that_answers_itself(behind, scheme):
    with serve(lambda seen: {}) as server:
        url, one = behind(server.url, scheme)
        one.fault = "password"
        with pytest.raises(hf.ConnectionFailed, match=r"407|password"):
            connect(url, retries=0).post("/v1/x", {})
        assert not server.seen


def test_a_certificate_that_nobody_vouches_for_ends_the_call_at_once(behind, monkeypatch):
    with serve(lambda seen: {}) as server:
        url, one = behind(server.url, "https")
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(hf.ConnectionFailed, match="No connection to"):
            connect(url).post("/v1/x", {})
        assert not server.seen
        assert len(one.seen) == 1


def test_a_certificate_of_another_host_ends_the_call_at_once(behind, monkeypatch, certificate):
    with serve(lambda seen: {}) as server:
        behind(server.url, "https")
        with encrypted(address_of(server.url), certificate) as door, proxy({"other.hasty.test:443": door}) as one:
            use_proxy(monkeypatch, one.url)
            with pytest.raises(hf.ConnectionFailed, match="No connection to other"):
                connect("https://other.hasty.test").post("/v1/x", {})
            assert len(one.seen) == 1
        assert not server.seen


def test_encryption_that_fails_before_the_request_is_no_doubt(behind, monkeypatch):
    """A server that does not speak TLS: nothing was sent."""
    with serve(lambda seen: {}) as server, proxy({f"{HOST}:443": address_of(server.url)}) as one:
        use_proxy(monkeypatch, one.url)
        with pytest.raises(hf.ConnectionFailed, match="No connection to"):
            connect(f"https://{HOST}", retries=1).post("/v1/x", {})
        assert not server.seen


# What goes past them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_loopback_goes_past_every_proxy(monkeypatch, name, pictures, tmp_path):
    with proxy({}) as one:
        use_proxy(monkeypatch, one.url, name)
        with hf.Client.local(progress=False) as client:
            project = client.create_project(client.get_workspaces(), "Things")
            project.create_dataset("train")
            image = project.upload_from_file("train", pictures / "ramp.png")
            image.download(tmp_path / "ramp.png")
        assert (tmp_path / "ramp.png").read_bytes() == (pictures / "ramp.png").read_bytes()
        assert one.seen == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "[::ffff:127.0.0.1]", "api.localhost"])
def test_every_name_of_loopback_goes_past(monkeypatch, host):
    with proxy({}) as one:
        use_proxy(monkeypatch, one.url)
        with pytest.raises(hf.ConnectionFailed):
            connect(f"http://{host}:{free_port()}", retries=0).get("/v1/x")
        assert one.seen == []


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("hosts", [HOST, "hasty.test", ".hasty.test", "*", f"other, {HOST}"])
def test_hosts_that_are_excepted_go_past(monkeypatch, name, hosts):
    with proxy({}) as one:
        use_proxy(monkeypatch, one.url)
        monkeypatch.setenv(name, hosts)
        with pytest.raises(hf.ConnectionFailed, match=f"No connection to {HOST}"):
            connect(f"http://{HOST}", retries=0).get("/v1/x")
        assert one.seen == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_encrypted_loopback_goes_past_too(monkeypatch, name):
    with proxy({}) as one:
        use_proxy(monkeypatch, one.url, name)
        with pytest.raises(hf.ConnectionFailed):
            connect(f"https://localhost:{free_port()}", retries=0).get("/v1/x")
        assert one.seen == []


def test_a_redirect_to_loopback_goes_past_and_one_away_does_not(behind):
    with serve(lambda seen: {"value": 1}) as local:
        with serve(lambda seen: Answer(302, headers={"Location": f"{local.url}/x"})) as server:
            url, one = behind(server.url, "http")
            assert connect(url).get("/v1/x") == {"value": 1}
            assert one.seen == [f"GET {url}/v1/x"]
        with serve(lambda seen: Answer(302, headers={"Location": f"{url}/y"})) as server:
            with pytest.raises(hf.HastyError):
                connect(server.url, retries=0).get("/v1/x")
            assert one.seen[1:] == [f"GET {url}/y"]


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://api.hasty.test", True),
        ("http://10.0.0.1:8800", True),
        ("http://localhost.hasty.test", True),
        ("https://api.hasty.test", False),
        ("http://localhost:8800", False),
        ("http://127.0.0.1:8800", False),
        ("http://[::1]:8800", False),
    ],
)
def test_a_key_that_would_travel_in_the_clear(url, warns, recwarn):
    with hf.Client("the-key", url):
        assert [str(warning.message) for warning in recwarn if "not encrypted" in str(warning.message)] == (
            [f"{url} is not encrypted: whoever is on the way reads your API key. Use https://."] if warns else []
        )
        recwarn.clear()


def test_the_key_travels_through_the_tunnel_and_not_to_the_proxy(behind):
    with serve(lambda seen: {}) as server:
        url, one = behind(server.url, "https")
        client = connect(url)
        client.get("/v1/x")
        assert server.seen[0].headers["x-api-key"] == "the-key"
        assert one.seen == [f"CONNECT {HOST}:443"]
        client.close()
