"""What predicts: plain callables, called one at a time, and what they return made fit for the API.

A model is a callable that takes a picture, a uint8 array of shape (height, width, 3), and returns a list of dicts:

``bbox``
    ``[x_min, y_min, x_max, y_max]`` in pixels, the maxima exclusive.
``mask``
    Run-lengths inside the box, or an array of the box's shape: bool, or float, where a threshold decides.
``score``
    0 to 1; 1 where it is missing.
``class_id`` or ``class_name``
    Of the project; the project's first object class where both are missing.

An attributer takes a picture and a list of boxes, and returns for each box a list of dicts with ``attribute_id`` or
``attribute_name``, and ``lov_ids`` (ids of the attribute's values) or ``values`` (their texts).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic_core import PydanticCustomError

from hastyframe import masks
from hastyframe.entities import Attribute, LabelClass

from .bodies import check_box, check_mask
from .http import Refusal
from .store import Record, Store, decoded
from .vision import find_boxes, find_objects, find_regions

__all__ = ["KINDS", "Models", "Picture", "Predict", "Vocabulary"]

Picture: TypeAlias = npt.NDArray[np.uint8]
Predict: TypeAlias = Callable[..., Iterable[Any]]

_DEFAULTS: dict[str, Predict | None] = {
    "detector": find_boxes,
    "instance_segmentor": find_objects,
    "semantic_segmentor": find_regions,
    "attributer": None,
}
DEFAULT_PIXELS = 2**25
"""The most pixels that the default models look at: they take some fifty bytes for each."""
KINDS = tuple(_DEFAULTS)
_NAMESPACE = uuid.UUID("6f8c5f0e-0c3b-4f5e-9a39-0d8a0d6c3f11")
"""Ids of models are made from it, so that a model has the same id after a restart."""


class Vocabulary:
    """What the predictions of a project can be called: its classes, its attributes, by id and by name."""

    def __init__(self, store: Store, project_id: str) -> None:
        where = {"project_id": project_id}
        # Python's sort is stable: among equals, the class that was made first.
        classes = sorted(store.all(LabelClass, where), key=lambda record: record["norder"])
        self.classes = {record["name"]: record["id"] for record in classes} | {r["id"]: r["id"] for r in classes}
        self.first = next((record["id"] for record in classes if record["type"] == "object"), None)
        attributes = decoded(store.all(Attribute, where))
        self.attributes = {key: record for record in attributes for key in (record["name"], record["id"])}

    def check(self) -> None:
        """Refuse a project without a class: whatever is found could be called nothing."""
        if not self.classes:
            raise Refusal(400, "the project has no label class to give to what the model finds; create one first")


class Models:
    """The models of a server.

    Parameters
    ----------
    given : mapping of str to callable, optional
        Models of your own by kind: ``detector``, ``instance_segmentor``, ``semantic_segmentor``, ``attributer``.

    Examples
    --------
    >>> models = Models({"attributer": lambda picture, boxes: [[] for _ in boxes]})
    >>> models.status("attributer"), Models().status("attributer"), Models().status("detector")
    ('LOADED', 'NOT LOADED', 'LOADED')
    """

    def __init__(self, given: Mapping[str, Predict] | None = None) -> None:
        if unknown := set(given or ()) - set(KINDS):
            raise ValueError(
                f"models has no kind {', '.join(map(repr, sorted(unknown)))}; there are {', '.join(KINDS)}"
            )
        self._callables = {**_DEFAULTS, **(given or {})}
        self._one_at_a_time = threading.Lock()

    def status(self, kind: str) -> str:
        """Return ``LOADED`` where there is a model of a kind."""
        return "LOADED" if self._callables[kind] is not None else "NOT LOADED"

    @staticmethod
    def id(kind: str, project_id: str) -> str:
        """Return the id of a project's model."""
        return str(uuid.uuid5(_NAMESPACE, f"{kind} of {project_id}"))

    def predict(
        self, kind: str, picture: Picture, vocabulary: Vocabulary, *, mask_threshold: float = 0.5
    ) -> list[Record]:
        """Return what a model finds on a picture: ``bbox, mask, score, class_id``, the best first."""
        found = self._call(kind, picture)
        with _told(kind):
            checked = [_prediction(one, vocabulary, mask_threshold) for one in found]
        return sorted(checked, key=lambda one: -one["score"])

    def attributes(self, picture: Picture, boxes: Sequence[list[int]], vocabulary: Vocabulary) -> list[list[Record]]:
        """Return the attributes that the attributer sees in each box: ``bbox, attribute_id, lov_ids``."""
        found = self._call("attributer", picture, boxes)
        with _told("attributer"):
            return [
                [_attribute(one, box, vocabulary) for one in of_box] for box, of_box in zip(boxes, found, strict=True)
            ]

    def _call(self, kind: str, *args: Any) -> list[Any]:
        model = self._callables[kind]
        if model is None:
            raise Refusal(400, f"there is no {kind}: start the server with models={{'{kind}': ...}}")
        pixels = args[0].shape[0] * args[0].shape[1]
        if model is _DEFAULTS[kind] and pixels > DEFAULT_PIXELS:
            raise Refusal(400, f"the default {kind} looks at {DEFAULT_PIXELS:,} pixels at most, not at {pixels:,}")
        with self._one_at_a_time, _told(kind):
            return list(model(*args))


class _told:  # noqa: N801 (reads as a statement)
    """Say of an error inside that the model made it: the caller's own code, not the server's."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, type_: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PydanticCustomError):
            raise Refusal(400, f"the {self._kind} found something impossible: {error.message()}") from error
        if isinstance(error, Exception) and not isinstance(error, Refusal):
            raise Refusal(400, f"the {self._kind} failed with {type(error).__name__}: {error}") from error


def _prediction(found: Mapping[str, Any], vocabulary: Vocabulary, mask_threshold: float) -> Record:
    box = check_box([float(side) for side in found["bbox"]])
    score = float(found.get("score", 1.0))
    if not 0 <= score <= 1:
        raise ValueError(f"score {score} is not between 0 and 1")
    return {
        "bbox": box,
        "mask": None if found.get("mask") is None else _runs(found["mask"], box, mask_threshold),
        "score": score,
        "class_id": _class(found, vocabulary),
    }


def _class(found: Mapping[str, Any], vocabulary: Vocabulary) -> str:
    name = found.get("class_id") or found.get("class_name") or vocabulary.first
    if name not in vocabulary.classes:
        raise ValueError(f"the project has no label class {name!r}" if name else "the project has no object class")
    return vocabulary.classes[name]


def _runs(mask: Any, box: list[int], threshold: float) -> list[int]:
    pixels = np.asarray(mask)
    if pixels.ndim != 2:
        return check_mask([int(number) for number in mask], box)
    shape = (box[3] - box[1], box[2] - box[0])
    if pixels.shape != shape:
        raise ValueError(f"a mask of shape {pixels.shape} in a box of shape {shape}")
    if pixels.dtype.kind == "f":
        pixels = pixels > threshold
    return [int(number) for number in masks.encode(pixels != 0).values]


def _attribute(found: Mapping[str, Any], box: list[int], vocabulary: Vocabulary) -> Record:
    name = found.get("attribute_id") or found.get("attribute_name")
    attribute = vocabulary.attributes.get(str(name))
    if attribute is None:
        raise ValueError(f"the project has no attribute {name!r}")
    ids = {value["value"]: value["id"] for value in attribute["values"]} | {
        v["id"]: v["id"] for v in attribute["values"]
    }
    chosen = found.get("lov_ids") or found.get("values") or []
    for value in chosen:
        if value not in ids:
            raise ValueError(f"the attribute {attribute['name']!r} has no value {value!r}")
    return {"bbox": box, "attribute_id": attribute["id"], "lov_ids": [ids[value] for value in chosen]}
