"""Trained models of a project: pictures in, prediction frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from . import answers, entities, frames, masks
from .arguments import check_number, check_path, check_text, counted, shown
from .errors import HastyError, InferenceException, UnexpectedAnswer, ValidationException
from .handles import Handle
from .http.parts import Failures
from .intake import as_pandas, by_id
from .pictures import Addresses, check_picture, local_files, read_picture
from .reading import read_many
from .urls import path_of

__all__ = ["Attributer", "Detector", "InstanceSegmentor", "SemanticSegmentor"]


class _Model(Handle, entities.Model):
    """A model that is loaded by asking for it."""

    _discovery: ClassVar[str]
    _prediction: ClassVar[str]

    def discover_model(self) -> None:
        """Ask for the model, which is what loads it; `status` is ``LOADED`` when it can predict."""
        path = self._path(self._discovery)
        self._data |= answers.read(entities.Model, self._requester.get(path), f"GET {path}")

    def _identity(self) -> tuple[str, Any]:
        return type(self).__name__, self._data.get("model_id")

    def _loaded(self) -> None:
        if self.status != "LOADED":
            self.discover_model()
        if self.status != "LOADED":
            raise InferenceException(
                f"The {type(self).__name__} is {self.status or 'not there'}, not LOADED: train a model in the project "
                "first, or try again in a minute."
            )

    def _path(self, call: str) -> str:
        return path_of("/v1/projects/{project_id}", project_id=self.project_id) + f"/{call}"

    def _ask(
        self,
        image_url: str | None,
        image_path: str | Path | None,
        settings: Mapping[str, Any],
        addresses: Addresses | None = None,
    ) -> list[Any]:
        """Send one picture to the model; predicting twice is the same as once."""
        body = {**settings, "model_id": self.model_id}
        if image_path is not None:
            content = read_picture(image_path)
            address = (addresses or Addresses(self._requester, self.project_id, 1)).take()
            self._requester.upload(address["url"], content, "image/*")
            body["upload_id"] = address["id"]
        else:
            body["image_url"] = image_url
        path = self._path(self._prediction)
        answer = self._requester.post(path, body, repeatable=True, writes=False)
        if not isinstance(answer, list):
            raise self._strange("something else than a list")
        return answer

    def _strange(self, what: str, picture: str | None = None) -> UnexpectedAnswer:
        """Return the error for an answer to a picture that cannot be."""
        which = "a picture" if picture is None else f"the picture {picture!r}"
        return UnexpectedAnswer(
            f"The model answered {which} with {what}. Try again, or train the model anew.",
            request=f"POST /v1/projects/{self.project_id}/{self._prediction}",
        )


class _Labeler(_Model):
    """A model that predicts labels."""

    def _predict(
        self, image_url: str | None, image_path: str | Path | None, settings: Mapping[str, Any]
    ) -> pd.DataFrame:
        url, path = _one_picture(image_url, image_path)
        self._loaded()
        name = path.name if path is not None else _name_in(str(url))
        return self._frame([self._predictions(self._ask(url, path, settings), None, name)])

    def _predict_images(self, images: Any, settings: Mapping[str, Any]) -> pd.DataFrame:
        pictures = _pictures(images)
        self._loaded()
        addresses = Addresses(self._requester, self.project_id, len(pictures))

        def predict(picture: _Picture) -> pa.RecordBatch:
            image_id, name, url, path = picture
            try:
                return self._predictions(self._ask(url, path, settings, addresses), image_id, name)
            except HastyError as error:
                error.add_note(f"This happened to the picture {name!r}.")
                raise

        def read(positions: list[int], failures: Failures) -> list[pa.RecordBatch]:
            some = [pictures[position] for position in positions]
            return self._requester.map(predict, some, desc="Predict", unit="image", failures=failures)

        asked = orjson.dumps({**settings, "model_id": self.model_id})
        keys = [(self._prediction, asked, *picture, _version(picture)) for picture in pictures]
        by_id = all(image_id is not None for image_id, *_ in pictures)
        ids = pd.Index([picture[0] if by_id else picture[1] for picture in pictures], dtype="str")
        return read_many(self._requester, keys, ids.rename("image_id" if by_id else "image"), read, self._frame)

    def _frame(self, batches: Sequence[pa.RecordBatch]) -> pd.DataFrame:
        frame = self._vocabulary.frame(entities.Prediction, batches)
        self._check(frame)
        return frame.set_axis(pd.RangeIndex(len(frame), name=frame.index.name))

    def _predictions(self, records: list[Any], image_id: str | None, name: str) -> pa.RecordBatch:
        if not all(isinstance(record, dict) for record in records):
            raise self._strange("a list of something else than predictions", name)
        rows = [{**record, "image_id": image_id, "image_name": name} for record in records]
        try:
            return frames.to_arrow(entities.Prediction, rows)
        except UnexpectedAnswer as error:
            raise self._strange(f"what is not a prediction: {error.message}", name) from error

    def _check(self, predictions: pd.DataFrame) -> None:
        """Refuse predictions that no picture can have; the first is named."""
        boxes = predictions[list(frames.BOX)].to_numpy()
        masked = predictions["mask"].notna().to_numpy()
        whole = ((boxes == np.round(boxes)) & (np.abs(boxes) <= 2**30)).all(axis=1)
        found = {
            "without a box or an outline": np.isnan(boxes).any(axis=1) & predictions["polygon"].isna().to_numpy(),
            "with a box that is inside out": (boxes[:, :2] > boxes[:, 2:]).any(axis=1),
            "with a mask, and no box in whole pixels": masked & ~whole,
            "with a score that is not a number": np.isinf(predictions["score"].to_numpy()),
            "of a class that the project does not have": predictions["class_name"].isna().to_numpy(),
        }
        for what, bad in found.items():
            if bad.any():
                row = predictions.iloc[int(np.argmax(bad))]
                about = f"class_id {row['class_id']!r}, box {[float(row[side]) for side in frames.BOX]}"
                raise self._strange(f"a prediction {what} ({about})", row["image_name"])
        masked = np.flatnonzero(masked)
        for number, why in masks.problems(predictions["mask"].iloc[masked].array, boxes[masked]).items():
            raise self._strange(
                f"a mask that does not fit its box: it {why}", predictions["image_name"].iloc[masked[number]]
            )


class _Finder(_Labeler):
    """A model that finds objects, each with a score."""

    def predict(
        self,
        image_url: str | None = None,
        image_path: str | Path | None = None,
        confidence_threshold: float = 0.5,
        max_detections_per_image: int = 100,
    ) -> pd.DataFrame:
        """Find objects on one picture.

        Parameters
        ----------
        image_url : str, optional
            Address of the picture.
        image_path : str or Path, optional
            A local file, uploaded for this.
        confidence_threshold : float
            The least score, in [0, 1).
        max_detections_per_image : int
            The most objects.

        Returns
        -------
        pandas.DataFrame
            Predictions: ``image_id, image_name, class_id, class_name``, the box, ``polygon``, ``mask``, ``score``.

        Raises
        ------
        InferenceException
            If the project has no model that is loaded.
        """
        return self._predict(image_url, image_path, _settings(confidence_threshold, max_detections_per_image))

    def predict_images(
        self, images: Any, confidence_threshold: float = 0.5, max_detections_per_image: int = 100
    ) -> pd.DataFrame:
        """Find objects on many pictures, in parallel.

        Parameters
        ----------
        images : pandas.DataFrame, str, Path, or list of them
            An images frame, whose pictures the server reads itself, or a folder or local files.
        confidence_threshold, max_detections_per_image : optional
            As for `predict`.

        Returns
        -------
        pandas.DataFrame
            Predictions of all pictures, in their order.

        Raises
        ------
        ReadError
            If some pictures failed: it holds the predictions of the others, and the same call again goes on.
        """
        return self._predict_images(images, _settings(confidence_threshold, max_detections_per_image))


class Detector(_Finder):
    """Finds objects and draws boxes around them."""

    _discovery, _prediction = "object_detector", "object_detection"


class InstanceSegmentor(_Finder):
    """Finds objects and draws a mask for each."""

    _discovery, _prediction = "instance_segmentor", "instance_segmentation"


class SemanticSegmentor(_Labeler):
    """Gives the pixels of a picture classes."""

    _discovery, _prediction = "semantic_segmentor", "semantic_segmentation"

    def predict(
        self, image_url: str | None = None, image_path: str | Path | None = None, min_size: float = 0.0
    ) -> pd.DataFrame:
        """Segment one picture.

        Parameters
        ----------
        image_url : str, optional
            Address of the picture.
        image_path : str or Path, optional
            A local file, uploaded for this.
        min_size : float
            The least area of a segment.

        Returns
        -------
        pandas.DataFrame
            Predictions, without scores.

        Raises
        ------
        InferenceException
            If the project has no model that is loaded.
        """
        return self._predict(image_url, image_path, _min_size(min_size))

    def predict_images(self, images: Any, min_size: float = 0.0) -> pd.DataFrame:
        """Segment many pictures, in parallel.

        Parameters
        ----------
        images : pandas.DataFrame, str, Path, or list of them
            An images frame, whose pictures the server reads itself, or a folder or local files.
        min_size : float
            The least area of a segment.

        Returns
        -------
        pandas.DataFrame
            Predictions of all pictures, in their order.

        Raises
        ------
        ReadError
            If some pictures failed: it holds the predictions of the others, and the same call again goes on.
        """
        return self._predict_images(images, _min_size(min_size))


class Attributer(_Model):
    """Says which attribute values objects have."""

    _discovery, _prediction = "attributer", "attribute_prediction"

    def predict(
        self,
        image_url: str | None = None,
        image_path: str | Path | None = None,
        bboxes: Any = None,
        confidence_threshold: float = 0.5,
    ) -> pd.DataFrame:
        """Predict the attributes of objects on one picture.

        Parameters
        ----------
        image_url : str, optional
            Address of the picture.
        image_path : str or Path, optional
            A local file, uploaded for this.
        bboxes : list of [x_min, y_min, x_max, y_max], or pandas.DataFrame
            The objects; of a labels or predictions frame, its boxes.
        confidence_threshold : float
            The least confidence, in [0, 1).

        Returns
        -------
        pandas.DataFrame
            A row an object and attribute: ``object`` (which of the boxes, from 0), the box, ``attribute_id``,
            ``attribute_name``, ``value`` (texts) and ``lov_ids`` (their ids).

        Raises
        ------
        ValidationException
            If a box is not valid.
        InferenceException
            If the project has no model that is loaded.
        """
        boxes = _boxes(bboxes)
        settings = {"bboxes": boxes, "confidence_threshold": _threshold(confidence_threshold)}
        url, path = _one_picture(image_url, image_path)
        self._loaded()
        answer = self._ask(url, path, settings)
        if len(answer) != len(boxes) or not all(map(_are_attributes, answer)):
            name = path.name if path is not None else _name_in(str(url))
            raise self._strange(f"what are no attributes of its {len(boxes):,} objects", name)
        attributes = self._vocabulary.table(entities.Attribute)
        texts = {v["id"]: v["value"] for values in attributes["values"].dropna() for v in values}
        rows = [
            {
                "object": number,
                **dict(zip(frames.BOX, map(float, found.get("bbox") or boxes[number]), strict=True)),
                "attribute_id": found["attribute_id"],
                "attribute_name": attributes["name"].get(found["attribute_id"]),
                "value": [texts.get(key, key) for key in found.get("lov_ids") or []],
                "lov_ids": list(found.get("lov_ids") or []),
            }
            for number, of_object in enumerate(answer)
            for found in of_object
        ]
        return pd.DataFrame(rows, columns=["object", *frames.BOX, "attribute_id", "attribute_name", "value", "lov_ids"])


_Picture = tuple[str | None, str, str | None, Path | None]
"""Id, name, address and path of a picture; either of the last two."""


def _pictures(images: Any) -> list[_Picture]:
    images = as_pandas(images)
    if isinstance(images, pd.DataFrame):
        images = by_id(images, entities.Image.id_name, "images")
        if images.index.name != entities.Image.id_name or "public_url" not in images:
            raise ValidationException("An images frame has the index 'image_id' and a column 'public_url'.")
        without = images.index[images["public_url"].isna()]
        if len(without):
            raise ValidationException(
                f"There is no public_url of {counted(len(without), 'image')}, the first is {without[0]!r}."
            )
        names = images["name"] if "name" in images else images["public_url"]
        return [
            (key, str(name), url, None)
            for key, name, url in zip(images.index, names, images["public_url"], strict=True)
        ]
    checked = [check_picture(path) for path in local_files(images)]
    return [(None, path.name, None, path) for path in checked]


def _version(picture: _Picture) -> int | None:
    """Return what tells whether a local file is the one that it was."""
    path = picture[3]
    return None if path is None else path.stat().st_mtime_ns


def _min_size(min_size: Any) -> dict[str, Any]:
    return {"min_size": check_number(min_size, "min_size", least=0)}


def _are_attributes(found: Any) -> bool:
    """Whether an answer is a list of ``{bbox, attribute_id, lov_ids}``, those of one object."""
    return isinstance(found, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("attribute_id"), str)
        and answers.problem(entities.Prediction, {"class_id": "-", "bbox": one.get("bbox")}) is None
        and (one.get("lov_ids") is None or isinstance(one["lov_ids"], list))
        and all(isinstance(key, str) for key in one.get("lov_ids") or ())
        for one in found
    )


def _name_in(url: str) -> str:
    """Return the last part of the path of an address, without a query that may be a signature."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _one_picture(image_url: Any, image_path: Any) -> tuple[str | None, Path | None]:
    """Return the address or the path of the one picture that is given."""
    if image_path is not None:
        return None, check_picture(check_path(image_path, "image_path"))
    if image_url is None:
        raise ValidationException("A picture is needed: give image_path= or image_url=.")
    return check_text(image_url, "image_url", empty=False), None


def _settings(confidence_threshold: float, max_detections_per_image: int) -> dict[str, Any]:
    return {
        "confidence_threshold": _threshold(confidence_threshold),
        "max_detections_per_image": check_number(
            max_detections_per_image, "max_detections_per_image", least=1, whole=True
        ),
    }


def _threshold(confidence_threshold: Any) -> Any:
    checked = check_number(confidence_threshold, "confidence_threshold")
    if not 0 <= checked < 1:
        raise ValidationException(f"confidence_threshold is {confidence_threshold!r}; it must be in [0, 1).")
    return checked


def _boxes(bboxes: Any) -> list[list[float]]:
    bboxes = as_pandas(bboxes, records=False)
    if isinstance(bboxes, pd.DataFrame):
        missing = [side for side in frames.BOX if side not in bboxes]
        if missing:
            raise ValidationException(f"The frame needs columns {missing}; it has {list(bboxes.columns)}.")
        bboxes = bboxes[list(frames.BOX)].to_numpy()
    if isinstance(bboxes, str | bytes | Mapping) or not np.iterable(bboxes):
        raise ValidationException("bboxes= must be a list of [x_min, y_min, x_max, y_max], or a frame with boxes.")
    return [_box(box, number) for number, box in enumerate(bboxes)]


def _box(box: Any, number: int) -> list[float]:
    """Return a box as it is sent; whole numbers as such."""
    try:
        sides = [check_number(side, "a side") for side in box]
        if len(sides) == 4 and sides[2] > sides[0] and sides[3] > sides[1]:
            return [int(side) if float(side).is_integer() else side for side in sides]
    except (ValidationException, TypeError):
        pass
    raise ValidationException(
        f"bboxes[{number}] is {shown(box)}; it must be [x_min, y_min, x_max, y_max], the maxima greater."
    )
