"""An evaluation as one page: figures, tables that sort and filter, and the worst images with what went wrong on them.

The page needs no other file and no network. What comes from the data is escaped, and a content security policy lets
nothing run but the page's own script.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Callable
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..arguments import counted
from ..errors import ValidationException
from .axes import FAINT, INK
from .colours import Classes
from .curves import best_score, f1_curve, pr_curve
from .distributions import class_counts, sizes
from .mistakes import calibration, confusion_matrix, errors
from .overlay import paint
from .picture import Pictures

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["write_page"]

MOST_ROWS = 500
"""Rows of a table; the frames have all of them."""
WIDTH = 4.2
"""Of pictures, in inches."""


def write_page(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    pictures: Pictures = None,
    classes: Classes = None,
    worst: int = 12,
    iou: float = 0.5,
    score: float | None = None,
    title: str = "Evaluation",
) -> None:
    """Write an evaluation as a page; see :meth:`hastyframe.evaluation.Evaluation.to_html`."""
    if worst < 0:
        raise ValidationException(f"`worst` is {worst}; it is a number of images, 0 or more.")
    score = best_score(evaluation, iou) if score is None else score
    matches = evaluation.match(iou=iou, score=score)
    table = _images(evaluation, matches)
    where = f"at IoU {iou:g}, from score {score:.2f} on"
    body = [
        _summary(evaluation),
        _figures(evaluation, iou, classes),
        _table("Classes", _classes(evaluation, iou), f"Counts at IoU 0.5, the best F1 at IoU {iou:g}."),
        _pictures(evaluation, matches, table, pictures, worst, where),
        _table("Images", table, f"The worst first, {where}."),
        _table("Suspects", _suspects(evaluation, iou), "Labels and predictions most likely to be labelling mistakes."),
    ]
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = Template(_part("page.html")).substitute(
        title=escape(title),
        subtitle=escape(_subtitle(evaluation)),
        style=_part("page.css"),
        script=script,
        script_hash=f"sha256-{digest}",
        body="\n".join(body),
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _subtitle(evaluation: Evaluation) -> str:
    what = {"bbox": "boxes", "mask": "masks"}[evaluation.iou]
    return (
        f"{counted(len(evaluation.predictions), 'prediction')} against "
        f"{counted(len(evaluation.labels), 'label')} on {counted(len(evaluation.images), 'image')}, "
        f"{what} compared by COCO's protocol."
    )


def _summary(evaluation: Evaluation) -> str:
    tiles = (
        f"<div><dt>{escape(str(name))}</dt><dd>{_text(value)}</dd></div>"
        for name, value in evaluation.summary().items()
    )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


# Figures --------------------------------------------------------------------------------------------------------------


def _figures(evaluation: Evaluation, iou: float, classes: Classes) -> str:
    low, high = (5.2, 3.4), (5.2, 5.0)
    figures: list[tuple[tuple[float, float], Callable[..., Any]]] = [
        (low, partial(pr_curve, evaluation, iou=iou, classes=classes)),
        (low, partial(f1_curve, evaluation, iou=iou, classes=classes)),
        (high, partial(confusion_matrix, evaluation, iou=iou, most=16)),
        (low, partial(errors, evaluation, iou=iou)),
        (low, partial(sizes, evaluation.labels)),
    ]
    if "class_name" in evaluation.labels:
        figures.insert(3, (high, partial(class_counts, evaluation.labels, classes=classes, most=22)))
    if evaluation.predictions["score"].between(0, 1).all():  # other scores are no probabilities
        figures.insert(-1, (low, partial(calibration, evaluation, iou=iou)))
    drawn = (f"<figure>{_svg(draw, size, f'figure {n}')}</figure>" for n, (size, draw) in enumerate(figures))
    return f'<h2>Figures</h2>\n<div class="figures">{"".join(drawn)}</div>'


def _svg(draw: Callable[..., Any], size: tuple[float, float], salt: str) -> str:
    """Draw a figure as SVG whose texts and grids take the colours of the page, light or dark."""
    figure = Figure(figsize=size, layout="constrained")
    draw(ax=figure.subplots())
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):  # ids differ, or figures would mix up their parts
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    return svg.replace(INK, "currentColor").replace(FAINT, "var(--rule)")


# Pictures -------------------------------------------------------------------------------------------------------------


def _pictures(
    evaluation: Evaluation,
    matches: pd.DataFrame,
    table: pd.DataFrame,
    pictures: Pictures,
    worst: int,
    where: str,
) -> str:
    """Show the images with the most mistakes, their labels and predictions in the colours of what became of them."""
    images = evaluation.images
    if not worst or (pictures is None and not {"width", "height"} <= set(images.columns)):
        return ""
    chosen = table.index[table["fp"] + table["fn"] > 0][:worst]
    labels, predictions = _with_outcomes(evaluation, matches)
    found = []
    for image_id in chosen:
        row, counts = images.loc[image_id], table.loc[image_id]
        own = [frame[frame["image_id"].astype(str) == str(image_id)] for frame in (labels, predictions)]
        own = [frame.assign(image_id=image_id) for frame in own]
        figure = Figure()
        ax = figure.add_axes((0, 0, 1, 1))
        paint(ax, row, *own, pictures=pictures, color_by="outcome", boxes=evaluation.iou == "bbox")
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        figure.set_size_inches(WIDTH, float(np.clip(WIDTH * abs(bottom - top) / (right - left), 1, 2 * WIDTH)))
        name = escape(str(counts["image"]))
        facts = f"{counts['fp']:,} wrong, {counts['fn']:,} missed, {counts['tp']:,} right"
        found.append(
            f'<figure><img alt="{name} with labels and predictions" src="{_jpeg(figure)}">'
            f"<figcaption>{name} <span>{facts}</span></figcaption></figure>"
        )
    key = "".join(
        f'<li><i class="{outcome}"></i>{what}</li>'
        for outcome, what in [("tp", "found"), ("fp", "wrong"), ("fn", "missed"), ("ignored", "ignored")]
    )
    return (
        f'<h2>Worst images</h2>\n<p class="note">Labels are solid, predictions dashed, {escape(where)}.</p>\n'
        f'<ul class="key">{key}</ul>\n<div class="pictures">{"".join(found)}</div>'
    )


def _with_outcomes(evaluation: Evaluation, matches: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and predictions with what became of them; a label that nobody took and that does not count is ignored."""
    outcome = matches["outcome"].astype(object)
    of_labels = dict(zip(matches["label_id"], outcome, strict=True))
    of_predictions = dict(zip(matches["prediction_id"], outcome, strict=True))
    labels = evaluation.labels.assign(outcome=[of_labels.get(id_, "ignored") for id_ in evaluation.labels.index])
    of_all = pd.Series([of_predictions.get(id_) for id_ in evaluation.predictions.index], dtype=object)
    kept = of_all.notna().to_numpy()  # the others have too low a score
    return labels, evaluation.predictions[kept].assign(outcome=of_all[kept].to_numpy())


def _jpeg(figure: Figure) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="jpg", dpi=150, pil_kwargs={"quality": 82})
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


# Tables ---------------------------------------------------------------------------------------------------------------


def _classes(evaluation: Evaluation, iou: float) -> pd.DataFrame:
    frame = evaluation.per_class()
    best = evaluation.best_thresholds(iou=iou)
    frame = frame.assign(
        **{"best F1": best["f1"].reindex(frame.index), "from score": best["score"].reindex(frame.index)}
    )
    first = ["labels", "predictions", "tp", "fp", "fn", "AP", "AP50", "AP75", "AR100", "best F1", "from score"]
    frame.insert(0, "class", frame.index.astype(str))
    return frame[["class", *(name for name in first if name in frame)]]


def _images(evaluation: Evaluation, matches: pd.DataFrame) -> pd.DataFrame:
    """Count what is right and wrong on each image, the worst first."""
    images = evaluation.images
    counts = pd.crosstab(matches["image_id"], matches["outcome"].astype(object))
    counts = counts.reindex(index=images.index, columns=["tp", "fp", "fn"], fill_value=0)
    names = images["name"] if "name" in images else images.index.to_series()
    frame = counts.assign(image=names.astype(str))[["image", "tp", "fp", "fn"]]
    return frame.loc[(-frame["fp"] - frame["fn"]).sort_values(kind="stable").index]


def _suspects(evaluation: Evaluation, iou: float) -> pd.DataFrame:
    frame = evaluation.suspects(iou=iou)
    columns = {
        "kind": "kind", "image_id": "image", "class_name": "class", "predicted_class_name": "predicted class",
        "score": "score", "iou": "IoU", "suspicion": "suspicion", "label_id": "label", "prediction_id": "prediction",
    }  # fmt: skip
    frame = frame[list(columns)].rename(columns=columns)
    if "name" in evaluation.images:
        frame["image"] = evaluation.images["name"].reindex(frame["image"]).to_numpy()
    return frame


def _table(title: str, frame: pd.DataFrame, note: str) -> str:
    """Write a frame as a table with a box to filter it; columns of numbers sort as numbers."""
    shown = frame.head(MOST_ROWS)
    if len(shown) < len(frame):
        note += f" The first {len(shown):,} of {len(frame):,}."
    numeric = [name not in _IDS and pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    heads = "".join(
        f'<th scope="col"{_NUMBER if number else ""}><button type="button">{escape(str(name))}</button></th>'
        for name, number in zip(frame, numeric, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(map(_cell, row, numeric))}</tr>"
        for row in shown.astype(object).itertuples(index=False, name=None)
    )
    return (
        f'<section class="table">\n<h2>{title}</h2>\n<p class="note">{escape(note)}</p>\n'
        f'<div class="tools"><input type="search" placeholder="Filter" aria-label="Filter {title.lower()}">'
        f'<output aria-live="polite"></output></div>\n<div class="scroll"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>\n</section>"
    )


_NUMBER = ' class="number"'
_IDS = {"label", "prediction", "image"}
"""Columns that hold no numbers even where they look like it."""


def _cell(value: Any, number: bool) -> str:
    if not number:
        return f"<td>{'' if pd.isna(value) else escape(str(value))}</td>"
    exact = "" if pd.isna(value) else repr(float(value))
    return f'<td{_NUMBER} data-value="{exact}">{_text(value)}</td>'


def _text(value: Any) -> str:
    """Write a number: counts as they are, others with three digits, a dash for none."""
    if pd.isna(value):
        return "–"
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.3f}"
