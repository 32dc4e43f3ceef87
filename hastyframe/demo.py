"""A project to try things on, of the photographs that scikit-image brings; and ``hastyframe demo``: the main job."""

from __future__ import annotations

import importlib.resources
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import masks
from .client import Client
from .images import opened
from .labels import add_area
from .project import Project

__all__ = ["fill", "run"]

PHOTOGRAPHS = pd.DataFrame(
    [
        ("coins.png", "objects", "coin", True),
        ("gravel.png", "objects", "stone", True),
        ("hubble_deep_field.jpg", "sky", "galaxy", True),
        ("cell.png", "microscope", "cell", True),
        ("ihc.png", "microscope", "gland", False),
        ("microaneurysms.png", "microscope", "lesion", False),
    ],
    columns=["name", "dataset_name", "class_name", "bright"],
)
"""What is on them, and whether it is brighter than what surrounds it."""
COLOURS = {
    "coin": "#e69f00ff",
    "stone": "#56b4e9ff",
    "galaxy": "#009e73ff",
    "star": "#f0e442ff",
    "cell": "#0072b2ff",
    "gland": "#d55e00ff",
    "nucleus": "#000000ff",
    "lesion": "#cc79a7ff",
}
SMALLER = {"galaxy": ("star", 60), "gland": ("nucleus", 600)}
"""What covers fewer pixels than that is first taken for something smaller."""
DUST_AREA = 20
"""What covers fewer pixels is nothing that anyone would label."""
AT_THE_EDGE = "x_min == 0 or y_min == 0 or x_max == width or y_max == height"

NOTEBOOK = """
import hastyframe as hf

client = hf.Client.local({folder!r})        # with your key: hf.Client(), and HASTY_API_KEY set
project = client.get_project({name!r})
labels = hf.add_area(project.get_labels())
project.delete_labels(labels[labels["area"] < {dust}])
labels = labels[labels["area"] >= {dust}]

stars = labels[labels["class_name"] == "star"].assign(class_name="galaxy").drop(columns="class_id")
project.edit_labels(stars)
project.set_status(stars, "TO REVIEW")
predictions = project.get_instance_segmentor().predict_images(project.get_images())
project.export("labels", "json_coco", image_status="TO REVIEW").wait().download(".")
"""


def run(folder: Path) -> None:
    """Do the main job in a folder and print what happens.

    Parameters
    ----------
    folder : Path
        Where the embedded server keeps its things, and where the exports and the picture go. Made if it is not there.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with Client.local(folder / "server", progress=sys.stderr.isatty()) as client, _wide_frames():
        _step(f"A new project with {len(PHOTOGRAPHS)} photographs and reference labels: hastyframe.demo.fill(client)")
        project = fill(client, f"Demo {_next_number(client)}")
        _step("The project as DataFrames: project.get_images(), project.get_labels()")
        images, labels = project.get_images(), project.get_labels()
        print(images[["name", "dataset_name", "width", "height", "status"]], "\n")
        print(labels[["image_id", "class_name", "x_min", "y_min", "x_max", "y_max", "mask"]])

        labels = clean(project, images, labels)
        predict(project, images, labels)
        export(project, folder)
        overlay(project, "coins.png", folder / "overlay.png")
    _step(f"Done in {time.monotonic() - began:.0f} s. Everything is in {folder.resolve()}")
    for path in sorted(folder.glob("*.*")):
        print(f"  {path.name:<24}{path.stat().st_size / 1024:>8,.0f} kB")
    print("\nThe same in a notebook:\n")
    print(NOTEBOOK.strip().format(folder=os.fspath(folder / "server"), name=project.name, dust=DUST_AREA))


def fill(client: Client, name: str = "Photographs") -> Project:
    """Make a project of photographs, with reference labels: about a thousand masks of eight classes.

    Parameters
    ----------
    client : Client
        Where to, into its first workspace.
    name : str
        What the project is called.

    Returns
    -------
    Project
        With three datasets, six images, and labels that a threshold and a watershed found: good ones, and ones with
        the flaws that labels have, such as dust, glare at the edge, and objects that were parted wrongly.

    Examples
    --------
    >>> import hastyframe as hf
    >>> from hastyframe import demo
    >>> with hf.Client.local(progress=False) as client:
    ...     project = demo.fill(client)
    ...     project.get_labels()["class_name"].nunique()
    8
    """
    project = client.create_project(client.get_workspaces().head(1), name, "Photographs that scikit-image brings")
    for norder, dataset in enumerate(PHOTOGRAPHS["dataset_name"].unique()):
        project.create_dataset(dataset, norder)
    for norder, (label_class, color) in enumerate(COLOURS.items()):
        project.create_label_class(label_class, color, norder=norder)

    source = Path(str(importlib.resources.files("skimage") / "data"))
    report = project.upload_images(PHOTOGRAPHS.assign(path=[source / name for name in PHOTOGRAPHS["name"]]))
    rows = report.join(PHOTOGRAPHS[["class_name", "bright"]])
    labels = pd.concat(
        [
            find_objects(Path(row.path), row.bright).assign(image_id=row.image_id, class_name=row.class_name)
            for row in rows.itertuples()
        ],
        ignore_index=True,
    )
    area = masks.area(labels["mask"].tolist())
    for large, (small, limit) in SMALLER.items():
        labels.loc[(labels["class_name"] == large) & (area < limit), "class_name"] = small
    project.create_labels(labels)
    return project


def find_objects(path: Path, bright: bool) -> pd.DataFrame:
    """Outline what stands out on a photograph: Otsu's threshold, parted by a watershed of the distance transform.

    Parameters
    ----------
    path : Path
        The photograph.
    bright : bool
        Whether objects are brighter than what surrounds them, or darker.

    Returns
    -------
    pandas.DataFrame
        ``x_min, y_min, x_max, y_max`` and ``mask``, a row an object.
    """
    from scipy import ndimage
    from skimage import feature, filters, measure, segmentation
    from skimage.morphology import disk, opening

    with opened(path, path.name) as picture:
        grey = np.asarray(picture.convert("L"))
    objects = (grey > filters.threshold_otsu(grey)) == bright
    objects = ndimage.binary_fill_holes(opening(objects, disk(2)))
    depth = ndimage.distance_transform_edt(objects)
    peaks = feature.peak_local_max(
        filters.gaussian(depth, 2), min_distance=8, labels=measure.label(objects), exclude_border=False
    )
    markers = np.zeros(grey.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    regions = measure.regionprops(segmentation.watershed(-depth, markers, mask=objects))
    boxes = pd.DataFrame([region.bbox for region in regions], columns=["y_min", "x_min", "y_max", "x_max"])
    return boxes.assign(mask=masks.encode([region.image for region in regions]).to_list())


def clean(project: Project, images: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Correct labels in bulk: drop dust and glare, merge two classes, set statuses; return what is left."""
    _step("Correct in bulk with pandas, and write it back")
    labels = add_area(labels)
    dust = labels["area"] < DUST_AREA
    cut_off = labels.join(images[["width", "height"]], on="image_id").eval(AT_THE_EDGE)
    glare = (labels["class_name"] == "coin") & cut_off & ~dust
    project.delete_labels(labels[dust | glare])
    labels = labels[~(dust | glare)]

    stars = labels[labels["class_name"] == "star"].assign(class_name="galaxy").drop(columns="class_id")
    project.edit_labels(stars)
    project.set_status(images, "DONE")
    touched = project.set_status(stars, "TO REVIEW")
    print(
        f"Deleted {dust.sum():,} labels of under {DUST_AREA} pixels and {glare.sum()} coins at the edge, which are "
        f"glare. Turned {len(stars):,} stars into\ngalaxies, and set the {len(touched)} image that they are on to "
        "TO REVIEW, the others to DONE.\n"
    )
    labels = add_area(project.get_labels())
    print(labels.groupby("class_name", observed=True)["area"].describe()[["count", "mean", "min", "max"]].round())
    return labels


def predict(project: Project, images: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Run the default instance segmentor and put its counts beside those of the labels."""
    _step("Predict: project.get_instance_segmentor().predict_images(images)")
    predictions = project.get_instance_segmentor().predict_images(images, confidence_threshold=0.1)
    counts = pd.DataFrame(
        {
            "name": images["name"],
            "labels": labels.groupby("image_id").size(),
            "predictions": predictions.groupby("image_id").size(),
            "mean score": predictions.groupby("image_id")["score"].mean().round(2),
        }
    )
    print(counts.set_index("name"))


def export(project: Project, folder: Path) -> None:
    """Export the project in two formats and download the archives."""
    _step("Export: project.export(...).wait().download(folder)")
    for name, export_format in (("labels-hasty", "json_v1.1"), ("labels-coco", "json_coco")):
        path = project.export(name, export_format, image_status=["DONE", "TO REVIEW"]).wait().download(folder)
        print(f"{export_format:<10} -> {path}")


def overlay(project: Project, image_name: str, path: Path) -> None:
    """Paint the labels of an image over it, in as many colours as there are.

    `hf.plot.labels` draws labels in the colours of their classes; it needs matplotlib, which the extra ``local`` that
    this demo runs with does without.
    """
    from PIL import Image

    images = project.get_images()
    image = project.get_image(images.index[images["name"] == image_name][0])
    image.download(path.with_name(image_name))
    with opened(path.with_name(image_name), image_name) as picture:
        pixels = np.array(picture.convert("RGB"))
    labels = image.get_labels()
    boxes = labels[["x_min", "y_min", "x_max", "y_max"]].astype(int).to_numpy()
    shades = np.random.default_rng(3).permutation(list(COLOURS.values()))
    for number, (box, mask) in enumerate(zip(boxes, masks.decode(labels["mask"], boxes), strict=True)):
        colour = np.array(list(bytes.fromhex(shades[number % len(shades)][1:7])))
        _blend(pixels[box[1] : box[3], box[0] : box[2]], mask.astype(bool), colour)
    Image.fromarray(pixels).resize((pixels.shape[1] * 2, pixels.shape[0] * 2)).save(path)


def _blend(part: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], colour: npt.NDArray[Any]) -> None:
    """Tint the pixels of a mask in a view of a picture, and draw its rim."""
    from scipy import ndimage

    part[mask] = (0.55 * part[mask] + 0.45 * colour).astype(np.uint8)
    part[mask & ~ndimage.binary_erosion(mask)] = colour


def _next_number(client: Client) -> int:
    return int(client.get_projects()["name"].str.startswith("Demo ").sum()) + 1


def _step(title: str) -> None:
    print(f"\n{title}\n{'-' * min(len(title), 100)}", flush=True)


def _wide_frames() -> Any:
    return pd.option_context(
        "display.width", 140, "display.max_columns", 12, "display.max_rows", 12, "display.max_colwidth", 24
    )
