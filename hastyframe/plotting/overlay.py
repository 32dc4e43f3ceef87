"""Labels and predictions over pictures."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox

from ..errors import ValidationException
from ..intake import takes_frames
from ..limits import DEFAULT_LIMITS, Limits
from .axes import INK, new_axes, short
from .colours import NEUTRAL, Classes, contrasting, palette
from .picture import Canvas, Pictures, canvas
from .shapes import boxes_of, outlines

__all__ = ["grid", "labels", "paint"]

MOST_NAMES = 30
"""More objects than this on a picture are told apart by a legend, not by names."""
MOST_TILES = 200
MOST_ENTRIES = 11
"""Classes that a legend names; the others are counted."""
LONGEST = 28
"""Letters of a name that are shown."""


class _Style(NamedTuple):
    """How large everything is drawn, in points; tiles of a grid are drawn finer."""

    line: float
    font: float
    most_names: int


_WHOLE = _Style(line=1.6, font=8, most_names=MOST_NAMES)
_TILE = _Style(line=1.2, font=6.5, most_names=8)
_CARD = _Style(line=1.2, font=6.5, most_names=16)
_DASHES = (0, (3.5, 1.8))
_PAD = 0.15
_LEGEND_COLUMNS = 4


@takes_frames(only=False, labels="label_id", predictions="prediction_id")
def labels(
    image: Any,
    labels: pd.DataFrame | None = None,
    predictions: pd.DataFrame | None = None,
    *,
    pictures: Pictures = None,
    classes: Classes = None,
    color_by: str = "class_name",
    names: bool | None = None,
    boxes: bool = False,
    ax: Any = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """Draw labels, solid, and predictions, dashed, over their picture.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image, numpy.ndarray, pandas.Series or Image
        A picture file, a picture, a row of an images frame (``images.loc[image_id]``), or the handle of an image,
        whose picture is downloaded.
    labels, predictions : pandas.DataFrame, optional
        Of a row or a handle, the rows with its ``image_id`` are drawn; else all, which must be of one image. Masks
        and polygons are filled and outlined; where there is neither, the box is drawn. Boxes are in pixels, 0-based,
        their maxima exclusive.
    pictures : str, Path, mapping or pandas.Series, optional
        Where the picture of a row is: the folder that :meth:`Project.download_images` wrote to, or by ``image_id`` a
        file or a picture, like the column ``path`` of its report. Without it the picture stays blank.
    classes : pandas.DataFrame or mapping of str to str, optional
        The label classes of the project with their colours, or a colour (``#rrggbb``) a name. A class without one
        gets one of Okabe and Ito's palette, which every kind of colour vision can tell apart.
    color_by : str
        The column whose values have colours, ``"outcome"`` for example.
    names : bool, optional
        Whether names and scores stand beside the objects. By default they do where there are at most 30, and not all
        of one class; else a legend counts the classes.
    boxes : bool
        Draw boxes also where there are masks or polygons.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    limits : Limits
        ``limits.pixels`` is the most that a picture may have.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SizeLimitError
        A picture of more pixels than ``limits.pixels``.
    ValidationException
        Labels of several images, a picture that cannot be found or opened, a column that is missing, a colour that is
        none.

    Examples
    --------
    >>> import hastyframe as hf
    >>> found = pd.DataFrame({"class_name": ["cat"], "x_min": [2], "y_min": [1], "x_max": [7], "y_max": [5]})
    >>> ax = hf.plot.labels(np.zeros((8, 12)), found, classes={"cat": "#ff0000"}, names=True)
    >>> [text.get_text() for text in ax.texts]
    ['cat']
    """
    shown = canvas(image, pictures, limits=limits)
    layers = [_belonging(frame, shown, name) for frame, name in ((labels, "labels"), (predictions, "predictions"))]
    colours = _colours(layers, color_by, classes)
    names = _with_names(layers, names, _WHOLE)
    entries = _entries(layers, colours, color_by, names, counts=True)
    if ax is None:
        width, height = _fitting(shown.width / shown.height, longest=7.0)
        ax = new_axes(None, (width, height + 0.3 + _height(entries)))
        _legend(ax.figure, entries, loc="outside lower left")
    else:
        _legend(ax, entries, loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=0.4)
    _draw(ax, shown, layers, colours, color_by, names, boxes, _WHOLE)
    _title(ax, shown.title, _WHOLE)
    return ax


@takes_frames(images="image_id", labels="label_id", predictions="prediction_id")
def grid(
    images: pd.DataFrame,
    labels: pd.DataFrame | None = None,
    predictions: pd.DataFrame | None = None,
    *,
    pictures: Pictures = None,
    columns: int = 4,
    titles: str = "name",
    classes: Classes = None,
    color_by: str = "class_name",
    names: bool | None = None,
    boxes: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> np.ndarray[Any, Any]:
    """Draw many images side by side, in the order of the rows.

    Which images, and in which order, is up to pandas: ``images.loc[worst]`` for the worst first,
    ``images.loc[labels.loc[labels["class_name"] == "coin", "image_id"].unique()]`` for those with a class.

    Parameters
    ----------
    images : pandas.DataFrame
        Rows of an images frame, at most 200. A row that is there twice is drawn twice.
    labels, predictions : pandas.DataFrame, optional
        With ``image_id``; those of other images are left out.
    columns : int
        How many tiles stand side by side.
    titles : str
        The column of `images` that stands over the tiles.
    pictures, classes, color_by, names, boxes, limits
        As :func:`labels` takes them. A class has one colour on all tiles.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape (rows, columns)
        ``axes[0, 0].figure`` is the figure. Axes beyond the last image are switched off.

    Raises
    ------
    ValidationException
        No images or more than 200, and as :func:`labels`.

    Examples
    --------
    >>> import hastyframe as hf
    >>> images = pd.DataFrame({"name": ["a.jpg", "b.jpg"], "width": 8, "height": 4}, index=["1", "2"])
    >>> axes = hf.plot.grid(images.loc[["2", "1"]], columns=2)
    >>> [ax.get_title(loc="left") for ax in axes.flat]
    ['b.jpg', 'a.jpg']
    """
    from matplotlib import pyplot

    if not 0 < len(images) <= MOST_TILES:
        raise ValidationException(
            f"A grid shows 1 to {MOST_TILES} images; there are {len(images):,}. Take the first: images.head(24)."
        )
    if titles not in images:
        raise ValidationException(f"`titles` is {titles!r}; the images have the columns {list(images.columns)}.")
    columns = max(1, min(columns, len(images)))
    rows = math.ceil(len(images) / columns)
    tiles = [canvas(row, pictures, most=900, limits=limits) for _, row in images.iterrows()]
    layers = [
        [_belonging(frame, tile, name) for frame, name in ((labels, "labels"), (predictions, "predictions"))]
        for tile in tiles
    ]
    colours = _colours([labels, predictions], color_by, classes)
    named = [_with_names(layer, names, _TILE) for layer in layers]
    together = [pd.concat(list(layer)) for layer in zip(*layers, strict=True)]
    entries = _entries(together, colours, color_by, all(named), counts=False)

    side = 12 / columns
    ratio = float(np.median([tile.height / tile.width for tile in tiles]))
    size = (side * columns, (side * min(max(ratio, 0.4), 1.6) + 0.3) * rows + _height(entries))
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    for number, (ax, tile, title) in enumerate(zip(axes.flat, tiles, images[titles].astype(str), strict=False)):
        _draw(ax, tile, layers[number], colours, color_by, named[number], boxes, _TILE)
        _title(ax, title, _TILE)
    for ax in axes.flat[len(tiles) :]:
        ax.set_axis_off()
    _legend(figure, entries, loc="outside lower left")
    return axes


def paint(
    ax: Any,
    image: Any,
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    pictures: Pictures = None,
    classes: Classes = None,
    color_by: str = "class_name",
    boxes: bool = False,
) -> None:
    """Draw what :func:`labels` does on axes, without title and legend."""
    shown = canvas(image, pictures, most=1000)
    layers = [_belonging(labels, shown, "labels"), _belonging(predictions, shown, "predictions")]
    colours = _colours(layers, color_by, classes)
    _draw(ax, shown, layers, colours, color_by, _with_names(layers, None, _CARD), boxes, _CARD)


def _title(ax: Any, text: str, style: _Style) -> None:
    ax.set_title(short(text, 40), loc="left", fontsize=style.font + 1, color=INK)


def _belonging(frame: pd.DataFrame | None, shown: Canvas, name: str) -> pd.DataFrame:
    """Rows of a frame that belong on a picture."""
    if frame is None:
        return pd.DataFrame()
    if shown.image_id is not None:
        if "image_id" not in frame:
            raise ValidationException(f"The {name} need a column 'image_id'; there are {list(frame.columns)}.")
        return frame[frame["image_id"] == shown.image_id]
    if "image_id" in frame and frame["image_id"].nunique() > 1:
        raise ValidationException(
            f"The {name} are of {frame['image_id'].nunique():,} images. Choose those of the picture, "
            f"{name}[{name}['image_id'] == …], or give a row of the images frame instead of the picture."
        )
    return frame


def _colours(frames: list[Any], color_by: str, classes: Classes) -> dict[Hashable, str]:
    found = [frame[color_by] for frame in frames if frame is not None and color_by in frame]
    if not found and color_by != "class_name" and any(frame is not None and len(frame) for frame in frames):
        raise ValidationException(f"`color_by` is {color_by!r}, a column that neither labels nor predictions have.")
    return palette(found, classes)


def _fitting(ratio: float, longest: float) -> tuple[float, float]:
    """Width and height in inches of something that is `ratio` as wide as it is high."""
    return (longest, max(longest / ratio, 1.0)) if ratio >= 1 else (max(longest * ratio, 2.5), longest)


def _with_names(layers: list[pd.DataFrame], names: bool | None, style: _Style) -> bool:
    """Tell whether names stand beside the objects: not if they are many, nor if all say the same."""
    if names is not None:
        return names
    classes = {value for layer in layers if "class_name" in layer for value in layer["class_name"].unique()}
    return (len(classes) > 1 or "score" in layers[1]) and sum(map(len, layers)) <= style.most_names


def _draw(
    ax: Any,
    shown: Canvas,
    layers: list[pd.DataFrame],
    colours: Mapping[Hashable, str],
    color_by: str,
    names: bool,
    boxes: bool,
    style: _Style,
) -> None:
    """Draw a picture and what lies on it."""
    _draw_picture(ax, shown)
    for layer, predicted in zip(layers, (False, True), strict=True):
        if not len(layer):
            continue
        own = _own_colours(layer, colours, color_by)
        paths, kind = outlines(layer, as_boxes=boxes)
        _draw_outlines(ax, paths, kind, own, predicted, style)
        if names:
            _draw_names(ax, boxes_of(paths), _names_of(layer), own, predicted, style)


def _draw_picture(ax: Any, shown: Canvas) -> None:
    """Lay the picture so that pixel (0, 0) covers 0 to 1 on both axes, as boxes and polygons count."""
    if shown.pixels is None:
        ax.set_facecolor("#f2f2f2")
    else:
        range_ = {"vmin": 0, "vmax": 255} if shown.pixels.dtype == np.uint8 else {}
        ax.imshow(shown.pixels, cmap="gray", extent=(0, shown.width, shown.height, 0), aspect="equal", **range_)
    ax.set(xlim=(0, shown.width), ylim=(shown.height, 0), xticks=[], yticks=[], aspect="equal", anchor="NW")
    ax.spines[:].set_visible(False)


def _own_colours(layer: pd.DataFrame, colours: Mapping[Hashable, str], color_by: str) -> list[str]:
    if color_by not in layer:
        return [NEUTRAL] * len(layer)
    return [colours.get(value, NEUTRAL) for value in layer[color_by]]


def _draw_outlines(
    ax: Any, paths: list[Any], kind: np.ndarray[Any, Any], own: list[str], predicted: bool, style: _Style
) -> None:
    """Fill what has a shape of its own, and outline everything on a dark rim, which shows on bright pictures too."""
    filled = np.flatnonzero((kind != "box") & (kind != "nothing"))
    if len(filled):
        faces = [own[row] for row in filled]
        alpha = 0.18 if predicted else 0.32
        ax.add_collection(
            PathCollection([paths[row] for row in filled], facecolors=faces, linewidths=0, alpha=alpha),
            autolim=False,
        )
    solid = {"dash_offset": 0, "dash_list": None}
    effects = [Stroke(linewidth=style.line + 1.2, foreground="#000000", alpha=0.35, dashes=solid), Normal()]
    if predicted:  # white between the dashes: they are seen where they lie on a line of a label, too
        effects.insert(1, Stroke(foreground="#ffffff", dashes=solid))
    ax.add_collection(
        PathCollection(
            paths,
            facecolors="none",
            edgecolors=own,
            linewidths=style.line,
            linestyles=[_DASHES if predicted else "solid"],
            path_effects=effects,
            label="predictions" if predicted else "labels",
        ),
        autolim=False,
    )


class _Name(Text):
    """A text that moves, when it is drawn, to where all of it lies on the picture and beside the names before it."""

    def __init__(self, ax: Any, before: list[_Name], x: float, y: float, text: str, **kwargs: Any) -> None:
        self.place = Bbox.null()
        self._picture = ax.patch
        self._before = tuple(before)
        self._nudge = Affine2D()
        super().__init__(x, y, text, **kwargs)

    def set_transform(self, t: Any) -> None:
        super().set_transform(t + self._nudge)

    def draw(self, renderer: Any) -> None:
        self._nudge.clear()
        frame = self._picture.get_window_extent(renderer)
        rim = _PAD * float(self.get_fontsize()) * renderer.points_to_pixels(1)
        own = self.get_window_extent(renderer).padded(rim)
        tries = [_moved_into(own.translated(0, steps * own.height), frame) for steps in (0, 1, -1, 2, -2, 3, -3)]
        taken = [name.place for name in self._before]
        self.place = next((place for place in tries if not any(map(place.overlaps, taken))), tries[0])
        self._nudge.translate(self.place.x0 - own.x0, self.place.y0 - own.y0)
        super().draw(renderer)


def _moved_into(box: Bbox, frame: Any) -> Bbox:
    """Move a box into a frame; one that is too large for it begins where the frame does."""
    return box.translated(
        max(frame.x0 - box.x0, min(0.0, frame.x1 - box.x1)), max(frame.y0 - box.y0, min(0.0, frame.y1 - box.y1))
    )


def _draw_names(
    ax: Any, boxes: np.ndarray[Any, Any], names: list[str], own: list[str], predicted: bool, style: _Style
) -> None:
    """Write names of labels on top of their boxes, those of predictions below."""
    before = [text for text in ax.texts if isinstance(text, _Name)]
    for (x_min, y_min, _, y_max), name, colour in zip(boxes.tolist(), names, own, strict=True):
        if not name or math.isnan(x_min):
            continue
        text = _Name(
            ax,
            before,
            x_min,
            y_max if predicted else y_min,
            name,
            transform=ax.transData,
            color=contrasting(colour),
            fontsize=style.font,
            va="top" if predicted else "bottom",
            bbox={"facecolor": colour, "edgecolor": "none", "alpha": 0.85, "boxstyle": f"square,pad={_PAD}"},
            clip_on=True,
            zorder=4,
        )
        before.append(ax.add_artist(text))


def _names_of(layer: pd.DataFrame) -> list[str]:
    """Write the class and, of a prediction, the score."""
    empty = [""] * len(layer)
    column = next((name for name in ("class_name", "class_id") if name in layer), None)
    kinds = empty if column is None else ["" if pd.isna(v) else short(str(v), LONGEST) for v in layer[column]]
    scores = empty if "score" not in layer else ["" if pd.isna(v) else f"{v:.2f}" for v in layer["score"]]
    return [f"{kind} {score}".strip() for kind, score in zip(kinds, scores, strict=True)]


def _entries(
    layers: list[pd.DataFrame], colours: Mapping[Hashable, str], color_by: str, named: bool, *, counts: bool
) -> list[Any]:
    """List what lines and colours mean, as far as names beside the objects do not say so."""
    entries: list[Any] = []
    if all(map(len, layers)):
        for layer, what, line in zip(layers, ("labels", "predictions"), ("solid", _DASHES), strict=True):
            text = f"{what} ({len(layer):,})" if counts else what
            entries.append(Line2D([], [], color=INK, linestyle=line, linewidth=1.4, label=text))
        counts = False  # labels and predictions counted together would say nothing
    if named and color_by == "class_name":
        return entries
    found = [layer[color_by].astype(object) for layer in layers if color_by in layer]
    amount = pd.concat(found).value_counts() if found else pd.Series(dtype=int)
    for value, count in amount.head(MOST_ENTRIES).items():
        text = short(str(value), LONGEST) + (f" ({count:,})" if counts else "")
        entries.append(Patch(color=colours[value], label=text))
    if len(amount) > MOST_ENTRIES:
        entries.append(Patch(color="none", label=f"and {len(amount) - MOST_ENTRIES} more"))
    return entries


def _height(entries: list[Any]) -> float:
    """Inches that a legend takes."""
    return 0.2 * math.ceil(len(entries) / _LEGEND_COLUMNS) + 0.1


def _legend(on: Any, entries: list[Any], **place: Any) -> None:
    if entries:
        on.legend(handles=entries, ncols=_LEGEND_COLUMNS, frameon=False, fontsize=8, labelcolor=INK, **place)
