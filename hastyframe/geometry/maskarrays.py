"""Masks as a column of pandas: runs of pixels inside a frame of whole pixels that each carries along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from pandas.api.extensions import register_extension_dtype

from .. import masks
from ..errors import ValidationException
from ..masks import Ragged
from ..masks.ragged import arrow_offsets
from .base import GeometryArray, GeometryDtype, GeometryType, is_missing, lists, refuse, register
from .polygons import _bytes
from .svg import mask_svg
from .text import mask_from_text, mask_text

__all__ = ["Mask", "MaskArray", "MaskDtype", "MaskType"]

_FRAME = ("x_min", "y_min", "x_max", "y_max")
_STORAGE = pa.struct([*((side, pa.int32()) for side in _FRAME), ("runs", pa.list_(pa.int32()))])

Frames = NDArray[np.int32]
Read: TypeAlias = Callable[[list[Any]], pa.Array]


class Mask:
    """The mask of one label: runs of pixels, row by row, inside a frame of whole pixels.

    Parameters
    ----------
    runs : sequence of int
        Hasty run-lengths ``[start, length, …]`` inside the frame; starts count from 1.
    frame : sequence of int
        ``x_min, y_min, x_max, y_max`` in pixels of the image, the maxima exclusive.

    Raises
    ------
    ValidationException
        If the frame is not a box of whole pixels, or the runs do not fit it.

    Examples
    --------
    >>> mask = Mask([1, 2, 7, 2], [10, 20, 14, 22])
    >>> mask, mask.area, mask.bounds
    (mask 4×2, 4 px, 4, (10, 20, 14, 22))
    >>> np.asarray(mask).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1]]
    >>> mask == [1, 2, 7, 2]
    True
    """

    __slots__ = ("_row",)

    _row: pa.Array

    def __init__(self, runs: Any, frame: Any) -> None:
        object.__setattr__(self, "_row", _checked(np.asarray(frame)[None], [runs]))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("A mask does not change; make another one.")

    @classmethod
    def _of(cls, row: pa.Array) -> Mask:
        made = cls.__new__(cls)
        object.__setattr__(made, "_row", row)
        return made

    @classmethod
    def from_array(cls, pixels: ArrayLike, x: int = 0, y: int = 0) -> Mask:
        """Make a mask of pixels, whatever is not 0, that lie at `x` and `y` in the image.

        Examples
        --------
        >>> Mask.from_array(np.eye(3), x=5)
        mask 3×3, 3 px
        """
        return cls._of(MaskArray.from_arrays([np.asarray(pixels)], [[x, y]])._data)

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """The whole-pixel frame: ``x_min, y_min, x_max, y_max``."""
        x_min, y_min, x_max, y_max = self._array().frames[0].tolist()
        return x_min, y_min, x_max, y_max

    @property
    def runs(self) -> NDArray[np.int32]:
        """Run-lengths inside the frame."""
        return self._array().runs.values

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return int(self.runs[1::2].sum(dtype=np.int64))

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """The smallest box around its pixels."""
        x_min, y_min, x_max, y_max = self._array().bounds[0].astype(int).tolist()
        return x_min, y_min, x_max, y_max

    def to_list(self) -> list[int]:
        """Return its runs as the wire has them, inside the frame."""
        return self.runs.tolist()

    def _array(self) -> MaskArray:
        return MaskArray._of(self._row)

    def toDict(self) -> dict[str, Any]:  # noqa: N802
        """Return frame and runs; the name is the one by which pandas asks for it, in ``to_json``."""
        return {"frame": list(self.frame), "runs": self.to_list()}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if dtype is not None and np.dtype(dtype) == object:  # an array of objects is to hold it, and not its pixels
            whole = np.empty((), dtype=object)
            whole[()] = self
            return whole
        pixels: NDArray[Any] = masks.decode(self.to_list(), self.frame)
        return pixels if dtype is None else pixels.astype(dtype)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mask):
            return self.frame == other.frame and np.array_equal(self.runs, other.runs)
        if not isinstance(other, list | tuple | np.ndarray):
            return NotImplemented
        if np.ndim(other) == 2:
            return np.array_equal(np.asarray(self) != 0, np.asarray(other) != 0)
        return np.array_equal(self.runs, np.asarray(other))

    def __hash__(self) -> int:
        return hash((self.frame, self.runs.tobytes()))

    def __str__(self) -> str:
        return mask_text(self.frame, self.to_list())

    def __repr__(self) -> str:
        x_min, y_min, x_max, y_max = self.frame
        return f"mask {x_max - x_min:,}×{y_max - y_min:,}, {self.area:,} px"

    def _repr_svg_(self) -> str:
        return mask_svg(self.frame, self.runs)

    def __reduce__(self) -> Any:
        return Mask, (self.to_list(), self.frame)


@register_extension_dtype
class MaskDtype(GeometryDtype):
    """The dtype of mask columns, ``"mask"``.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe
    >>> pd.Series([hastyframe.geometry.Mask([1, 2, 7, 2], [10, 20, 14, 22]), None], dtype="mask")
    0    mask 4×2, 4 px
    1              <NA>
    dtype: mask
    """

    name = "mask"
    type = Mask


class MaskArray(GeometryArray[Mask]):
    """A column of masks.

    Parameters
    ----------
    values : sequence
        :class:`Mask`, their text, COCO run-lengths ``{"size": …, "counts": …}``, arrays of pixels (height, width) of
        the whole image; None for a missing one. An Arrow array of the layout that this type has.
    copy : bool
        Without effect: the buffers are never written to.

    See Also
    --------
    MaskArray.from_runs : Run-lengths and the boxes that they stand in.

    Examples
    --------
    >>> masks = MaskArray([np.eye(3), None, {"size": [2, 6], "counts": [2, 1, 1, 1, 1, 1, 1, 1, 3]}])
    >>> masks
    <MaskArray>
    [mask 3×3, 3 px, <NA>, mask 4×1, 4 px]
    Length: 3, dtype: mask
    """

    EXAMPLE = "MASK (0 0 1 1) (1 1)"

    @classmethod
    def from_runs(cls, runs: Any, boxes: ArrayLike, valid: NDArray[np.bool_] | None = None) -> MaskArray:
        """Make a column of run-lengths and the boxes that they stand in.

        Parameters
        ----------
        runs : Ragged, Arrow list array or list of lists
            Hasty run-lengths, a row a mask.
        boxes : array_like of shape (n, 4)
            ``x_min, y_min, x_max, y_max`` in whole pixels; of missing rows whatever.
        valid : numpy.ndarray of bool, optional
            Which rows are not missing; by default those of which `runs` is not null.

        Raises
        ------
        ValidationException
            If a box is not one of whole pixels.

        Examples
        --------
        >>> MaskArray.from_runs([[1, 2, 7, 2]], [[10, 20, 14, 22]])[0]
        mask 4×2, 4 px
        """
        rows = masks.as_ragged(runs)
        if valid is None:
            valid = ~np.fromiter((is_missing(row) for row in runs), bool, rows.n) if isinstance(runs, list) else None
            if isinstance(runs, pa.Array):
                valid = np.asarray(runs.is_valid())
        frames = np.asarray(boxes, dtype=float).reshape(-1, 4)
        if valid is not None:
            frames = np.where(valid[:, None], frames, 0)
        bad = ~((frames == np.rint(frames)) & (np.abs(frames) < 2**31)).all(axis=1)
        if bad.any():
            row = int(np.argmax(bad))
            raise refuse(row, frames[row].tolist(), "a mask stands in a box of whole pixels.")
        return cls._of(_laid_out(rows, frames.astype(np.int32), valid))

    @classmethod
    def from_arrays(cls, pixels: Sequence[NDArray[Any]], corners: ArrayLike | None = None) -> MaskArray:
        """Make a column of arrays of pixels, each at its corner ``x, y`` in the image, by default at 0, 0."""
        sizes = np.array([np.shape(each) for each in pixels], np.int64).reshape(-1, 2)[:, ::-1]
        low = np.zeros_like(sizes) if corners is None else np.asarray(corners, np.int64).reshape(-1, 2)
        return cls._of(_laid_out(masks.encode(list(pixels)), np.hstack([low, low + sizes]).astype(np.int32), None))

    @property
    def frames(self) -> Frames:
        """Whole-pixel frames, shape (n, 4): ``x_min, y_min, x_max, y_max``; zeros where a row is missing."""
        sides = [self._data.field(side) for side in _FRAME]
        frames = np.stack([side.fill_null(0).to_numpy(zero_copy_only=False) for side in sides], axis=1)
        return np.where(self.isna()[:, None], np.int32(0), frames) if self._hasna else frames

    @property
    def runs(self) -> Ragged:
        """Run-lengths inside the frames; none where a row is missing."""
        values, offsets = arrow_offsets(self._runs())
        return Ragged(values.to_numpy(zero_copy_only=False), offsets)

    def runs_in_boxes(self) -> tuple[Ragged, NDArray[np.int64]]:
        """Run-lengths and the boxes that they stand in, as the kernels of :mod:`hastyframe.masks` take them."""
        return self.runs, self.frames.astype(np.int64)

    def _runs(self) -> pa.Array:
        runs = self._data.field("runs")
        if not self._hasna:
            return runs
        return pa.ListArray.from_arrays(runs.offsets, runs.values, mask=self._data.is_null())

    @property
    def area(self) -> NDArray[np.float64]:
        """Pixels of each row, NaN where it is missing."""
        return np.where(self.isna(), np.nan, masks.area(self.runs).astype(float))

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Smallest boxes around the pixels, shape (n, 4); NaN where a row is missing."""
        return np.where(self.isna()[:, None], np.nan, masks.bbox(*self.runs_in_boxes()).astype(float))

    def _keys(self) -> list[pa.Array]:
        runs, frames = self.runs, np.ascontiguousarray(self.frames)
        framed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(self), [None, pa.py_buffer(frames)])
        return [framed, _bytes(runs.values, runs.offsets)]

    @classmethod
    def _cell(cls, row: pa.Array) -> Mask:
        return Mask._of(row)

    @classmethod
    def _parsed(cls, items: list[Any]) -> pa.Array:
        if items and all(isinstance(item, Mask) for item in items):
            return pa.concat_arrays([item._row for item in items])
        groups: dict[Read, list[int]] = {}
        for row, item in enumerate(items):
            groups.setdefault(_reader_of(row, item), []).append(row)
        read = [_read(reader, rows, [items[row] for row in rows]) for reader, rows in groups.items()]
        order = np.argsort(np.concatenate([[], *groups.values()]).astype(np.int64))
        return pa.concat_arrays(read or [pa.array([], _STORAGE)]).take(pa.array(order))

    @classmethod
    def _from_numbers(cls, values: list[Any]) -> Any:
        raise TypeError(
            "Give the masks as a column, as pd.Series(masks, dtype='mask'): of a list NumPy keeps the pixels."
        )

    @classmethod
    def _stored(cls, array: pa.Array) -> pa.Array:
        type_ = array.type
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        if pa.types.is_null(array.type):
            return array.cast(_STORAGE)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            return cls._parsed(array.to_pylist())
        if pa.types.is_struct(array.type) and {*_FRAME, "runs"} <= {field.name for field in array.type}:
            valid = np.asarray(array.is_valid())
            fields = [array.field(side).cast(pa.int32()) for side in _FRAME]
            runs = array.field("runs").cast(pa.list_(pa.int32()))
            return pa.StructArray.from_arrays([*fields, runs], fields=list(_STORAGE), mask=pa.array(~valid))
        raise ValidationException(
            f"A column of {type_} holds no masks. Run-lengths need the boxes that they stand in: "
            "MaskArray.from_runs(runs, boxes)."
        )


def _laid_out(runs: Ragged, frames: Frames, valid: NDArray[np.bool_] | None) -> pa.Array:
    sides = [pa.array(np.ascontiguousarray(frames[:, side])) for side in range(4)]
    numbers = lists(runs.offsets, pa.array(runs.values.astype(np.int32, copy=False)))
    mask = None if valid is None or valid.all() else pa.array(~valid)
    return pa.StructArray.from_arrays([*sides, numbers], fields=list(_STORAGE), mask=mask)


def _reader_of(row: int, item: Any) -> Read:
    """Return what reads masks that are told as this one is."""
    if is_missing(item):
        return _missing
    if isinstance(item, Mask):
        return _cells
    if isinstance(item, str):
        return _texts
    if isinstance(item, Mapping):
        return _run_lengths if "runs" in item else _coco
    if not isinstance(item, bytes) and np.iterable(item):
        pixels = np.asarray(item)
        if pixels.ndim == 2 and pixels.dtype.kind in "biuf":
            return _pixels
    raise refuse(
        row,
        item,
        "a mask is an array of pixels (height, width), COCO run-lengths with their size, or Mask(runs, frame): "
        "run-lengths alone do not say where they lie.",
    )


def _read(reader: Read, rows: list[int], items: list[Any]) -> pa.Array:
    """Storage of masks that are told in one way, all at once; an error names the first bad one."""
    try:
        return reader(items)
    except (ValidationException, TypeError, ValueError, KeyError):
        for row, item in zip(rows, items, strict=True):
            try:
                reader([item])
            except (ValidationException, TypeError, ValueError, KeyError) as error:
                raise refuse(row, item, getattr(error, "message", f"it is not a mask: {error}")) from None
        raise


def _missing(items: list[Any]) -> pa.Array:
    return pa.nulls(len(items), _STORAGE)


def _cells(items: list[Mask]) -> pa.Array:
    return pa.concat_arrays([item._row for item in items])


def _texts(items: list[str]) -> pa.Array:
    return _checked(*zip(*map(mask_from_text, items), strict=True))


def _run_lengths(items: list[Mapping[str, Any]]) -> pa.Array:
    frames = [item["frame"] if "frame" in item else [item[side] for side in _FRAME] for item in items]
    return _checked(frames, [item["runs"] for item in items])


def _checked(frames: Any, runs: Any) -> pa.Array:
    made = MaskArray.from_runs(list(runs), frames)
    masks.check(*made.runs_in_boxes())
    return made._data


def _coco(items: list[Mapping[str, Any]]) -> pa.Array:
    runs, boxes = masks.from_coco_rle(items)
    return _laid_out(runs, np.asarray(boxes, np.int32), None)


def _pixels(items: list[Any]) -> pa.Array:
    arrays = [np.asarray(item) for item in items]
    for pixels in arrays:
        if pixels.dtype.kind == "f" and not (np.isfinite(pixels) & (pixels == np.rint(pixels))).all():
            raise ValidationException("its pixels are no whole numbers: say which are set, as by pixels > 0.5.")
    return MaskArray.from_arrays(arrays)._data


class MaskType(GeometryType):
    """The Arrow type ``hastyframe.mask``."""

    NAME: ClassVar[str] = "hastyframe.mask"
    STORAGE: ClassVar[pa.DataType] = _STORAGE
    DTYPE: ClassVar[Any] = MaskDtype


MaskArray.TYPE = MaskType
MaskDtype.ARRAY = MaskArray
register(MaskType)
