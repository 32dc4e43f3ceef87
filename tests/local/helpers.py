"""A project on a server, with few words to say much to it; and pictures to give it."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import requests
from PIL import Image

from hastyframe.local import LocalServer


def png(width: int = 40, height: int = 30, *, seed: int = 0, format: str = "png") -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


class Api:
    """A project on a server."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.headers["X-Api-Key"] = server.api_key
        self.workspace_id = self.get("/v1/workspaces")["items"][0]["id"]
        self.project = self.post("/v1/projects", {"workspace_id": self.workspace_id, "name": "project"})
        self.base = f"/v1/projects/{self.project['id']}"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; a path without a slash in front is one of the project."""
        url = path if path.startswith("http") else self.server.base_url + self.path(path)
        return self.session.request(method, url, timeout=20, **options)

    def path(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.base}/{path}" if path else self.base

    def ok(self, method: str, path: str, **options: Any) -> Any:
        response = self.request(method, path, **options)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def get(self, path: str, **query: Any) -> Any:
        return self.ok("GET", path, params=query)

    def post(self, path: str, body: Any) -> Any:
        return self.ok("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self.ok("PUT", path, json=body)

    def delete(self, path: str, body: Any = None) -> None:
        response = self.request("DELETE", path, json=body)
        assert response.status_code == 204, response.text
        assert response.content == b""

    def refused(self, status: int, method: str, path: str, **options: Any) -> str:
        """Send a request that is refused, and return the message."""
        response = self.request(method, path, **options)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/json"
        message = response.json()["message"]
        assert isinstance(message, str)
        assert message
        return message

    def dataset(self, name: str = "dataset") -> str:
        return str(self.post("datasets", {"name": name})["id"])

    def label_class(self, name: str = "thing", **further: Any) -> str:
        return str(self.post("label_classes", {"name": name, **further})["id"])

    def upload(self, content: bytes) -> str:
        upload = self.get("uploads")["items"][0]
        requests.put(upload["url"], data=content, timeout=20).raise_for_status()
        return str(upload["id"])

    def image(self, dataset_id: str, name: str = "a.png", content: bytes | None = None) -> dict[str, Any]:
        upload_id = self.upload(png() if content is None else content)
        image = self.post("images", {"dataset_id": dataset_id, "filename": name, "upload_id": upload_id})
        assert isinstance(image, dict)
        return image

    def wait(self, path: str) -> dict[str, Any]:
        """Wait for the end of a job."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.get(path)
            if job["status"] in {"DONE", "FAILED", "CANCELED"}:
                return job
            time.sleep(0.01)
        raise AssertionError(f"{path} does not end")
