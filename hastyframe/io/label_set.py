"""The frames that belong together: images, their labels and what the labels mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias
from zipfile import ZipFile

from ..entities import Attribute, Entity, Image, Label, LabelAttribute, LabelClass, Tag
from ._report import OnLoss

if TYPE_CHECKING:
    import pandas as pd

File: TypeAlias = "str | PathLike[str] | IO[bytes]"
Source: TypeAlias = "str | PathLike[str] | IO[bytes] | ZipFile | Mapping[str, Any] | Sequence[Any]"
Folder: TypeAlias = "str | PathLike[str] | ZipFile"
Segmentation: TypeAlias = Literal["keep", "rle"]
Painting: TypeAlias = Literal["center", "coco"] | None

__all__ = ["LabelSet"]

_ENTITIES: dict[str, type[Entity]] = {
    "images": Image,
    "labels": Label,
    "label_classes": LabelClass,
    "attributes": Attribute,
    "label_attributes": LabelAttribute,
    "tags": Tag,
}


class LabelSet:
    """Images, labels and classes that belong together, as frames.

    Every ``read_*`` returns one and every ``to_*`` is a method of it. A label set is a value: its methods return new
    ones. Its frames are plain DataFrames; change a copy and build a new label set from it.

    Parameters
    ----------
    images : pandas.DataFrame
        Indexed by ``image_id``. Columns that the project's frames have and this one lacks are added as missing;
        columns of your own are carried along.
    labels : pandas.DataFrame
        Indexed by ``label_id``; ``image_id`` is in `images`. Of ``class_id`` and ``class_name`` one is enough.
    label_classes : pandas.DataFrame
        Indexed by ``class_id``; no name twice.
    attributes, label_attributes, tags : pandas.DataFrame, optional
        What attributes there are, the values that labels have of them, and the tags of images.
    info : mapping, optional
        What describes the whole, as files have it: ``project_name``, the ``info`` and ``licenses`` of COCO.

    Raises
    ------
    ValidationException
        If the frames do not belong together: a label on an unknown image or of an unknown class, an id twice.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe.io as hio
    >>> label_set = hio.LabelSet(
    ...     images=pd.DataFrame({"name": ["a.jpg"], "width": [8], "height": [4]}, index=["1"]),
    ...     labels=pd.DataFrame(
    ...         {"image_id": "1", "class_name": ["cat"], "x_min": 1, "y_min": 0, "x_max": 5, "y_max": 3}, index=["7"]
    ...     ),
    ...     label_classes=pd.DataFrame({"name": ["cat", "dog"]}, index=["c", "d"]),
    ... )
    >>> label_set
    LabelSet: 1 image, 1 label (1 box), 2 classes
    >>> label_set.labels.loc["7", "class_id"]
    'c'
    """

    images: pd.DataFrame
    labels: pd.DataFrame
    label_classes: pd.DataFrame
    attributes: pd.DataFrame | None
    label_attributes: pd.DataFrame | None
    tags: pd.DataFrame | None
    info: dict[str, Any]

    def __init__(
        self,
        images: pd.DataFrame,
        labels: pd.DataFrame,
        label_classes: pd.DataFrame,
        *,
        attributes: pd.DataFrame | None = None,
        label_attributes: pd.DataFrame | None = None,
        tags: pd.DataFrame | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        from ._belong import belonging

        given = {
            "images": images,
            "labels": labels,
            "label_classes": label_classes,
            "attributes": attributes,
            "label_attributes": label_attributes,
            "tags": tags,
        }
        self.__dict__.update(belonging({name: (_ENTITIES[name], frame) for name, frame in given.items()}))
        self.info = dict(info or {})

    def __repr__(self) -> str:
        from ._describe import describe

        return describe(self)

    # Writers ----------------------------------------------------------------------------------------------------------

    def to_hasty_json(
        self,
        file: File,
        *,
        project_name: str | None = None,
        create_date: datetime | None = None,
        export_date: datetime | None = None,
    ) -> None:
        """Write Hasty JSON v1.1; see :func:`hastyframe.io.hasty_json.to_hasty_json`."""
        from .hasty_json import to_hasty_json

        to_hasty_json(self, file, project_name=project_name, create_date=create_date, export_date=export_date)

    def to_coco(self, file: File, *, segmentation: Segmentation = "keep", on_loss: OnLoss = "warn") -> None:
        """Write COCO instances; see :func:`hastyframe.io.coco.to_coco`."""
        from .coco import to_coco

        to_coco(self, file, segmentation=segmentation, on_loss=on_loss)

    def to_semantic_png(
        self,
        folder: Folder,
        *,
        semantic_format: str = "gs_asc",
        labels_order: Sequence[str] = ("z_index",),
        on_loss: OnLoss = "warn",
        progress: bool = True,
    ) -> None:
        """Write one PNG an image; see :func:`hastyframe.io.semantic_png.to_semantic_png`."""
        from .semantic_png import to_semantic_png

        to_semantic_png(
            self, folder, semantic_format=semantic_format, labels_order=labels_order, on_loss=on_loss, progress=progress
        )
