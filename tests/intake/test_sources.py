"""Whatever a model leaves behind: the same boxes and masks from every source give the same figures, bit by bit."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import scene
import stand_ins
from pandas.testing import assert_frame_equal, assert_series_equal

import hastyframe as hf

LABELS = scene.label_set()
SEEN = scene.seen_on(LABELS)
PATHS = [f"/home/me/{dataset}/{name}" for dataset, name in LABELS.images[["dataset_name", "name"]].to_numpy()]
COCO = [1, 2, 3]


def long():
    """All that is seen as one table: image, numbers of a box, score, number of the class."""
    return pd.DataFrame(
        {
            "image_id": np.repeat(LABELS.images.index.to_numpy(object), [len(seen.boxes) for seen in SEEN]),
            "path": np.repeat(PATHS, [len(seen.boxes) for seen in SEEN]),
            **scene.columns(np.concatenate([seen.boxes for seen in SEEN]).astype(float)),
            "score": np.concatenate([seen.scores for seen in SEEN]).astype(float),
            "number": np.concatenate([seen.classes for seen in SEEN]),
        }
    )


LONG = long()
NAMES = np.array(scene.CLASSES, object)[LONG["number"]]
SIDES = LONG[["x_max", "y_max"]].to_numpy() - LONG[["x_min", "y_min"]].to_numpy()
MASKS = np.concatenate([seen.masks for seen in SEEN])


def reference(masks: bool) -> pd.DataFrame:
    frame = pd.DataFrame({"image_id": LONG["image_id"], "class_name": NAMES, **LONG[scene.BOX], "score": LONG["score"]})
    if masks:
        runs, boxes = hf.masks.trim(hf.masks.encode(MASKS), (scene.HEIGHT, scene.WIDTH))
        frame[scene.BOX] = boxes
        frame["mask"] = runs.to_list()
    return frame


def exported():
    """What :meth:`LabelSet.to_coco` writes of the labels, and reads again."""
    file = io.BytesIO()
    LABELS.to_coco(file)
    return hf.read_coco(io.BytesIO(file.getvalue()))


def numbered():
    """Read the same from a file that has no ids but numbers."""
    file = io.BytesIO()
    LABELS.to_coco(file)
    data = json.loads(file.getvalue())
    for rows in (data["images"], data["annotations"], data["categories"]):
        for row in rows:
            del row["hasty_id"]
    return hf.read_coco(data)


def coco_rows(masks: bool = False):
    numbers = LABELS.images.index.get_indexer(LONG["image_id"]) + 1
    rows = [
        {
            "image_id": int(image),
            "category_id": int(number) + 1,
            "bbox": [*box[:2], *side],
            "score": score,
        }
        for image, number, box, side, score in zip(
            numbers, LONG["number"], LONG[scene.BOX].to_numpy().tolist(), SIDES.tolist(), LONG["score"], strict=True
        )
    ]
    if masks:
        runs, boxes = hf.masks.trim(hf.masks.encode(MASKS), (scene.HEIGHT, scene.WIDTH))
        for row, rle in zip(
            rows, hf.masks.to_coco_rle(runs, boxes, (scene.HEIGHT, scene.WIDTH), counts="str"), strict=True
        ):
            row["segmentation"] = rle
    return rows


def table(names, numbers, classes, **more):
    return pd.DataFrame(
        {**dict(zip(names, np.asarray(numbers).T, strict=True)), "conf": LONG["score"], **classes, **more}
    )


def csv(tmp_path, frame):
    frame.to_csv(tmp_path / "found.csv", index=False)
    return tmp_path / "found.csv"


def yolo(tmp_path):
    folder = tmp_path / "predict" / "labels"
    for (dataset, name), seen in zip(LABELS.images[["dataset_name", "name"]].to_numpy(), SEEN, strict=True):
        boxes = seen.boxes.astype(float)
        shares = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        shares /= [scene.WIDTH, scene.HEIGHT] * 2
        lines = [
            f"{k} {' '.join(map(repr, map(float, b)))} {float(s)!r}\n"
            for k, b, s in zip(seen.classes, shares, seen.scores, strict=True)
        ]
        path = folder / dataset / name.replace(".jpg", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    return folder


def each(make, **options):
    return [make(seen.boxes, seen.scores, seen.classes, **options) for seen in SEEN]


def with_masks(make, **options):
    return [make(seen.boxes, seen.scores, seen.classes, masks=seen.masks, **options) for seen in SEEN]


CORNERS = LONG[scene.BOX].to_numpy()
CENTERS = np.concatenate([CORNERS[:, :2] + SIDES / 2, SIDES], axis=1)
XYWH = np.concatenate([CORNERS[:, :2], SIDES], axis=1)
BY_NAME = {"class": NAMES}
BY_NUMBER = {"class": LONG["number"]}
IDS = {"image_id": LONG["image_id"]}
IMAGES = {"images": LABELS}
NAMED = {"images": LABELS, "classes": scene.CLASSES}
NAMES_OF = dict(enumerate(scene.CLASSES))

SOURCES = {
    "our frame": lambda _: (reference(False), IMAGES),
    "csv, corners, names": lambda tmp: (
        csv(tmp, table(("x1", "y1", "x2", "y2"), CORNERS, BY_NAME, file_name=LONG["path"])),
        IMAGES,
    ),
    "csv, sides, numbers": lambda tmp: (csv(tmp, table(("x", "y", "w", "h"), XYWH, BY_NUMBER, **IDS)), NAMED),
    "csv, bbox as text": lambda tmp: (
        csv(
            tmp,
            pd.DataFrame(
                {"image": LONG["path"], "bbox": CORNERS.tolist(), "confidence": LONG["score"], "label": NAMES}
            ),
        ),
        IMAGES,
    ),
    "frame, x_center": lambda _: (table(("x_center", "y_center", "width", "height"), CENTERS, BY_NAME, **IDS), IMAGES),
    "frame, left top right bottom": lambda _: (
        table(("Left", "Top", "Right", "Bottom"), CORNERS, BY_NAME, filename=LONG["path"]),
        IMAGES,
    ),
    "frame, xmin and class ids": lambda _: (
        table(
            ("xmin", "ymin", "xmax", "ymax"),
            CORNERS,
            {"class_id": LABELS.label_classes.index.take(LONG["number"])},
            **IDS,
        ),
        IMAGES,
    ),
    "frame, bbox as arrays, xywh": lambda _: (
        pd.DataFrame({"image": LONG["image_id"], "bbox": list(XYWH), "score": LONG["score"], "label": NAMES}),
        {**IMAGES, "box_format": "xywh"},
    ),
    "dict of columns": lambda _: (
        {
            "image": LONG["path"].tolist(),
            **LONG[scene.BOX].to_dict("list"),
            "prob": LONG["score"].tolist(),
            "label": NAMES.tolist(),
        },
        IMAGES,
    ),
    "rows as dicts": lambda _: (
        table(("cx", "cy", "w", "h"), CENTERS, BY_NAME, path=LONG["path"]).to_dict("records"),
        IMAGES,
    ),
    "frame, shares": lambda _: (
        table(("x", "y", "w", "h"), XYWH / np.tile([scene.WIDTH, scene.HEIGHT], 2), BY_NAME, **IDS),
        {**IMAGES, "normalized": True},
    ),
    "polars": lambda _: (
        pytest.importorskip("polars").from_pandas(table(("x1", "y1", "x2", "y2"), CORNERS, BY_NAME, **IDS)),
        IMAGES,
    ),
    "ultralytics to_df": lambda _: (
        pd.DataFrame(
            {
                "image": LONG["path"],
                "name": NAMES,
                "class": LONG["number"],
                "confidence": LONG["score"],
                "box": [dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in CORNERS.tolist()],
            }
        ),
        IMAGES,
    ),
    "coco list": lambda _: (coco_rows(), {"images": exported()}),
    "coco frame": lambda _: (pd.DataFrame(coco_rows()), {"images": exported()}),
    "coco numpy scalars": lambda _: (
        [{**row, "image_id": np.int64(row["image_id"]), "bbox": np.array(row["bbox"])} for row in coco_rows()],
        {"images": exported()},
    ),
    "yolo folder": lambda tmp: (yolo(tmp), NAMED),
    "ultralytics": lambda _: (
        [
            stand_ins.ultralytics(seen.boxes, seen.scores, seen.classes, path=path, names=NAMES_OF)
            for seen, path in zip(SEEN, PATHS, strict=True)
        ],
        IMAGES,
    ),
    "ultralytics, streamed": lambda _: (
        (
            stand_ins.ultralytics(seen.boxes, seen.scores, seen.classes, path=path, names=NAMES_OF)
            for seen, path in zip(SEEN, PATHS, strict=True)
        ),
        IMAGES,
    ),
    "supervision, names in data": lambda _: (
        dict(
            zip(
                PATHS,
                [
                    stand_ins.supervision(
                        seen.boxes,
                        seen.scores,
                        seen.classes,
                        data={"class_name": np.array(scene.CLASSES)[seen.classes]},
                    )
                    for seen in SEEN
                ],
                strict=True,
            )
        ),
        IMAGES,
    ),
    "supervision, a list": lambda _: (each(stand_ins.supervision), NAMED),
    "torchvision": lambda _: (dict(zip(LABELS.images.index, each(stand_ins.torchvision), strict=True)), NAMED),
    "transformers": lambda _: (
        dict(zip(PATHS, each(stand_ins.transformers), strict=True)),
        {"images": LABELS, "classes": NAMES_OF},
    ),
    "detectron2": lambda _: (each(stand_ins.detectron), NAMED),
    "mmdet": lambda _: (
        [
            stand_ins.mmdet(seen.boxes, seen.scores, seen.classes, path=path)
            for seen, path in zip(SEEN, PATHS, strict=True)
        ],
        NAMED,
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_boxes_give_the_same_figures(name, tmp_path):
    source, options = SOURCES[name](tmp_path)
    wanted = hf.evaluate(LABELS.labels, reference(False), images=LABELS.images)
    found = hf.as_predictions(source, **options)
    evaluation = hf.evaluate(LABELS.labels, found, images=LABELS.images)
    assert_series_equal(evaluation.summary(), wanted.summary(), check_exact=True)
    assert np.array_equal(evaluation.precision, wanted.precision)
    assert 0.2 < evaluation.summary()["AP"] < 0.9
    if name == "yolo folder":  # in the order of the files
        found = found.sort_values("image_id", kind="stable")
    if name not in {"yolo folder", "frame, shares"}:  # which divide and multiply
        assert np.array_equal(found[scene.BOX].to_numpy(), CORNERS)
        assert np.array_equal(found["score"].to_numpy(), LONG["score"].to_numpy())
    assert found["image_id"].tolist() == LONG["image_id"].tolist()
    assert found["class_id"].tolist() == LABELS.label_classes.index.take(LONG["number"]).tolist()


MASKED = {
    "coco": lambda: (coco_rows(True), {"images": exported()}),
    "supervision": lambda: (with_masks(stand_ins.supervision), NAMED),
    "torchvision": lambda: (
        with_masks(lambda *rows, masks: stand_ins.torchvision(*rows, masks=np.where(masks, 0.9, 0.2))),
        NAMED,
    ),
    "detectron2": lambda: (with_masks(stand_ins.detectron), NAMED),
    "mmdet": lambda: (with_masks(stand_ins.mmdet), NAMED),
    "ultralytics, masks of the picture's size": lambda: (
        with_masks(stand_ins.ultralytics, names=NAMES_OF, path="image0.jpg", size=(scene.HEIGHT, scene.WIDTH)),
        IMAGES,
    ),
    "run-lengths": lambda: (
        [
            {
                "boxes": seen.boxes,
                "scores": seen.scores,
                "labels": seen.classes,
                "masks": hf.masks.to_coco_rle(
                    *hf.masks.trim(hf.masks.encode(seen.masks), (scene.HEIGHT, scene.WIDTH)),
                    (scene.HEIGHT, scene.WIDTH),
                ),
            }
            for seen in SEEN
        ],
        NAMED,
    ),
    "transformers, a mask a segment": lambda: (
        [
            {
                "segmentation": stand_ins.Tensor(seen.masks.astype(int)),
                "segments_info": [
                    {"id": row, "label_id": int(k), "score": float(s)}
                    for row, (k, s) in enumerate(zip(seen.classes, seen.scores, strict=True))
                ],
            }
            for seen in SEEN
        ],
        NAMED,
    ),
}


@pytest.mark.parametrize("name", MASKED)
def test_the_same_masks_give_the_same_figures(name):
    source, options = MASKED[name]()
    wanted = hf.evaluate(LABELS.labels, reference(True), images=LABELS.images, iou="mask")
    found = hf.as_predictions(source, **options)
    evaluation = hf.evaluate(LABELS.labels, found, images=LABELS.images, iou="mask")
    assert_series_equal(evaluation.summary(), wanted.summary(), check_exact=True)
    assert found["mask"].tolist() == reference(True)["mask"].tolist()
    assert np.array_equal(found[scene.BOX], reference(True)[scene.BOX])


@pytest.mark.parametrize("name", [name for name in MASKED if not name.startswith("transformers")])
def test_without_masks_boxes_are_the_models_own(name):
    source, options = MASKED[name]()
    found = hf.as_predictions(source, masks=False, **options)
    assert found["mask"].isna().all()
    assert np.array_equal(found[scene.BOX].to_numpy(), CORNERS)


@pytest.mark.parametrize("iou", ["bbox", "mask"])
def test_evaluate_takes_sources_in_place_of_frames(iou):
    wanted = hf.evaluate(LABELS.labels, reference(iou == "mask"), images=LABELS.images, iou=iou).summary()
    sources = {
        "ultralytics": with_masks(stand_ins.ultralytics, names=NAMES_OF, path="image0.jpg", size=(60, 80)),
        "supervision": dict(
            zip(
                PATHS,
                [
                    stand_ins.supervision(
                        *(seen.boxes, seen.scores, seen.classes),
                        masks=seen.masks,
                        data={"class_name": np.array(scene.CLASSES)[seen.classes]},
                    )
                    for seen in SEEN
                ],
                strict=True,
            )
        ),
    }
    for source in sources.values():
        found = hf.evaluate(LABELS.labels, source, images=LABELS.images, iou=iou)
        assert_series_equal(found.summary(), wanted, check_exact=True)


def test_evaluate_takes_files(tmp_path):
    back = numbered()
    (tmp_path / "dt.json").write_text(json.dumps(coco_rows()))
    frame = table(("x1", "y1", "x2", "y2"), CORNERS, BY_NAME, file_name=LONG["path"])
    wanted = hf.evaluate(LABELS.labels, reference(False), images=LABELS.images).summary()
    for source in (tmp_path / "dt.json", str(tmp_path / "dt.json"), csv(tmp_path, frame), frame):
        assert_series_equal(hf.evaluate(back.labels, source, images=back.images).summary(), wanted, check_exact=True)


def test_evaluate_without_images_finds_those_of_the_labels():
    labels = LABELS.labels.assign(image_name=LABELS.images["name"].reindex(LABELS.labels["image_id"]).array)
    frame = table(("x1", "y1", "x2", "y2"), CORNERS, BY_NAME, file_name=LONG["path"])
    wanted = hf.evaluate(labels, reference(False)).summary()
    assert_series_equal(hf.evaluate(labels, frame).summary(), wanted, check_exact=True)
    more = pd.concat([frame, frame.iloc[:1].assign(**{"class": "unicorn"})])
    assert hf.evaluate(labels, more).match()["predicted_class_name"].eq("unicorn").sum() == 1
    with pytest.raises(hf.FrameError, match=r"'new.jpg'.*those without labels as well"):
        hf.evaluate(labels, frame.assign(file_name="new.jpg"))


def test_the_frame_is_that_of_read_coco_detections():
    back = exported()
    for masks in (False, True):
        wanted = hf.read_coco_detections(coco_rows(masks), back)
        found = hf.as_predictions(coco_rows(masks), images=back)
        assert_frame_equal(found, wanted)
        source = with_masks(stand_ins.torchvision) if masks else each(stand_ins.torchvision)
        found = hf.as_predictions(source, images=back, classes=scene.CLASSES)
        assert_frame_equal(found, wanted.drop(columns="file_bbox", errors="ignore"))


def test_an_export_keeps_the_ids_of_the_project():
    back = exported()
    assert back.images.index.tolist() == LABELS.images.index.tolist()
    assert back.label_classes.index.tolist() == LABELS.label_classes.index.tolist()
    assert back.labels.index.tolist() == LABELS.labels.index.tolist()
    assert back.labels[["image_id", "class_id"]].equals(LABELS.labels[["image_id", "class_id"]])
    file, again = io.BytesIO(), io.BytesIO()
    LABELS.to_coco(file)
    back.to_coco(again)
    assert json.loads(file.getvalue()) == json.loads(again.getvalue())
    fewer = back.filter(images=back.images.index[3:])  # numbers stay those of the file
    rows = [row for row in coco_rows() if row["image_id"] > 3]
    assert hf.as_predictions(rows, images=fewer)["image_id"].tolist() == LONG["image_id"].tolist()[-len(rows) :]
    assert hf.read_coco_detections(rows, fewer)["image_id"].tolist() == LONG["image_id"].tolist()[-len(rows) :]


def test_results_of_an_export_whose_images_are_not_given_are_refused():
    with pytest.raises(hf.FrameError, match=r"images=hf.read_coco\(file\)") as caught:
        hf.as_predictions(coco_rows(), images=LABELS)
    assert len(caught.value.problems) == 2 * len(LONG)


def test_shares_of_yolo_are_known_to_be_shares(tmp_path):
    folder = yolo(tmp_path)
    said = hf.as_predictions(folder, normalized=True, box_format="cxcywh", **NAMED)
    assert_frame_equal(said, hf.as_predictions(folder, **NAMED))


def test_zip_and_parquet(tmp_path):
    frame = table(("x1", "y1", "x2", "y2"), CORNERS, BY_NAME, **IDS)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    folder = yolo(tmp_path)
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        for path in folder.rglob("*.txt"):
            archive.write(path, path.relative_to(folder))
    for name in ("a.parquet", "a.feather", "labels.zip"):
        found = hf.as_predictions(tmp_path / name, **NAMED)
        assert (
            found["image_id"].value_counts().equals(LONG["image_id"].value_counts().reindex(found["image_id"].unique()))
        )


def test_an_archive_of_results(tmp_path):
    with zipfile.ZipFile(tmp_path / "dt.zip", "w") as archive:
        archive.writestr("detections.json", json.dumps(coco_rows()))
    back = exported()
    wanted = hf.as_predictions(coco_rows(), images=back)
    assert_frame_equal(hf.as_predictions(tmp_path / "dt.zip", images=back), wanted)
    with zipfile.ZipFile(tmp_path / "dt.zip") as archive:
        assert_frame_equal(hf.as_predictions(archive, images=back), wanted)


def test_labels_from_every_source():
    wanted = hf.as_labels(reference(False), images=LABELS)
    assert wanted.index.tolist()[:2] == ["1", "2"]
    assert "score" not in wanted
    targets = [
        {"boxes": s.boxes, "labels": s.classes, "image_id": np.array([n]), "iscrowd": np.zeros(len(s.boxes), int)}
        for n, s in enumerate(SEEN)
    ]
    numbered = LABELS.images.assign(image_id=LABELS.images.index).reset_index(drop=True)
    numbered.index = numbered.index.rename("image_id")
    classes = {"classes": scene.CLASSES}
    by_number = hf.as_labels(targets, images=numbered.drop(columns="image_id"), **classes)
    assert np.array_equal(by_number[scene.BOX], CORNERS)
    assert by_number["iscrowd"].tolist() == [0] * len(LONG)
    truth = [stand_ins.detectron(s.boxes, None, s.classes, said="gt") for s in SEEN]
    unscored = [stand_ins.supervision(s.boxes, None, s.classes) for s in SEEN]
    for source in (truth, unscored):
        found = hf.as_labels(source, images=LABELS, **classes)
        assert_frame_equal(found, wanted)
        with pytest.raises(hf.ValidationException, match="There are no scores"):
            hf.as_predictions(source, images=LABELS, **classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        instances = io.BytesIO()
        LABELS.to_coco(instances)
        again = hf.as_labels(json.loads(instances.getvalue()), images=LABELS)
    assert again.index.tolist() == LABELS.labels.index.tolist()
    assert again["mask"].tolist() == LABELS.labels["mask"].tolist()
