"""The frames that belong together: images, their labels and what the labels mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias
from zipfile import ZipFile

from ..entities import Attribute, Entity, Image, Label, LabelAttribute, LabelClass, Tag
from ._report import OnLoss
from ._texts import bad_text

if TYPE_CHECKING:
    import pandas as pd

File: TypeAlias = "str | PathLike[str] | IO[bytes]"
Source: TypeAlias = "str | PathLike[str] | IO[bytes] | ZipFile | Mapping[str, Any] | Sequence[Any]"
Folder: TypeAlias = "str | PathLike[str] | ZipFile"
Choice: TypeAlias = "pd.Series[bool] | Sequence[str] | Callable[[pd.DataFrame], Any] | None"
Segmentation: TypeAlias = Literal["keep", "rle"]
Task: TypeAlias = Literal["detect", "segment"]
Painting: TypeAlias = Literal["center", "coco"] | None

__all__ = ["ENTITIES", "LabelSet"]

ENTITIES: dict[str, type[Entity]] = {
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
    ones. Its frames are plain DataFrames; change a copy and build a new label set from it. What was changed in its
    place is checked when the label set is used.

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
    skipped : pandas.DataFrame, optional
        What a reader left out with ``errors="skip"``: a row a problem, with ``file``, ``place``, ``problem``,
        ``remedy``. Empty by default.

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
    skipped: pd.DataFrame

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
        skipped: pd.DataFrame | None = None,
    ) -> None:
        from ..intake import by_id
        from ._integrity import check_integrity
        from ._problems import Problems

        given = {
            "images": images,
            "labels": labels,
            "label_classes": label_classes,
            "attributes": attributes,
            "label_attributes": label_attributes,
            "tags": tags,
        }
        try:
            taken = {
                name: None if frame is None else by_id(frame, ENTITIES[name].id_name, name)
                for name, frame in given.items()
            }
            self.__dict__.update(check_integrity({name: (ENTITIES[name], frame) for name, frame in taken.items()}))
        except UnicodeEncodeError as error:
            raise bad_text("the label set", error) from None
        self.info = dict(info or {})
        self.skipped = Problems().frame if skipped is None else skipped

    def __repr__(self) -> str:
        from ._describe import describe

        return describe(self)

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the frames that there are, by name."""
        return {name: frame for name in ENTITIES if (frame := getattr(self, name)) is not None}

    def _as_it_is_now(self) -> LabelSet:
        """Return a label set of the frames as they are now, checked: they may have been changed in their place."""
        return LabelSet(**self.frames(), info=self.info, skipped=self.skipped)

    # Choosing ---------------------------------------------------------------------------------------------------------

    def filter(
        self,
        *,
        images: Choice = None,
        labels: Choice = None,
        classes: Sequence[str] | str | None = None,
        datasets: Sequence[str] | str | None = None,
        statuses: Sequence[str] | str | None = None,
        drop_empty: bool = False,
    ) -> LabelSet:
        """Keep some images and labels.

        Labels of images that go, go with them; images without labels stay, and so do all classes but those that
        `classes` leaves out.

        Parameters
        ----------
        images, labels : mask, ids or callable, optional
            Which rows stay: booleans, one a row; ids; or a function that takes the frame and returns either.
        classes, datasets, statuses : str or sequence of str, optional
            Names: labels of these classes, images of these datasets, of these statuses.
        drop_empty : bool
            Whether images that are left without labels go as well.

        Returns
        -------
        LabelSet

        Raises
        ------
        ValidationException
            A name or an id that is not there.

        Examples
        --------
        >>> import hastyframe.io as hio
        >>> label_set = hio.read_hasty_json(
        ...     [
        ...         {"image_name": "a.jpg", "labels": [{"class_name": "cat", "bbox": [0, 0, 4, 2]}]},
        ...         {"image_name": "b.jpg", "labels": [{"class_name": "dog", "bbox": [0, 0, 4, 2]}]},
        ...     ]
        ... )
        >>> label_set.filter(classes="cat", drop_empty=True)
        LabelSet: 1 image, 1 label (1 box), 1 class
        >>> label_set.filter(labels=lambda labels: labels["x_max"] > 4)
        LabelSet: 2 images, 0 labels, 2 classes
        """
        from ._choose import filtered

        return filtered(self._as_it_is_now(), images, labels, classes, datasets, statuses, drop_empty)

    def sample(self, n: int | None = None, *, share: float | None = None, seed: int = 0) -> LabelSet:
        """Draw images at random, with their labels.

        Parameters
        ----------
        n : int, optional
            How many images.
        share : float, optional
            Which share of them, 0 to 1; instead of `n`.
        seed : int
            The same seed draws the same images.

        Returns
        -------
        LabelSet
            The images in their old order.
        """
        from ._choose import sampled

        return sampled(self._as_it_is_now(), n, share, seed)

    def split(self, by: Mapping[str, float] | str, *, stratify: bool = False, seed: int = 0) -> dict[str, LabelSet]:
        """Split the images into several label sets.

        Parameters
        ----------
        by : mapping of str to float, or str
            Shares by name, as ``{"train": 0.8, "val": 0.2}``; they are scaled to add up to 1. Or a column of images,
            as ``"dataset_name"``: a label set a value.
        stratify : bool
            Whether every class should be shared out as the images are: images with the rarest classes are dealt first,
            each to the part that lacks most of its rarest class.
        seed : int
            The same seed splits in the same way.

        Returns
        -------
        dict
            A label set by name. Every image is in exactly one.

        Examples
        --------
        >>> import hastyframe.io as hio
        >>> images = [{"image_name": f"{i}.jpg", "labels": []} for i in range(10)]
        >>> parts = hio.read_hasty_json(images).split({"train": 0.8, "val": 0.2})
        >>> {name: len(part.images) for name, part in parts.items()}
        {'train': 8, 'val': 2}
        """
        from ._choose import split

        return split(self._as_it_is_now(), by, stratify, seed)

    def merge(self, *others: LabelSet) -> LabelSet:
        """Put label sets together.

        Images are the same where dataset and name are; they keep the columns of the first. Classes, attributes and tag
        classes are the same where their names are. Ids that two things share are made different: ``7`` becomes
        ``7-2`` in the second set.

        Parameters
        ----------
        *others : LabelSet
            What to add, in order.

        Returns
        -------
        LabelSet

        Raises
        ------
        ValidationException
            An image that is there twice, with two sizes.

        Warns
        -----
        FormatWarning
            Labels that are in several of the sets, with the same image, class and geometry: all of them are kept.

        Examples
        --------
        >>> import hastyframe.io as hio
        >>> def image(*names):
        ...     labels = [{"class_name": name, "bbox": [0, 0, 4, 2]} for name in names]
        ...     return hio.read_hasty_json([{"image_name": "a.jpg", "labels": labels}])
        >>> image("cat").merge(image("dog"))
        LabelSet: 1 image, 2 labels (2 boxes), 2 classes
        """
        from ._choose import merged
        from ._integrity import check_label_set

        return merged([check_label_set(each, "A label set to merge")._as_it_is_now() for each in (self, *others)])

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

        to_hasty_json(
            self._as_it_is_now(), file, project_name=project_name, create_date=create_date, export_date=export_date
        )

    def to_coco(self, file: File, *, segmentation: Segmentation = "keep", on_loss: OnLoss = "warn") -> None:
        """Write COCO instances; see :func:`hastyframe.io.coco.to_coco`."""
        from .coco import to_coco

        to_coco(self._as_it_is_now(), file, segmentation=segmentation, on_loss=on_loss)

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
            self._as_it_is_now(),
            folder,
            semantic_format=semantic_format,
            labels_order=labels_order,
            on_loss=on_loss,
            progress=progress,
        )

    def to_yolo(
        self,
        folder: Folder,
        *,
        task: Task = "detect",
        images_folder: Folder | None = None,
        link: bool = False,
        split: Mapping[str, float] | str | None = None,
        on_loss: OnLoss = "warn",
        progress: bool = True,
    ) -> None:
        """Write a YOLO data set; see :func:`hastyframe.io.yolo.to_yolo`."""
        from .yolo import to_yolo

        to_yolo(
            self._as_it_is_now(),
            folder,
            task=task,
            images_folder=images_folder,
            link=link,
            split=split,
            on_loss=on_loss,
            progress=progress,
        )

    def to_voc(self, folder: Folder, *, on_loss: OnLoss = "warn", progress: bool = True) -> None:
        """Write Pascal VOC annotations; see :func:`hastyframe.io.voc.to_voc`."""
        from .voc import to_voc

        to_voc(self._as_it_is_now(), folder, on_loss=on_loss, progress=progress)

    def to_parquet(self, folder: Folder, *, compression: str = "lz4") -> None:
        """Write a folder with one Parquet file a frame; see :func:`hastyframe.io.parquet.to_parquet`."""
        from .parquet import to_parquet

        to_parquet(self, folder, compression=compression)
