"""A project: every endpoint of it, frames in, frames out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd

from . import answers, attributes, checks, entities, frames, identity, pictures
from .arguments import (
    check_fields,
    check_file_name,
    check_flag,
    check_number,
    check_path,
    check_text,
    file_name_problem,
    shown,
)
from .edits import Errors, Journal, KnownLabels, Plan, Report, check_options, execute
from .entities import (
    ATTRIBUTE_TYPES,
    CLASS_TYPES,
    EXPORT_FORMATS,
    LABELS_ORDER,
    SEMANTIC_FORMATS,
    STATUSES,
    SUBJECT_TYPES,
)
from .errors import JournalError, NotFound, UnexpectedAnswer, ValidationException
from .handles import Attribute, Dataset, Editable, Handle, Image, LabelClass, TagClass, choices_of, fill_missing_columns
from .intake import takes_frames
from .jobs import AutomatedLabelingJob, ExportJob
from .limits import DEFAULT_LIMITS, PAGE_SIZE, Limits
from .models import Attributer, Detector, InstanceSegmentor, SemanticSegmentor
from .planning import (
    Missing,
    Outside,
    edit_plan,
    label_contents,
    plan_images,
    plan_label_attributes,
    plan_label_classes,
    plan_labels,
    plan_status,
    plan_tags,
    status_contents,
    stored,
    stored_records,
    tag_contents,
    undo,
    value_contents,
)
from .reading import read_lists, read_many
from .uploads import Compare, upload
from .urls import path_of, path_segment
from .vocabulary import Vocabulary, check_choice, ids_of, suggestion

if TYPE_CHECKING:
    import pyarrow as pa

    from .http.parts import Failures
    from .io import LabelSet
    from .transport import Listing

__all__ = ["Project"]

H = TypeVar("H", bound=Handle)
M = TypeVar("M", Detector, InstanceSegmentor, SemanticSegmentor, Attributer)

_MAP_KEYS = ("attribute_id", "class_id", "attribute_order", "class_order")
_MAP_PATH = "/v1/projects/{project_id}/attributes_classes"


class Project(Editable, entities.Project):
    """A project: datasets of images with labels.

    Made by `Client.get_project` and `Client.create_project`.
    """

    @property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self._requester, self.id)

    def edit(self, name: str | EllipsisType = ..., description: str | EllipsisType | None = ...) -> None:
        """Change the name or the description.

        Parameters
        ----------
        name : str
            Its name.
        description : str, optional
            What it is about.
        """
        self._put(name=name, description=description)

    # Datasets ---------------------------------------------------------------------------------------------------------

    def get_datasets(self) -> pd.DataFrame:
        """Return the datasets, a datasets frame indexed by ``dataset_id``."""
        return self._fresh(entities.Dataset)

    def get_dataset(self, dataset_id: str) -> Dataset:
        """Return one dataset.

        Parameters
        ----------
        dataset_id : str
            Its id or name.
        """
        return self._one(Dataset, dataset_id)

    def create_dataset(self, name: str, norder: float = 0) -> Dataset:
        """Create a dataset.

        Parameters
        ----------
        name : str
            Its name.
        norder : float
            Its place in lists.
        """
        return self._create(Dataset, {"name": name, "norder": norder})

    # Images -----------------------------------------------------------------------------------------------------------

    def get_images(self, dataset: Any = None, image_status: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return the images, an images frame indexed by ``image_id``.

        Parameters
        ----------
        dataset : str, Dataset, list of them, or pandas.DataFrame, optional
            Only images of these datasets: handles, ids, names, or a datasets frame.
        image_status : str or list of str, optional
            Only images of these statuses.

        Returns
        -------
        pandas.DataFrame
            ``name, project_id, dataset_id, dataset_name, width, height, status, public_url, external_id``.

        Raises
        ------
        ValidationException
            If a dataset or a status does not exist.
        """
        self._vocabulary.invalidate(entities.Dataset)
        query: dict[str, str] = {}
        if dataset is not None:
            query["dataset_id"] = ",".join(self._vocabulary.ids(entities.Dataset, dataset))
        if image_status is not None:
            query["image_status"] = ",".join(_statuses(image_status))
        if not all(query.values()):  # an empty list asks for the images of no dataset, not of all
            return self._vocabulary.records(entities.Image, [])
        return self._frame(entities.Image, [(self._path(entities.Image), query)], desc="Images")

    def get_image(self, image_id: str) -> Image:
        """Return one image.

        Parameters
        ----------
        image_id : str
            Its id.
        """
        return self._one(Image, image_id)

    def upload_from_file(self, dataset: Dataset | str, filepath: str | Path, external_id: str | None = None) -> Image:
        """Upload a picture; for many, `upload_images` is much faster.

        Parameters
        ----------
        dataset : Dataset or str
            The dataset, or its id or name.
        filepath : str or Path
            The local file.
        external_id : str, optional
            Its id in a system of your own.

        Raises
        ------
        ValidationException
            If the file is not an image; nothing was sent.
        """
        path = pictures.check_picture(check_path(filepath, "filepath"))
        check_file_name(path.name, "The name of the file")
        check_text(external_id, "external_id", optional=True)
        dataset_id = self._dataset_id(dataset)
        picture = pictures.Picture(path, path.name, dataset_id, external_id)
        address = pictures.upload_address(self._requester, self.id)
        stored = pictures.store_picture(self._requester, self.id, picture, address)
        return Image(self._requester, stored, {"project_id": self.id})

    def upload_from_url(
        self,
        dataset: Dataset | str,
        filename: str | None,
        url: str,
        copy_original: bool = True,
        external_id: str | None = None,
    ) -> Image:
        """Let the server fetch a picture.

        Parameters
        ----------
        dataset : Dataset or str
            The dataset, or its id or name.
        filename : str or None
            What the image is called; None for the last part of the address.
        url : str
            Where the server finds it.
        copy_original : bool
            Whether the server keeps a copy.
        external_id : str, optional
            Its id in a system of your own.
        """
        body = {
            **({} if filename is None else {"filename": check_file_name(filename, "filename")}),
            "url": check_text(url, "url", empty=False),
            "copy_original": check_flag(copy_original, "copy_original"),
            "external_id": check_text(external_id, "external_id", optional=True),
            "dataset_id": self._dataset_id(dataset),
        }
        return self._create(Image, body)

    @takes_frames(only=False, images=None)
    def upload_images(self, images: Any, dataset: Any = None, *, compare: Compare = "size") -> pd.DataFrame:
        """Upload many pictures in parallel, each once; one that fails does not stop the others.

        Whatever ends the call, the same line again goes on: a picture whose name its dataset has already is not sent
        again if it is the same, and fails if it is another one. What is there is read first, in a request a hundred
        images of the datasets.

        Parameters
        ----------
        images : str, Path, list of them, or pandas.DataFrame
            A folder (its pictures, not those of folders in it), files, or a frame with a column ``path`` and, if
            wanted, ``name``, ``external_id``, ``dataset_id`` or ``dataset_name``.
        dataset : Dataset or str, optional
            The dataset, or its id or name; needed unless the frame says it.
        compare : {"size", "checksum"}
            What tells whether an image of the same name is the same picture. File names are unique within a dataset,
            so that ``size`` (width × height, which the listing has, so that it costs nothing) is enough unless files
            are changed and keep name and size; an image of unknown size counts as the same. ``checksum`` downloads
            the image of each such name and compares all bytes: as much traffic as the upload itself, and only for a
            server that keeps files as they were sent.

        Returns
        -------
        pandas.DataFrame
            A row a picture: ``path, name, dataset_id, image_id, outcome, message``; ``outcome`` is ``uploaded``,
            ``there already``, ``failed``, or, where requests were never answered, ``unknown``: the image may yet
            appear.

        Warns
        -----
        UserWarning
            If a picture was not uploaded.

        Raises
        ------
        FrameError
            If two files would have the same name in a dataset, or a row of a frame has no path; nothing was sent.
        ValidationException
            If a folder is not there or has no pictures.
        KeyboardInterrupt
            After Ctrl-C, when what was done has been printed.
        """
        wanted = self._pictures(images, dataset)
        pictures.check_unique(wanted)
        report = upload(self._requester, self.id, wanted, compare)
        pictures.warn_of(report, ["uploaded", "there already"], "pictures were not uploaded")
        return report

    @takes_frames(only=False, images="image_id")
    def download_images(self, images: Any = None, folder: str | Path = ".", *, overwrite: bool = False) -> pd.DataFrame:
        """Download pictures in parallel, into a folder a dataset; one that fails does not stop the others.

        Files appear whole or not at all, and those that are there are not fetched again: the same line goes on with
        what was interrupted.

        A name that not every file system takes (too long, with a slash, reserved, the same as another but for capitals)
        is changed into one that it takes, with a checksum that tells it apart; the report says where each picture is.

        Parameters
        ----------
        images : pandas.DataFrame or list of str or Image, optional
            An images frame, ids or handles; all images of the project if not given.
        folder : str or Path
            Where to; made if it is not there.
        overwrite : bool
            Whether files that are there are fetched again.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``image_id``: ``path, outcome, message``.

        Warns
        -----
        UserWarning
            If a picture was not downloaded.

        Raises
        ------
        FormatError
            If the folder cannot be made or written to.
        """
        folder, overwrite = check_path(folder, "folder"), check_flag(overwrite, "overwrite")
        complete = isinstance(images, pd.DataFrame) and {"dataset_name", "name", "public_url"} <= set(images.columns)
        if not complete:
            every = self.get_images()
            images = every if images is None else every.loc[self._known_ids(images, every.index)]
        report = pictures.download(self._requester, images, folder, overwrite)
        pictures.warn_of(report, ["downloaded", "there already"], "pictures were not downloaded")
        return report

    @takes_frames(only=False, images="image_id")
    def set_status(self, images: Any, status: str | None = None) -> pd.DataFrame:
        """Set the status of many images, in parallel.

        Parameters
        ----------
        images : pandas.DataFrame or list of str or Image
            A frame with ``image_id`` as index or column (images or labels, say), ids or handles.
        status : str, optional
            The status; if not given, the frame's column ``status`` says it.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``image_id``: ``status``.

        Raises
        ------
        FrameError, ValidationException
            If a status or an image does not exist; nothing was sent.
        BatchError
            If some were not set; its `report` says which.
        """
        ids = ids_of(entities.Image, images)
        rows = images.index if isinstance(images, pd.DataFrame) else None
        if status is not None:
            wanted = pd.DataFrame({"image_id": ids, "status": check_choice(status, STATUSES, "status")}, index=rows)
        elif isinstance(images, pd.DataFrame) and "status" in images:
            checks.warn_of_misspelt(images, ["status"])
            wanted = pd.DataFrame({"image_id": ids, "status": images["status"].astype(object).to_numpy()}, index=rows)
        else:
            raise ValidationException("Which status? Give status=, or a frame with a column 'status'.")
        checks.check_statuses(wanted)
        wanted = self._with_images(wanted)
        wanted = wanted.drop_duplicates(["image_id", "status"])
        problems = checks.Problems(wanted)
        problems.add("status", wanted["image_id"].duplicated(keep=False), "Other rows of the image have another one.")
        problems.throw()
        wanted = wanted.set_index("image_id", drop=False)
        edit_plan(self, "statuses", status_contents, edits=wanted).apply()
        return wanted[["status"]].astype(pd.CategoricalDtype(list(STATUSES)))

    # Labels -----------------------------------------------------------------------------------------------------------

    def get_labels(
        self, images: Any = None, dataset: Any = None, image_status: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the labels of many images, in parallel.

        Parameters
        ----------
        images : pandas.DataFrame or list of str or Image, optional
            A frame with ``image_id`` as index or column, ids or handles; all images if not given.
        dataset, image_status : optional
            Only images of these, as for `get_images`.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``label_id``: ``image_id, class_id, class_name, x_min, y_min, x_max, y_max, polygon, mask,
            z_index, external_id``. Images in the order given, labels of an image in the server's order.

        Raises
        ------
        ReadError
            If some of them could not be read: it holds the others, and the same call again reads only what is missing.
        """
        self._vocabulary.invalidate(entities.LabelClass)
        ids = self._image_ids(images, dataset, image_status)
        read_now: list[int] = []
        labels = self._of_images(entities.Label, ids, "Labels", read_now)
        KnownLabels.shared(self._requester, self.id).saw([ids[position] for position in read_now], labels)
        return labels

    def create_labels(self, labels: Any, journal: str | Path | None = None) -> pd.DataFrame:
        """Create labels on many images, in batches, in parallel.

        Parameters
        ----------
        labels : pandas.DataFrame or list of dict
            ``image_id``; ``class_id`` or ``class_name``; a box (``x_min, y_min, x_max, y_max`` or ``bbox``) or a
            ``polygon``; if wanted ``mask``, ``z_index``, ``external_id``. Other columns are not sent.
        journal : str or Path, optional
            A new file from which `resume` can finish, as for `Plan.apply`.

        Returns
        -------
        pandas.DataFrame
            The labels as stored, in the order of the rows.

        Raises
        ------
        FrameError
            With every row that is wrong; nothing was sent.
        BatchError
            If some were not created; its `report` says what became of each row.
        """
        labels = checks.table(labels)
        if not len(labels):
            return self._vocabulary.records(entities.Label, [])
        return stored(self._plan_creates(labels), entities.Label, self._vocabulary, journal)

    def _created_labels(self, labels: pd.DataFrame, journal: str | Path | None) -> pd.Index[str]:
        """Create labels, those that the journal does not know yet; return the ids of all of them, in order."""
        if journal is None or not len(labels):
            return self.create_labels(labels).index
        return pd.Index(self._plan_creates(labels).finish(journal)["id"])

    def _plan_creates(self, labels: Any) -> Plan:
        frame = checks.as_frame(entities.Label, labels)
        checks.warn_of_misspelt(frame, ["image_id", *checks.LABEL_COLUMNS])
        frame, known = self._find_images(frame)
        frame = checks.check_labels(frame, self._vocabulary.expire(), known)
        return edit_plan(self, "labels", label_contents, creates=frame)

    def edit_labels(self, labels: Any) -> pd.DataFrame:
        """Edit labels on many images, in batches, in parallel; columns that are left out stay as they are.

        Parameters
        ----------
        labels : pandas.DataFrame or list of dict
            As for `create_labels`, with ``label_id`` (in a frame, the index). Without ``image_id``, the images that
            they are on are looked up first, which reads all labels of the project.

        Returns
        -------
        pandas.DataFrame
            The labels as stored, in the order of the rows.

        Raises
        ------
        FrameError
            With every row that is wrong; nothing was sent.
        BatchError
            If some were not edited; its `report` says what became of each row.
        """
        labels = checks.rows_of(labels)
        if not len(labels):
            return self._vocabulary.records(entities.Label, [])
        checks.check_same_keys(labels)
        frame = checks.indexed(entities.Label, checks.as_frame(entities.Label, labels))
        checks.must_edit(frame, checks.LABEL_COLUMNS)
        checks.warn_of_misspelt(frame, ["image_id", *checks.LABEL_COLUMNS], 3)
        frame = checks.without_read_names(frame, self._vocabulary.expire())
        read = None
        if "image_id" not in frame:
            read = self.get_labels()
            frame = frame.assign(image_id=self._images_of(frame.index, read).to_numpy())
        frame, known = self._find_images(frame)
        there = frame[frame["image_id"].isin(known)]
        frame, bare = fill_missing_columns(frame, lambda: self.get_labels(there) if read is None else read)
        frame = checks.settle_classes(frame, self._vocabulary, lambda: self.get_labels(there) if read is None else read)
        frame = checks.check_labels(frame, self._vocabulary, known, stored=True, bare=bare)
        return stored(edit_plan(self, "labels", label_contents, edits=frame), entities.Label, self._vocabulary)

    @takes_frames(only=False, labels="label_id")
    def delete_labels(self, labels: Any) -> None:
        """Delete labels of many images, in batches, in parallel.

        Parameters
        ----------
        labels : pandas.DataFrame or list of str or Label
            A labels frame (with ``image_id``), ids or handles. For ids alone, the images that they are on are looked
            up first, which reads all labels of the project.

        Raises
        ------
        FrameError
            If a label or an image does not exist; nothing was sent.
        BatchError
            If some were not deleted; its `report` says what became of each row.
        """
        if isinstance(labels, pd.DataFrame):
            labels = checks.table(labels)
        elif isinstance(labels, str | entities.Entity):
            labels = [labels]
        elif np.iterable(labels) and not isinstance(labels, pd.Series | pd.Index | Mapping | bytes):
            labels = list(labels)
        if isinstance(labels, pd.DataFrame) and "image_id" in labels:
            frame = checks.indexed(entities.Label, labels)
            problems = checks.Problems(frame)
            frame = frame.assign(image_id=checks.ids_of_column(frame["image_id"], problems))
            problems.throw()
            frame = self._with_images(frame)
        elif isinstance(labels, list) and all(isinstance(label, entities.Label) for label in labels):
            frame = pd.DataFrame({"image_id": {label.id: label.image_id for label in labels}})
        else:
            frame = self._images_of(ids_of(entities.Label, labels), self.get_labels()).to_frame()
        frame = frame[~frame.index.duplicated()]
        if len(frame):
            edit_plan(self, "labels", label_contents, deletes=frame).apply()

    # Label attributes -------------------------------------------------------------------------------------------------

    def get_label_attributes(self, labels: Any, *, wide: bool = False) -> pd.DataFrame:
        """Return the attribute values of many labels, in parallel: one request a label.

        Parameters
        ----------
        labels : pandas.DataFrame or list of str or Label
            A frame with ``label_id`` as index or column, ids or handles.
        wide : bool
            Whether to return a column an attribute.

        Returns
        -------
        pandas.DataFrame
            Long: indexed by ``label_attribute_id``, ``label_id, attribute_id, attribute_name, value``, selections
            as their texts. Wide: indexed by ``label_id``, a typed column an attribute, every label a row.

        Raises
        ------
        ReadError
            If some of them could not be read: it holds the others, and the same call again reads only what is missing.
        """
        check_flag(wide, "wide")
        self._vocabulary.invalidate(entities.Attribute)
        ids = list(dict.fromkeys(ids_of(entities.Label, labels)))
        paths = [path_of(entities.LabelAttribute.path, project_id=self.id, label_id=key) for key in ids]

        def read(positions: list[int], failures: Failures) -> Sequence[Any]:
            return self._requester.listings(
                [(paths[position], None) for position in positions],
                lambda number, items: attributes.complete_values(items, ids[positions[number]]),
                desc="Label attributes",
                unit="label",
                failures=failures,
            )

        def make(pages: list[Any]) -> pd.DataFrame:
            records = [record for of_label in pages for page in of_label for record in page]
            long = attributes.readable(self._vocabulary, records)
            return attributes.widen(self._vocabulary, long, pd.Index(ids, dtype="str")) if wide else long

        return read_many(self._requester, paths, pd.Index(ids, dtype="str", name="label_id"), read, make)

    def set_label_attributes(self, values: Any) -> pd.DataFrame:
        """Set attribute values of many labels, in parallel: one request a value.

        Parameters
        ----------
        values : pandas.DataFrame or list of dict
            Long: ``label_id``, ``attribute_id`` or ``attribute_name``, and ``value``. Or wide: indexed by
            ``label_id`` (or with it as a column), a column an attribute; missing values are not sent. Selections by
            text or id.

        Returns
        -------
        pandas.DataFrame
            The values as stored, long, in the order of the rows.

        Raises
        ------
        FrameError
            With every value that its attribute cannot have; nothing was sent.
        BatchError
            If some were not set; its `report` says which.
        """
        vocabulary = self._vocabulary.expire()
        frame = attributes.long_frame(values, vocabulary)
        if not len(frame):
            return attributes.readable(vocabulary, [])
        with attributes.naming_cells(frame):
            ids = checks.check_names(frame, "attribute_id", entities.Attribute, vocabulary)
            frame = frame.assign(attribute_id=ids)
            problems = checks.Problems(frame)
            twice = frame.duplicated(["label_id", "attribute_id"], keep=False)
            problems.add("label_id", twice, "Several rows give the label a value of the same attribute.")
            problems.throw()
            sent = pd.Series(attributes.writable(vocabulary, frame), frame.index, dtype=object)
        plan = edit_plan(self, "label_attributes", value_contents, edits=frame.assign(sent=sent))
        return attributes.readable(self._vocabulary, stored_records(plan))

    # Tags -------------------------------------------------------------------------------------------------------------

    def get_tags(self, images: Any = None) -> pd.DataFrame:
        """Return the tags of many images, in parallel.

        Parameters
        ----------
        images : pandas.DataFrame or list of str or Image, optional
            A frame with ``image_id`` as index or column, ids or handles; all images if not given.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``tag_id``: ``image_id, tag_class_id, tag_class_name``.

        Raises
        ------
        ReadError
            If some of them could not be read: it holds the others, and the same call again reads only what is missing.
        """
        self._vocabulary.invalidate(entities.TagClass)
        return self._of_images(entities.Tag, self._image_ids(images), "Tags", [])

    def add_tags(self, tags: pd.DataFrame) -> pd.DataFrame:
        """Tag many images, in batches, in parallel.

        Parameters
        ----------
        tags : pandas.DataFrame or list of dict
            ``image_id``, and ``tag_class_id`` or ``tag_class_name``.

        Returns
        -------
        pandas.DataFrame
            The tags as stored, in the order of the rows.

        Raises
        ------
        FrameError
            With every row that is wrong; nothing was sent.
        BatchError
            If some were not added; its `report` says which.
        """
        frame = self._tag_rows(tags)
        if not len(frame):
            return self._vocabulary.records(entities.Tag, [])
        checks.warn_of_misspelt(frame, ["tag_id", "image_id", "tag_class_id", "tag_class_name"], 3)
        frame["tag_class_id"] = checks.check_names(frame, "tag_class_id", entities.TagClass, self._vocabulary.expire())
        frame = self._with_images(frame)
        return stored(edit_plan(self, "tags", tag_contents, creates=frame), entities.Tag, self._vocabulary)

    def delete_tags(self, tags: pd.DataFrame) -> None:
        """Take tags off many images, in batches, in parallel.

        Parameters
        ----------
        tags : pandas.DataFrame or list of dict
            ``image_id``, and ``tag_id`` (or the index of a tags frame), ``tag_class_id`` or ``tag_class_name``.

        Raises
        ------
        FrameError
            With every row that is wrong; nothing was sent.
        BatchError
            If some were not deleted; its `report` says which.
        """
        frame = self._tag_rows(tags)
        if not len(frame):
            return
        self._vocabulary.expire()
        frame = self._with_images(frame)
        if "tag_class_id" not in frame and "tag_id" in frame:
            known = self.get_tags(frame["image_id"])
            checks.check_ids(frame, "tag_id", known.index, "There is no such tag on these images.")
            frame["tag_class_id"] = known.loc[frame["tag_id"], "tag_class_id"].to_numpy()
        frame["tag_class_id"] = checks.check_names(frame, "tag_class_id", entities.TagClass, self._vocabulary)
        frame = frame[~frame.duplicated(["image_id", "tag_class_id"])]
        edit_plan(self, "tags", tag_contents, deletes=frame).apply()

    # Label classes, tag classes, attributes ---------------------------------------------------------------------------

    def get_label_classes(self) -> pd.DataFrame:
        """Return the label classes, a frame indexed by ``class_id``."""
        return self._fresh(entities.LabelClass)

    def get_label_class(self, label_class_id: str) -> LabelClass:
        """Return one label class.

        Parameters
        ----------
        label_class_id : str
            Its id or name.
        """
        return self._one(LabelClass, label_class_id)

    def create_label_class(
        self,
        name: str,
        color: str | None = None,
        class_type: str = "object",
        norder: float | None = None,
        external_id: str | None = None,
    ) -> LabelClass:
        """Create a label class.

        Parameters
        ----------
        name : str
            Its name.
        color : str, optional
            ``#rrggbb`` or ``#rrggbbaa``.
        class_type : str
            ``object`` or ``background``.
        norder : float, optional
            Its place in lists.
        external_id : str, optional
            Its id in a system of your own.
        """
        check_choice(class_type, CLASS_TYPES, "class_type")
        body = {"name": name, "color": color, "type": class_type, "norder": norder, "external_id": external_id}
        return self._create(LabelClass, body)

    def get_tag_classes(self) -> pd.DataFrame:
        """Return the tag classes, a frame indexed by ``tag_class_id``."""
        return self._fresh(entities.TagClass)

    def get_tag_class(self, tag_class_id: str) -> TagClass:
        """Return one tag class.

        Parameters
        ----------
        tag_class_id : str
            Its id or name.
        """
        return self._one(TagClass, tag_class_id)

    def create_tag_class(self, name: str, norder: float | None = None) -> TagClass:
        """Create a tag class.

        Parameters
        ----------
        name : str
            Its name.
        norder : float, optional
            Its place in lists.
        """
        return self._create(TagClass, {"name": name, "norder": norder})

    def get_attributes(self) -> pd.DataFrame:
        """Return the attributes, a frame indexed by ``attribute_id``."""
        return self._fresh(entities.Attribute)

    def create_attribute(
        self,
        name: str,
        attribute_type: str,
        description: str | None = None,
        norder: float | None = None,
        values: Iterable[str] | None = None,
        subject_type: str = "LABEL",
    ) -> Attribute:
        """Create an attribute.

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
        check_choice(attribute_type, ATTRIBUTE_TYPES, "attribute_type")
        check_choice(subject_type, SUBJECT_TYPES, "subject_type")
        body = {
            "name": name,
            "type": attribute_type,
            "subject_type": subject_type,
            "description": description,
            "norder": norder,
            "values": [{"value": text} for text in choices_of(values)],
        }
        return self._create(Attribute, body)

    def get_attribute_classes(self) -> pd.DataFrame:
        """Return which attributes the labels of which classes have.

        Returns
        -------
        pandas.DataFrame
            A row a pair: ``attribute_id, class_id, attribute_order, class_order``.
        """
        path = path_of(_MAP_PATH, project_id=self.id)
        return _pairs_frame(self._requester.get(path), f"GET {path}")

    def set_attribute_classes(self, attribute_classes: Any) -> pd.DataFrame:
        """Give labels of classes attributes; pairs that are there stay, their orders are set.

        Parameters
        ----------
        attribute_classes : list of dict or pandas.DataFrame
            ``attribute_id, class_id``, and if wanted ``attribute_order, class_order`` (0 if not given).

        Returns
        -------
        pandas.DataFrame
            The pairs as the server stored them.
        """
        pairs = self._pairs(attribute_classes)
        path = path_of(_MAP_PATH, project_id=self.id)
        return _pairs_frame(self._requester.post(path, pairs, repeatable=True), f"POST {path}")

    def delete_attribute_classes(self, attribute_classes: Any) -> None:
        """Take attributes from the labels of classes.

        Parameters
        ----------
        attribute_classes : list of dict or pandas.DataFrame
            ``attribute_id, class_id``.
        """
        pairs = [{key: pair[key] for key in _MAP_KEYS[:2]} for pair in self._pairs(attribute_classes)]
        if pairs:
            self._requester.delete(path_of(_MAP_PATH, project_id=self.id), pairs)

    # Exports ----------------------------------------------------------------------------------------------------------

    def export(
        self,
        name: str,
        export_format: str,
        dataset: Any = None,
        image_status: str | Sequence[str] | None = "DONE",
        sign_urls: bool = False,
        semantic_format: str = "gs_asc",
        labels_order: str | Sequence[str] | None = None,
    ) -> ExportJob:
        """Start an export; `ExportJob.wait` waits for it, `ExportJob.download` fetches it.

        Parameters
        ----------
        name : str
            What the file is called.
        export_format : str
            ``json_v1.1``, ``semantic_png``, ``json_coco`` or ``images``.
        dataset : Dataset, str, list of them, or pandas.DataFrame, optional
            Only these datasets: handles, ids, names, or a datasets frame.
        image_status : str or list of str, optional
            Only images of these statuses; None for all.
        sign_urls : bool
            Whether image addresses in the export are signed.
        semantic_format : str
            For ``semantic_png``: ``gs_asc``, ``gs_desc`` or ``class_color``.
        labels_order : list of str, optional
            For ``semantic_png``, what decides which label lies on top: ``z_index``, ``class_type``, ``class_order``.

        Raises
        ------
        ValidationException
            If a dataset or a status does not exist, or a list of them is empty: the server would export all images.
        """
        check_choice(export_format, EXPORT_FORMATS, "export_format")
        check_choice(semantic_format, SEMANTIC_FORMATS, "semantic_format")
        order = None if labels_order is None else _choices(labels_order, LABELS_ORDER, "labels_order")
        body = {
            "export_name": check_text(name, "name", empty=False),
            "format": export_format,
            "image_status": _some("image_status", image_status, _statuses),
            "dataset_id": _some(
                "dataset", dataset, lambda dataset: self._vocabulary.expire().ids(entities.Dataset, dataset)
            ),
            "sign_urls": check_flag(sign_urls, "sign_urls"),
            "semantic_format": semantic_format,
            "labels_order": order,
        }
        return self._create(ExportJob, body)

    # Plans ------------------------------------------------------------------------------------------------------------

    @takes_frames(only=False, before="label_id", after="label_id")
    def plan_labels(
        self,
        before: pd.DataFrame,
        after: pd.DataFrame,
        *,
        outside: Outside = "error",
        missing: Missing = "delete",
    ) -> Plan:
        """Compare labels as they were read with what they shall be, and plan the difference; nothing is sent.

        Parameters
        ----------
        before : pandas.DataFrame
            Labels as `get_labels` read them: all of what `after` was made from.
        after : pandas.DataFrame
            The same frame, changed: rows whose ``label_id`` is not in `before` are new (whatever their index holds),
            rows that are gone are deleted, rows that differ in ``class_id`` or ``class_name`` (the one that changed
            counts), box, ``polygon``, ``mask``, ``z_index`` or ``external_id`` are edited. Columns that only `before`
            has stay as they are.
        outside : {"error", "clip", "keep"}
            What to do about new and changed labels that reach beyond their image.
        missing : {"delete", "keep", "error"}
            What becomes of labels that `after` lacks: with ``keep``, `after` may hold the changed labels alone.

        Returns
        -------
        Plan
            It shows what would happen; `Plan.apply` does it. A plan that deletes most of what was read, or creates
            labels equal to those that it deletes, says so first.

        Raises
        ------
        FrameError
            With every row that is wrong.

        Examples
        --------
        >>> import hastyframe as hf
        >>> with hf.Client.local() as client:
        ...     project = client.create_project(client.get_workspaces(), "Coins")
        ...     labels = project.get_labels()
        ...     project.plan_labels(labels, labels[labels["x_max"] - labels["x_min"] > 5])
        Plan for labels: nothing to do
        """
        return plan_labels(self, before, after, outside, missing)

    @takes_frames(only=False, before="image_id", after="image_id")
    def plan_status(self, before: pd.DataFrame, after: pd.DataFrame) -> Plan:
        """Plan the statuses of images.

        Parameters
        ----------
        before, after : pandas.DataFrame
            Images frames, as read and with the statuses that they shall have. Images that are only in `before` stay.

        Raises
        ------
        FrameError
            With every row that is wrong, also where something else changed, as the name, which `plan_images` changes.
        """
        return plan_status(self, before, after)

    @takes_frames(only=False, before="image_id", after="image_id")
    def plan_images(self, before: pd.DataFrame, after: pd.DataFrame) -> Plan:
        """Plan the names of images, and the datasets that they are in.

        Parameters
        ----------
        before, after : pandas.DataFrame
            Images frames, as read and with other ``name``, ``dataset_id`` or ``dataset_name`` (of both, the one that
            changed counts). Images that are only in `before` stay.

        Raises
        ------
        FrameError
            With every row that is wrong: a dataset that does not exist, a name that another image of the dataset has.

        Examples
        --------
        >>> import hastyframe as hf
        >>> with hf.Client.local() as client:
        ...     project = client.create_project(client.get_workspaces(), "Coins")
        ...     images = project.get_images()
        ...     project.plan_images(images, images.assign(name="2026_" + images["name"]))
        Plan for images: nothing to do
        """
        return plan_images(self, before, after)

    @takes_frames(only=False, before=None, after=None)
    def plan_tags(self, before: pd.DataFrame, after: pd.DataFrame, *, missing: Missing = "delete") -> Plan:
        """Plan the tags of images.

        Parameters
        ----------
        before, after : pandas.DataFrame
            Tags frames: ``image_id``, and ``tag_class_id`` or ``tag_class_name``. A pair that is only in `after` is
            added, one that is only in `before` is taken away.
        missing : {"delete", "keep", "error"}
            What becomes of tags that `after` lacks.
        """
        return plan_tags(self, before, after, missing)

    @takes_frames(only=False, before=None, after=None)
    def plan_label_attributes(self, before: pd.DataFrame, after: pd.DataFrame, *, missing: Missing = "delete") -> Plan:
        """Plan the values of label attributes.

        Parameters
        ----------
        before, after : pandas.DataFrame
            As `get_label_attributes` returns them, long or wide. A value that is only in `before` is taken away.
        missing : {"delete", "keep", "error"}
            What becomes of values that `after` lacks.
        """
        return plan_label_attributes(self, before, after, missing)

    @takes_frames(before="class_id", after="class_id")
    def plan_label_classes(self, before: pd.DataFrame, after: pd.DataFrame, *, missing: Missing = "delete") -> Plan:
        """Plan the label classes of the project; a class that is deleted takes its labels along.

        Parameters
        ----------
        before, after : pandas.DataFrame
            Label classes frames, as read and as they shall be.
        missing : {"delete", "keep", "error"}
            What becomes of classes that `after` lacks.

        Notes
        -----
        Where classes are deleted, the labels of the project are counted, which takes a request an image; the plan says
        how many are deleted along. `Report.undo` creates the classes again, but not these labels: the server deletes
        them itself, and the journal knows their number alone. To be able to go back, keep `get_labels`, or delete the
        labels first, in a plan of their own.
        """
        return plan_label_classes(self, before, after, missing)

    def resume(
        self, journal: str | Path, errors: Errors = "raise", max_workers: int | None = None, *, verify: bool = False
    ) -> Report:
        """Finish what was begun with a journal, in this or another process.

        Parameters
        ----------
        journal : str or Path
            The file that was given to `Plan.apply`, or that the message of an interrupted or failed run named.
        errors, max_workers, verify : optional
            As for `Plan.apply`.

        Returns
        -------
        Report
            Of all rows of the plan, those that were done before too. Rows that had failed are tried again.

        Raises
        ------
        JournalError
            If there is none, another process is at work on it, it has been taken back, or it ends before its plan was
            complete, so that nothing was sent.
        BatchError
            If some were not carried out.
        """
        check_options(errors, max_workers, verify)
        with Journal.open(check_path(journal, "journal")) as opened:
            if opened.project_id != self.id:
                raise JournalError(f"The journal {str(journal)!r} is of another project, {opened.project_id}.")
            return execute(
                self._requester, opened, errors=errors, max_workers=max_workers, undo=self.undo, verify=verify
            )

    def undo(self, journal: str | Path) -> Plan:
        """Plan the way back from what a journal says was done; `Report.undo` is the same.

        Where the run was broken off, the server is read first, to find out what became of the rows that were under way.

        Parameters
        ----------
        journal : str or Path
            The file that was given to `Plan.apply`.

        Raises
        ------
        JournalError
            If there is none, or it has been taken back before.
        """
        return undo(self, check_path(journal, "journal"))

    # Whole projects ---------------------------------------------------------------------------------------------------

    def pull(self, dataset: Any = None, image_status: str | Sequence[str] | None = None) -> LabelSet:
        """Read the project into a label set: images, labels, classes and, where there are any, attributes and tags.

        A request an image for labels and tags each, and one a label where the project has attributes. For a large
        project, `read_export` takes a handful of requests.

        Parameters
        ----------
        dataset, image_status : optional
            Only images of these, as for `get_images`.

        Returns
        -------
        LabelSet
        """
        from .sync import pull

        return pull(self, dataset, image_status)

    def push(
        self,
        label_set: LabelSet,
        images_folder: str | Path | None = None,
        journal: str | Path | None = None,
        datasets: Literal["names", "folders"] = "names",
    ) -> pd.DataFrame:
        """Fill the project from a label set.

        What the project has nothing of that name for is created: label classes with colour and order, attributes and
        which classes have them, tag classes, datasets, images. Images that are still ``NEW`` get their status. The
        labels are **added**: pushing twice stores them twice, unless a journal says which are there. With one, whatever
        ends the call, the same line again finishes it.

        Parameters
        ----------
        label_set : LabelSet
            What a `read_*` or `pull` returned.
        images_folder : str or Path, optional
            Where the files of images are that the project lacks: in a folder of the dataset's name, or right there.
        journal : str or Path, optional
            A file in which it is written down which labels are created: a new one, or, to go on, the one of an earlier
            call with the same label set. Once all labels are there, a further call adds none.
        datasets : {"names", "folders"}
            What to do about images that have folders in their names, which the server does not take. By default
            ``cam1/0001.png`` is called ``cam1_0001.png`` there, and a warning says so. With "folders" it is
            ``0001.png`` of the dataset ``cam1``.

        Returns
        -------
        pandas.DataFrame
            A row a thing: ``kind, source_id`` (in the label set), ``id`` (in the project) and ``outcome``, which is
            ``created`` or ``there already``; for labels, ``created`` by this call or by an earlier one with its
            journal, or ``skipped`` where they have neither a box nor an outline.

        Raises
        ------
        FrameError
            If files of images are missing, if images have another width or height in the project or in their file, or
            if one that names no dataset may be several of the project; all are named, and nothing was created.
        ValidationException
            If images were not uploaded; no label was created.
        JournalError
            If the journal is one of other labels; no label was created.
        BatchError
            If some labels were not created; its `report` says which.
        """
        from .io import LabelSet
        from .sync import push

        if not isinstance(label_set, LabelSet):
            raise ValidationException(
                f"label_set is {shown(label_set)}; it must be a LabelSet, as hf.read_coco returns it."
            )
        return push(self, label_set, images_folder, journal, datasets)

    def read_export(
        self, export_format: str = "json_v1.1", *, limits: Limits = DEFAULT_LIMITS, **options: Any
    ) -> LabelSet:
        """Run an export, wait for it, download and read it: a handful of requests, however large the project.

        Parameters
        ----------
        export_format : str
            ``json_v1.1``, ``json_coco`` or ``semantic_png``; what the format cannot carry is not there.
        limits : Limits
            How many rows there may be, how large pictures, and what the archive may unpack to.
        **options
            As for `export`: `dataset`, `image_status` (all, if not given), `semantic_format`, `labels_order`.

        Returns
        -------
        LabelSet
        """
        from .sync import read_export

        return read_export(self, export_format, limits=limits, **options)

    # Models -----------------------------------------------------------------------------------------------------------

    def get_detector(self) -> Detector:
        """Return the object detection model, asking for which loads it."""
        return self._model(Detector)

    def get_instance_segmentor(self) -> InstanceSegmentor:
        """Return the instance segmentation model, asking for which loads it."""
        return self._model(InstanceSegmentor)

    def get_semantic_segmentor(self) -> SemanticSegmentor:
        """Return the semantic segmentation model, asking for which loads it."""
        return self._model(SemanticSegmentor)

    def get_attributer(self) -> Attributer:
        """Return the attribute prediction model, asking for which loads it."""
        return self._model(Attributer)

    def get_automated_labeling_jobs(self) -> pd.DataFrame:
        """Return the automated labeling jobs, a frame indexed by ``job_id``."""
        return self._fresh(entities.AutomatedLabelingJob)

    def get_automated_labeling_job(self, job_id: str) -> AutomatedLabelingJob:
        """Return one automated labeling job.

        Parameters
        ----------
        job_id : str
            Its id.
        """
        return self._one(AutomatedLabelingJob, job_id)

    def create_automated_labeling_job(
        self,
        experiment_id: str,
        confidence_threshold: float = 0.8,
        max_detections_per_image: int = 100,
        num_images: int = 0,
        masker_threshold: float = 0.5,
        dataset_id: Any = None,
    ) -> AutomatedLabelingJob:
        """Let a model label images; `AutomatedLabelingJob.wait` waits for it.

        Parameters
        ----------
        experiment_id : str
            Whose model.
        confidence_threshold : float
            The least score of a label.
        max_detections_per_image : int
            The most labels an image.
        num_images : int
            The most images; 0 for all.
        masker_threshold : float
            From which value on the mask head's pixels count.
        dataset_id : Dataset or str, optional
            Only images of this dataset: a handle, its id or its name.
        """
        body = {
            "experiment_id": check_text(experiment_id, "experiment_id", empty=False),
            "confidence_threshold": check_number(confidence_threshold, "confidence_threshold", least=0, most=1),
            "max_detections_per_image": check_number(
                max_detections_per_image, "max_detections_per_image", least=1, whole=True
            ),
            "num_images": check_number(num_images, "num_images", least=0, whole=True),
            "masker_threshold": check_number(masker_threshold, "masker_threshold", least=0, most=1),
            "dataset_id": None if dataset_id is None else self._dataset_id(dataset_id),
        }
        return self._create(AutomatedLabelingJob, body)

    # Shared -----------------------------------------------------------------------------------------------------------

    def _path(self, entity: type[entities.Entity]) -> str:
        return path_of(entity.path, project_id=self.id)

    def _fresh(self, entity: type[entities.Entity]) -> pd.DataFrame:
        self._vocabulary.invalidate(entity)
        return self._vocabulary.table(entity).copy()

    def _one(self, handle: type[H], key: str) -> H:
        """Return a handle by id or, where things have names, by name.

        What is not a UUID is looked up before a request is made: a name is not part of an address.
        """
        key = check_text(identity.one(key, "name") or key, handle.id_name)
        data = self._by_uuid(handle, key)
        if data is None:
            data = self._record(handle, self._looked_up(handle, key))
        return handle(self._requester, data, {"project_id": self.id})

    def _by_uuid(self, entity: type[entities.Entity], key: str) -> dict[str, Any] | None:
        """Read what has a UUID; None where the text is none, or is a name all the same."""
        if not identity.is_uuid(key):
            return None
        try:
            return self._record(entity, str(identity.one(key)))
        except NotFound:
            if not issubclass(entity, (entities.Dataset, entities.LabelClass, entities.TagClass)):
                raise
            return None

    def _looked_up(self, entity: type[entities.Entity], key: str) -> str:
        """Find an id, which may be given by name, in the list of all."""
        if issubclass(entity, entities.Image):
            return self._images_by_name([key])[0]
        if issubclass(entity, entities.AutomatedLabelingJob):
            known = self._fresh(entity).index
            if key not in known:
                raise NotFound(f"There is no job with the id {shown(key)}.")
            return key
        self._vocabulary.invalidate(entity)
        return self._vocabulary.one_id(entity, key)

    def _images_by_name(self, keys: Sequence[str]) -> list[str]:
        """Find images by id or by file name in the list of all.

        Raises
        ------
        NotFound
            If there is none, or several have the name.
        """
        known = self._frame(entities.Image, [(self._path(entities.Image), {})], desc="Images")
        named = known.index.groupby(known["name"])
        found = []
        for key in keys:
            same = [key] if key in known.index else [*named.get(key, [])]
            if len(same) > 1:
                raise NotFound(f"{len(same)} images are named {shown(key)}; say which by its id: {same}")
            if not same:
                hint = suggestion(key, known["name"], "images")
                raise NotFound(f"{shown(key)} is neither the id nor the name of one of the project's images. {hint}")
            found += same
        return found

    def _record(self, entity: type[entities.Entity], key: str) -> dict[str, Any]:
        path = f"{self._path(entity)}/{path_segment(key)}"
        return answers.read(entity, self._requester.get(path), f"GET {path}", id=key)

    def _create(self, handle: type[H], body: Mapping[str, Any]) -> H:
        check_fields(handle, body)
        try:
            data = answers.create(self._requester, handle, self._path(handle), body)
        finally:
            self._vocabulary.invalidate(handle)
        if issubclass(handle, Image):
            answers.complete(
                [data], dataset_name=self._vocabulary.table(entities.Dataset)["name"].get(data["dataset_id"])
            )
        return handle(self._requester, data, {"project_id": self.id})

    def _model(self, handle: type[M]) -> M:
        model = handle(self._requester, {"project_id": self.id})
        model.discover_model()
        return model

    def _dataset_id(self, dataset: Any) -> str:
        return self._vocabulary.expire().one_id(entities.Dataset, dataset)

    def _image_ids(self, images: Any, dataset: Any = None, image_status: Any = None) -> list[str]:
        if images is None or dataset is not None or image_status is not None:
            found = self.get_images(dataset, image_status).index
            if images is None:
                return found.tolist()
            return [key for key in self._given_images(images) if key in found]
        return self._given_images(images)

    def _given_images(self, images: Any) -> list[str]:
        """Return the ids of images, each once; file names are looked up."""
        wanted = list(dict.fromkeys(ids_of(entities.Image, images, "name")))
        if not identity.are_uuids(wanted):
            wanted = self._images_by_name(wanted)
        return list(dict.fromkeys(map(str, map(identity.one, wanted))))

    def _of_images(
        self, entity: type[entities.Entity], image_ids: list[str], desc: str, read_now: list[int]
    ) -> pd.DataFrame:
        """Read what images have; `read_now` gets the positions of those that no earlier call has read."""
        lists = [(path_of(entity.path, project_id=self.id, image_id=key), None) for key in image_ids]
        ids = pd.Index(image_ids, dtype="str", name=entities.Image.id_name)

        def make(batches: list[pa.RecordBatch]) -> pd.DataFrame:
            return frames.with_unique_ids(entity, self._vocabulary.frame(entity, batches))

        known = lambda number: {entities.Image.id_name: image_ids[number]}  # noqa: E731
        return read_lists(self._requester, entity, lists, ids, make, known, read_now, desc=desc, unit="image")

    def _frame(
        self, entity: type[entities.Entity], lists: Sequence[Listing], *, desc: str | None = None
    ) -> pd.DataFrame:
        """Read lists into one frame, in their order."""
        gathering = frames.RecordBuffer(entity)
        pages = self._requester.listings(lists, lambda _, items: gathering.add(items), desc=desc)
        frame = self._vocabulary.frame(entity, gathering.batches([page for of_list in pages for page in of_list]))
        return frames.with_unique_ids(entity, frame)

    def _labels_by_class(self) -> Counter[str]:
        """Count the labels of each class."""
        images = self._image_ids(None)
        paths = [(path_of(entities.Label.path, project_id=self.id, image_id=key), None) for key in images]
        pages = self._requester.listings(
            paths, lambda _, items: Counter(str(item.get("class_id")) for item in items), desc="Labels", unit="image"
        )
        return sum((page for of_image in pages for page in of_image), Counter())

    def _images_among(self, image_ids: Iterable[str]) -> pd.DataFrame:
        """Return those of the images that are there; by the listing, or one by one where that is less to read."""
        wanted = list(dict.fromkeys(image_ids))
        path = self._path(entities.Image)
        page = self._requester.get(path, {"offset": 0, "limit": 1}) if wanted else {"meta": {"total": 0}}
        try:
            total = int(page["meta"]["total"])
        except (TypeError, KeyError, ValueError):
            raise UnexpectedAnswer("The answer is not a page of a list.", request=f"GET {path}") from None
        if len(wanted) > total / PAGE_SIZE:
            images = self._frame(entities.Image, [(path, None)])  # not get_images, which reads the datasets as well
            return images[images.index.isin(wanted)]
        found = self._requester.map(self._image_record, wanted)
        return self._vocabulary.records(entities.Image, [record for record in found if record is not None])

    def _find_images(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Return a frame with ids in ``image_id`` where it has file names, and which of its images are the project's.

        Raises
        ------
        FrameError
            If several images have a name.
        """
        if "image_id" not in frame:
            return frame, []
        ids = frame["image_id"]
        known = self._images_among(ids.dropna().unique()).index.tolist()
        lost = ids.notna() & ~ids.isin(known)
        if not lost.any():
            return frame, known
        images = self._frame(entities.Image, [(self._path(entities.Image), None)])
        by_name = pd.Series(images.index, index=images["name"], dtype=object)
        several = by_name.index.duplicated(keep=False)
        problems = checks.Problems(frame)
        remedy = "Several images have this name; give the id of one."
        problems.add("image_id", lost & ids.isin(by_name.index[several]), remedy)
        problems.throw()
        named = ids.astype(object).where(lost).map(by_name[~several])
        return frame.assign(image_id=ids.astype(object).mask(named.notna(), named)), [*known, *named.dropna().unique()]

    def _with_images(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame of images of the project, with their ids."""
        frame, known = self._find_images(frame)
        checks.check_ids(frame, "image_id", known, "It must be the id of an image of this project.")
        return frame

    def _images_of(self, label_ids: Iterable[str], labels: pd.DataFrame) -> pd.Series[str]:
        """Return the images that labels are on, from the frame of all labels."""
        ids = pd.DataFrame({"label_id": list(label_ids)}, dtype="str")
        checks.check_ids(ids, "label_id", labels.index, "There is no such label in the project.")
        images: pd.Series[str] = labels.loc[ids["label_id"], "image_id"]
        return images

    def _known_ids(self, things: Any, known: pd.Index[str]) -> list[str]:
        ids = pd.DataFrame({"image_id": ids_of(entities.Image, things)})
        checks.check_ids(ids, "image_id", known, "It must be the id of an image of this project.")
        return ids["image_id"].tolist()

    def _image_record(self, key: str) -> dict[str, Any] | None:
        try:
            return self._record(entities.Image, key)
        except NotFound:
            return None

    def _pictures(self, images: Any, dataset: Any) -> list[pictures.Picture]:
        """Read what `upload_images` is given."""
        if isinstance(images, pd.DataFrame):
            checks.rows_of(images)
            frame = images
            checks.warn_of_misspelt(frame, ["path", "name", "external_id", "dataset_id", "dataset_name"], 5)
            checks.table(images[[name for name in ("name", "external_id") if name in images]])
            if "external_id" in frame:
                problems = checks.Problems(frame)
                frame = frame.assign(external_id=checks.external_ids(frame["external_id"], problems))
                problems.throw()
        else:
            frame = pd.DataFrame({"path": pd.Series(pictures.local_files(images), dtype=object)})
        if "path" not in frame:
            raise ValidationException(f"The frame needs a column 'path'; it has {list(frame.columns)}.")
        problems = checks.Problems(frame)
        problems.add("path", frame["path"].isna(), "It must be the path of a picture.")
        if "name" in frame:
            bad = [bool(name) and file_name_problem(name) is not None for name in _texts(frame, "name")]
            problems.add("name", bad, "It must be a file name, without '/' and line breaks.")
        problems.throw()
        paths = [check_path(path, f"The path number {number}") for number, path in enumerate(frame["path"])]
        names = [name or path.name for name, path in zip(_texts(frame, "name"), paths, strict=True)]
        if dataset is not None:
            dataset_ids = [self._dataset_id(dataset)] * len(frame)
        elif {"dataset_id", "dataset_name"} & set(frame.columns):
            dataset_ids = checks.check_names(frame, "dataset_id", entities.Dataset, self._vocabulary.expire()).tolist()
        else:
            raise ValidationException("Into which dataset? Give dataset=, or a column 'dataset_id' or 'dataset_name'.")
        rows = zip(paths, names, dataset_ids, _texts(frame, "external_id"), strict=True)
        return [pictures.Picture(*row) for row in rows]

    def _tag_rows(self, tags: Any) -> pd.DataFrame:
        frame = checks.table(tags).copy()
        if frame.index.name in ("tag_id", "image_id") and frame.index.name not in frame:
            frame = frame.reset_index()
        if len(frame) and "image_id" not in frame:
            raise ValidationException(f"The frame needs a column 'image_id'; it has {list(frame.columns)}.")
        problems = checks.Problems(frame)
        for column in {"image_id", "tag_id"} & set(frame.columns):
            frame[column] = checks.ids_of_column(frame[column], problems)
        problems.throw()
        return frame

    def _pairs(self, attribute_classes: Any) -> list[dict[str, Any]]:
        frame = checks.table(attribute_classes)
        if not len(frame):
            return []
        vocabulary = self._vocabulary.expire()
        columns = {
            "attribute_id": checks.check_names(frame, "attribute_id", entities.Attribute, vocabulary),
            "class_id": checks.check_names(frame, "class_id", entities.LabelClass, vocabulary),
        }
        for order in _MAP_KEYS[2:]:
            given = frame[order] if order in frame else pd.Series(0, index=frame.index)
            columns[order] = checks.finite_numbers(given).fillna(0)
        records: list[dict[str, Any]] = pd.DataFrame(columns).to_dict("records")
        return records


def _pairs_frame(pairs: Any, request: str) -> pd.DataFrame:
    if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
        raise UnexpectedAnswer("The answer is not a list of pairs {attribute_id, class_id}.", request=request)
    frame = pd.DataFrame(pairs, columns=list(_MAP_KEYS))
    return frame.astype({"attribute_id": "str", "class_id": "str", "attribute_order": float, "class_order": float})


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, dict):
        return False
    orders = (pair.get(key) for key in _MAP_KEYS[2:])
    return all(isinstance(pair.get(key), str) for key in _MAP_KEYS[:2]) and all(
        order is None or isinstance(order, int | float) for order in orders
    )


def _texts(frame: pd.DataFrame, column: str) -> list[str | None]:
    """Return a column as texts, None where there is none."""
    if column not in frame:
        return [None] * len(frame)
    return [None if missing else str(value) for value, missing in zip(frame[column], frame[column].isna(), strict=True)]


def _some(name: str, value: Any, read: Callable[[Any], list[str]]) -> list[str]:
    """Read what an export is restricted to: none of anything would be everything to the server."""
    if value is None:
        return []
    found = read(value)
    if not found:
        raise ValidationException(f"{name} is empty, so that there is nothing to export; for all images, give None.")
    return found


def _statuses(statuses: str | Sequence[str]) -> list[str]:
    return _choices(statuses, STATUSES, "status")


def _choices(values: str | Sequence[str], choices: Sequence[str], name: str) -> list[str]:
    """Return one or several of a few values as a list."""
    if isinstance(values, str | bytes | Mapping | pd.DataFrame) or not np.iterable(values):
        return [check_choice(values, choices, name)]
    return [check_choice(value, choices, name) for value in values]
