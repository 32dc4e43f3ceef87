"""Handles: single things that can be edited, with the documented properties and methods.

The properties come from the declarations in :mod:`hastyframe.entities`. In every ``edit`` method, ``...`` stands for
what stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import answers, attributes, checks, entities, frames
from .arguments import check_fields, check_file_name, check_path, check_text, shown
from .edits import batches
from .entities import ATTRIBUTE_TYPES, CLASS_TYPES, STATUSES, SUBJECT_TYPES
from .errors import NotFound, ValidationException
from .intake import as_pandas
from .pictures import save
from .urls import path_of, path_segment
from .vocabulary import Vocabulary, check_choice, ids_of

if TYPE_CHECKING:
    from .transport import Transport

__all__ = [
    "Attribute",
    "Dataset",
    "Handle",
    "Image",
    "Label",
    "LabelAttribute",
    "LabelClass",
    "Tag",
    "TagClass",
    "Workspace",
    "choices_of",
    "fill_missing_columns",
]


class Handle(entities.Entity):
    """A single thing on the server.

    Parameters
    ----------
    requester : Transport
        What it talks to the server with.
    data : mapping
        Its JSON.
    obj_params : mapping, optional
        Fields that the JSON leaves out.
    """

    def __init__(
        self, requester: Transport, data: Mapping[str, Any], obj_params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__({**data, **(obj_params or {})})
        self._requester = requester

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{_cell(value)}</td></tr>"
            for name, value in self._shown().items()
        )
        return f"<table><caption style='text-align:left'><b>{type(self).__name__}</b></caption>{rows}</table>"

    def _shown(self) -> dict[str, Any]:
        return {name: self._data.get(field.key) for name, field in self.fields().items() if not field.derived}

    def _identity(self) -> tuple[str, Any]:
        return self.id_name, self._data.get("id")

    def _url(self) -> str:
        return f"{path_of(self.path, **self._data)}/{path_segment(self._data['id'])}"

    def _checked(self, answer: Any, request: str, *, edited: bool = False) -> dict[str, Any]:
        """Return an answer that must be this very thing."""
        return answers.read(type(self), answer, request, edited=edited, id=self._data["id"])

    def _after_edit(self, answer: Any, request: str) -> dict[str, Any]:
        """Return what an edit made of this thing: what the server answers or, where it says nothing, what is there."""
        return self._read() if answer is None else self._checked(answer, request, edited=True)

    def _read(self) -> dict[str, Any]:
        """Read this thing again."""
        return self._checked(self._requester.get(self._url()), f"GET {self._url()}")

    @property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self._requester, self._data["project_id"])


class Editable(Handle):
    """A thing that can be changed and deleted."""

    def _put(self, **changes: Any) -> None:
        """Edit: send all fields that can be edited, those that are ``...`` as they are."""
        self._send(self._complete(changes))

    def _complete(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in what stays as it is; read again for that, since others may have changed it meanwhile."""
        check_fields(type(self), changes)
        if any(value is ... for value in changes.values()):
            self._data |= self._read()
        return {key: self._data.get(key) if value is ... else value for key, value in changes.items()}

    def _send(self, body: dict[str, Any]) -> None:
        answer = self._requester.put(self._url(), body)
        self._data |= body | self._after_edit(answer, f"PUT {self._url()}")
        self._forget()

    def _find(self, records: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Return this thing's record from a list, for things that cannot be read alone."""
        for record in records:
            if record.get("id") == self._data["id"]:
                return record
        raise NotFound(f"There is no {type(self).__name__} {self._data['id']!r} any more.")

    def delete(self) -> None:
        """Delete it on the server, with everything that belongs to it."""
        self._requester.delete(self._url())
        self._forget()

    def _forget(self) -> None:
        """Let the names of the project be read again, after one of them has changed."""
        if "project_id" in self._data:
            self._vocabulary.invalidate(type(self))


class Workspace(Handle, entities.Workspace):
    """A workspace: what projects belong to."""


class Dataset(Editable, entities.Dataset):
    """A dataset: a folder of images in a project."""

    def edit(self, name: str | EllipsisType = ..., norder: float | EllipsisType = ...) -> None:
        """Change the name or the place in lists.

        Parameters
        ----------
        name : str
            Its name.
        norder : float
            Its place in lists.
        """
        self._put(name=name, norder=norder)


class LabelClass(Editable, entities.LabelClass):
    """A class that labels can have."""

    def edit(
        self,
        name: str | EllipsisType = ...,
        color: str | EllipsisType | None = ...,
        class_type: str | EllipsisType = ...,
        norder: float | EllipsisType | None = ...,
        external_id: str | EllipsisType | None = ...,
    ) -> None:
        """Change what the class is called, looks like or is.

        Parameters
        ----------
        name : str
            Its name.
        color : str, optional
            ``#rrggbbaa``.
        class_type : str
            ``object`` or ``background``.
        norder : float, optional
            Its place in lists.
        external_id : str, optional
            Its id in a system of your own.
        """
        if class_type is not ...:
            check_choice(class_type, CLASS_TYPES, "class_type")
        self._put(name=name, color=color, type=class_type, norder=norder, external_id=external_id)


class TagClass(Editable, entities.TagClass):
    """A tag that images can have."""

    def edit(self, name: str | EllipsisType = ..., norder: float | EllipsisType | None = ...) -> None:
        """Change the name or the place in lists.

        Parameters
        ----------
        name : str
            Its name.
        norder : float, optional
            Its place in lists.
        """
        self._put(name=name, norder=norder)


class Attribute(Editable, entities.Attribute):
    """An attribute that labels can have values of."""

    def edit(
        self,
        name: str | EllipsisType = ...,
        attribute_type: str | EllipsisType = ...,
        description: str | EllipsisType | None = ...,
        norder: float | EllipsisType | None = ...,
        values: Iterable[str] | EllipsisType | None = ...,
        subject_type: str | EllipsisType = ...,
    ) -> None:
        """Change the attribute.

        Parameters
        ----------
        name : str
            Its name.
        attribute_type : str
            ``SELECTION``, ``MULTIPLE-SELECTION``, ``TEXT``, ``INT``, ``FLOAT`` or ``BOOL``.
        description : str, optional
            What it means.
        norder : float, optional
            Its place in lists.
        values : list of str, optional
            What a selection can be.
        subject_type : str
            What it describes: ``LABEL``, ``IMAGE``, ``VIDEO`` or ``SEGMENT``.
        """
        if attribute_type is not ...:
            check_choice(attribute_type, ATTRIBUTE_TYPES, "attribute_type")
        if subject_type is not ...:
            check_choice(subject_type, SUBJECT_TYPES, "subject_type")
        body = self._complete(
            {
                "name": name,
                "type": attribute_type,
                "subject_type": subject_type,
                "description": description,
                "norder": norder,
                "values": values if values is ... else [{"value": text} for text in choices_of(values)],
            }
        )
        self._send({**body, "values": [{"value": choice["value"]} for choice in body["values"] or []]})

    def _read(self) -> dict[str, Any]:
        return self._find(self._requester.listing(path_of(self.path, project_id=self.project_id)))


class LabelAttribute(Handle, entities.LabelAttribute):
    """The value that a label has of an attribute."""


class Tag(Handle, entities.Tag):
    """A tag on an image."""


class Image(Editable, entities.Image):
    """An image of a dataset."""

    def get_labels(self) -> pd.DataFrame:
        """Return the image's labels, a labels frame.

        For the labels of many images, `Project.get_labels` is much faster than a loop of this.
        """
        return self._listed(entities.Label)

    def create_label(
        self,
        label_class: LabelClass | str,
        bbox: list[int] | None = None,
        polygon: list[list[int]] | None = None,
        mask: list[int] | None = None,
        z_index: int | None = None,
        external_id: str | None = None,
    ) -> Label:
        """Create a label.

        Parameters
        ----------
        label_class : LabelClass or str
            Its class, or the class's id or name.
        bbox : list of int, optional
            ``[x_min, y_min, x_max, y_max]`` in pixels, the maxima exclusive.
        polygon : list of [x, y], optional
            Vertices of one ring.
        mask : list of int, optional
            Run-lengths inside the box (needs one).
        z_index : int, optional
            A greater value lies in front.
        external_id : str, optional
            Its id in a system of your own.

        Returns
        -------
        Label

        Raises
        ------
        FrameError
            If this is no label that the API takes; nothing was sent.
        """
        row = {"bbox": bbox, "polygon": polygon, "mask": mask, "z_index": z_index, "external_id": external_id}
        check_fields(entities.Label, row)
        class_id = self._vocabulary.expire().one_id(entities.LabelClass, label_class)
        row = {"class_id": class_id, **row}
        rows = checks.check_labels(self._on_me([row]), self._vocabulary, [self.id])
        path = self._list_path(entities.Label)
        known = {"class_id": class_id, "image_id": self.id}
        stored = answers.create(self._requester, entities.Label, path, frames.label_records(rows), known, in_list=True)
        return Label(self._requester, stored, {"project_id": self.project_id, "image_id": self.id})

    def create_labels(self, labels: Any) -> pd.DataFrame:
        """Create labels, any number of them.

        Parameters
        ----------
        labels : list of dict or pandas.DataFrame
            Keys or columns ``class_id`` (or ``class_name``), ``bbox`` (or its four columns), ``polygon``, ``mask``,
            ``z_index``, ``external_id``.

        Returns
        -------
        pandas.DataFrame
            The labels as stored, in the order given.

        Raises
        ------
        FrameError
            With every row that the API would refuse; nothing was sent.
        BatchError
            If some were not created; its `report` says which.
        """
        labels = checks.table(labels)
        if not len(labels):
            return self._vocabulary.records(entities.Label, [])
        checks.warn_of_misspelt(labels, ["image_id", *checks.LABEL_COLUMNS], 3)
        frame = checks.check_labels(self._on_me(labels), self._vocabulary.expire(), [self.id])
        return self._vocabulary.frame(entities.Label, batches.create_labels(self._requester, self.project_id, frame))

    def edit_labels(self, labels: Any) -> pd.DataFrame:
        """Edit labels, any number of them; what is left out stays as it is.

        Parameters
        ----------
        labels : list of dict or pandas.DataFrame
            As for `create_labels`, with ``label_id`` (in a frame, the index).

        Returns
        -------
        pandas.DataFrame
            The labels as stored, in the order given.
        """
        labels = checks.rows_of(labels)
        if not len(labels):
            return self._vocabulary.records(entities.Label, [])
        checks.check_same_keys(labels)
        frame = self._on_me(labels)
        checks.must_edit(frame, checks.LABEL_COLUMNS)
        checks.warn_of_misspelt(frame, ["image_id", *checks.LABEL_COLUMNS], 3)
        frame, bare = fill_missing_columns(frame, self.get_labels)
        frame = checks.check_labels(frame, self._vocabulary.expire(), [self.id], stored=True, bare=bare)
        return self._vocabulary.frame(entities.Label, batches.edit_labels(self._requester, self.project_id, frame))

    def delete_labels(self, label_ids: Any) -> None:
        """Delete labels.

        Parameters
        ----------
        label_ids : list of str or Label, or pandas.DataFrame
            Which.
        """
        ids = ids_of(entities.Label, label_ids)
        batches.delete_labels(self._requester, self.project_id, pd.Series(self.id, index=ids, dtype="str"))

    def set_status(self, status: str) -> None:
        """Set where the image stands.

        Parameters
        ----------
        status : str
            One of ``NEW, DONE, SKIPPED, IN PROGRESS, TO REVIEW, AUTO-LABELLED, COMPLETED``.
        """
        check_choice(status, STATUSES, "status")
        self._requester.put(f"{self._url()}/status", {"status": status})
        self._data["status"] = status

    def download(self, filepath: str | Path) -> None:
        """Download the picture.

        Parameters
        ----------
        filepath : str or Path
            Where to; the file is there whole or not at all.
        """
        path = check_path(filepath, "filepath")
        if not self.public_url:
            raise ValidationException(f"The image {self.name!r} has no address to download it from.")
        save(self._requester, self.public_url, path)

    def rename(self, new_name: str) -> None:
        """Rename the image.

        Parameters
        ----------
        new_name : str
            A file name that is new in its dataset.
        """
        self._patch({"filename": check_file_name(new_name, "new_name")})

    def move(self, dataset: Dataset | str) -> None:
        """Move the image to another dataset.

        Parameters
        ----------
        dataset : Dataset or str
            The dataset, or its id or name.
        """
        dataset_id = self._vocabulary.expire().one_id(entities.Dataset, dataset)
        self._patch({"dataset_id": dataset_id})

    def get_tags(self) -> pd.DataFrame:
        """Return the image's tags, a tags frame."""
        return self._listed(entities.Tag)

    def add_tags(self, tags: Any) -> pd.DataFrame:
        """Tag the image.

        Parameters
        ----------
        tags : list of dict, TagClass or str, or pandas.DataFrame
            Tag classes: dicts with ``tag_class_id``, handles, ids, names, or a frame.

        Returns
        -------
        pandas.DataFrame
            The tags as stored.
        """
        ids = self._vocabulary.expire().ids(entities.TagClass, _of_dicts(tags, "tag_class_id"))
        rows = pd.DataFrame({"image_id": self.id, "tag_class_id": ids})
        return self._vocabulary.frame(entities.Tag, batches.add_tags(self._requester, self.project_id, rows))

    def delete_tags(self, tags: Any) -> None:
        """Take tags off the image.

        Parameters
        ----------
        tags : list of dict, Tag, TagClass or str, or pandas.DataFrame
            Dicts with ``tag_id`` or ``tag_class_id``, handles, names of tag classes, or a frame of tags.
        """
        tags = as_pandas(tags, records=False)
        if isinstance(tags, pd.DataFrame):
            by_id = tags.index.name == entities.Tag.id_name or entities.Tag.id_name in tags
            tags = [{"tag_id": key} for key in ids_of(entities.Tag, tags)] if by_id else ids_of(entities.TagClass, tags)
        elif isinstance(tags, str | bytes | Mapping | entities.Entity) or not np.iterable(tags):
            tags = [tags]
        ids, others = [], []
        for tag in tags:
            if isinstance(tag, entities.Tag):
                ids.append(tag.id)
            elif isinstance(tag, Mapping) and tag.get("tag_id"):
                ids.append(tag["tag_id"])
            else:
                others.append(tag)
        classes = _of_dicts(others, "tag_class_id")
        class_ids = self._vocabulary.expire().ids(entities.TagClass, classes) if others else []
        for key, values in (("tag_id", ids), ("tag_class_id", class_ids)):
            if values:
                rows = pd.DataFrame({"image_id": self.id, key: values})
                batches.delete_tags(self._requester, self.project_id, rows, key)

    def _listed(self, entity: type[entities.Entity]) -> pd.DataFrame:
        items = answers.complete(self._requester.listing(self._list_path(entity)), image_id=self.id)
        frame = self._vocabulary.records(entity, items)
        return frames.with_unique_ids(entity, frame)

    def _patch(self, change: dict[str, Any]) -> None:
        self._data |= self._after_edit(self._requester.patch(self._url(), change), f"PATCH {self._url()}")

    def _list_path(self, entity: type[entities.Entity]) -> str:
        return path_of(entity.path, project_id=self.project_id, image_id=self.id)

    def _on_me(self, labels: Any) -> pd.DataFrame:
        return checks.as_frame(entities.Label, labels).assign(image_id=self.id)


class Label(Editable, entities.Label):
    """A label: a box, a polygon or a mask of one class on one image."""

    def edit(
        self,
        label_class: LabelClass | str | EllipsisType = ...,
        bbox: list[int] | EllipsisType | None = ...,
        polygon: list[list[int]] | EllipsisType | None = ...,
        mask: list[int] | EllipsisType | None = ...,
        z_index: float | EllipsisType | None = ...,
        external_id: str | EllipsisType | None = ...,
    ) -> None:
        """Change the label; None takes away what was there.

        Parameters
        ----------
        label_class : LabelClass or str
            Its class, or the class's id or name.
        bbox : list of int, optional
            ``[x_min, y_min, x_max, y_max]`` in pixels, the maxima exclusive.
        polygon : list of [x, y], optional
            Vertices of one ring.
        mask : list of int, optional
            Run-lengths inside the box (needs one).
        z_index : float, optional
            A greater value lies in front.
        external_id : str, optional
            Its id in a system of your own.

        Raises
        ------
        FrameError
            If this would be no label that the API takes; nothing was sent.
        """
        class_id: Any = label_class
        if class_id is not ...:
            class_id = self._vocabulary.expire().one_id(entities.LabelClass, label_class)
        row = self._complete(
            {
                "class_id": class_id,
                "bbox": bbox,
                "polygon": polygon,
                "mask": mask,
                "z_index": z_index,
                "external_id": external_id,
            }
        )
        rows = checks.as_frame(entities.Label, [{"label_id": self.id, "image_id": self.image_id, **row}])
        bare = np.array([self.bbox is None and self.polygon is None])
        checked = checks.check_labels(rows, self._vocabulary, [self.image_id], stored=True, bare=bare)
        [record] = frames.label_records(checked)
        if mask is ... and self.mask and checks.is_resized(record["bbox"], self.bbox):
            boxes = f"The box becomes {record['bbox']} and was {self.bbox}."
            raise ValidationException(f"{boxes} {checks.MASK_NEEDS_CROPPING}")
        answer = self._requester.put(self._list_path(), [{"label_id": self.id, **record}])
        self._data |= self._after_edit(answers.only(answer), f"PUT {self._list_path()}")

    def delete(self) -> None:
        """Delete the label."""
        self._requester.delete(self._list_path(), [{"id": self.id}])

    def get_attributes(self) -> pd.DataFrame:
        """Return the values of the label's attributes, a label attributes frame."""
        path = path_of(entities.LabelAttribute.path, project_id=self.project_id, label_id=self.id)
        records = self._requester.listing(path)
        return attributes.readable(self._vocabulary, attributes.complete_values(records, self.id))

    def set_attribute(self, attribute: Attribute | str, value: Any) -> None:
        """Set the value of an attribute.

        Parameters
        ----------
        attribute : Attribute or str
            The attribute, or its id or name.
        value : str, float, int, bool or list of str
            The value; of a selection, the text or the id of a choice.
        """
        attribute_id = self._vocabulary.expire().one_id(entities.Attribute, attribute)
        frame = pd.DataFrame({"attribute_id": [attribute_id], "value": pd.Series([value], dtype=object)})
        [sent] = attributes.writable(self._vocabulary, frame)
        path = path_of(entities.LabelAttribute.path, project_id=self.project_id, label_id=self.id)
        path = f"{path}/{path_segment(attribute_id)}"
        answer = self._requester.post(path, {"value": sent}, repeatable=True)
        if answer is not None:  # a server may say no more than that it is done
            answers.read(entities.LabelAttribute, answer, f"POST {path}", edited=True, label_id=self.id)

    def _list_path(self) -> str:
        return path_of(self.path, project_id=self.project_id, image_id=self.image_id)

    def _read(self) -> dict[str, Any]:
        return self._find(self._requester.listing(self._list_path()))


def _cell(value: Any, width: int = 120) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= width else text[: width - 1] + "…")


def fill_missing_columns(
    labels: pd.DataFrame, read: Callable[[], pd.DataFrame]
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_] | None]:
    """Complete labels that are to be edited by what they have now; a mask that is left out needs a box of its size.

    Parameters
    ----------
    labels : pandas.DataFrame
        With ``label_id`` and ``image_id``.
    read : callable
        Reads the labels as they are; called only if a column is missing, or the shape of a label.

    Returns
    -------
    tuple
        The labels, and which of them have no shape now, if any is to be without one: they may stay so.

    Raises
    ------
    FrameError
        If a label is not there, or its box changes size under a mask.
    """
    before: list[pd.DataFrame] = []

    def look() -> pd.DataFrame:
        before.append(read())
        return before[0]

    frame = checks.fill_missing_columns(labels, look)
    if "mask" not in labels and before:
        boxes = frame[list(frames.BOX)].to_numpy()
        was = before[0].loc[frame.index, list(frames.BOX)].to_numpy()
        # What is not a box at all is told by other checks.
        sound = ((boxes == boxes.round()) & (np.abs(boxes) < 2**31)).all(axis=1)
        boxes = np.where(sound[:, None], boxes, 0)
        size = boxes[:, 2:] - boxes[:, :2]
        sound &= (size > 0).all(axis=1)
        resized = (size != was[:, 2:] - was[:, :2]).any(axis=1)
        problems = checks.Problems(frame)
        problems.add("bbox", resized & sound & frame["mask"].notna(), checks.MASK_NEEDS_CROPPING, boxes)
        problems.throw()
    if not checks.without_shape(frame).any():
        return frame, None
    now = before[0] if before else read()
    return frame, checks.without_shape(now.reindex(frame.index)) & frame.index.isin(now.index)


def choices_of(values: Iterable[str] | None) -> list[str]:
    """Return the texts that a selection can be."""
    if values is None:
        return []
    if isinstance(values, str | bytes | Mapping | pd.DataFrame) or not np.iterable(values):
        raise ValidationException(f"values= must be a list of texts, as ['small', 'large'], not {shown(values)}.")
    return [check_text(value, f"values[{number}]", empty=False) for number, value in enumerate(values)]


def _of_dicts(things: Any, key: str) -> Any:
    """Replace dicts among the things by the id that they hold."""
    if isinstance(things, Mapping):
        things = [things]
    if not np.iterable(things) or isinstance(
        things, bytes | pd.DataFrame | pd.Series | pd.Index | str | entities.Entity
    ):
        return things
    found = []
    for thing in things:
        if isinstance(thing, Mapping) and not thing.get(key):
            raise ValidationException(f"{dict(thing)!r} does not say which: give {key!r}.")
        found.append(thing[key] if isinstance(thing, Mapping) else thing)
    return found
