"""The results of the real libraries, not of stand-ins: run it where they are installed.

    pip install supervision torchvision transformers ultralytics && python tests/intake/real_libraries.py

Whatever is not installed is passed over, with a word. There are no weights: results are built by the constructors of
the libraries and by their own post-processing.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import scene

import hastyframe as hf

LABELS = scene.label_set()
SEEN = scene.seen_on(LABELS)
NAMES = dict(enumerate(scene.CLASSES))
SIZE = (scene.HEIGHT, scene.WIDTH)
PATHS = [f"/data/{dataset}/{name}" for dataset, name in LABELS.images[["dataset_name", "name"]].to_numpy()]


def figures(source, iou: str = "bbox", **options) -> list[float]:
    found = hf.as_predictions(source, masks=iou == "mask", **options)
    return hf.evaluate(LABELS.labels, found, images=LABELS.images, iou=iou).summary().tolist()


def reference(iou: str) -> list[float]:
    results = [{"boxes": s.boxes, "scores": s.scores, "labels": s.classes, "masks": s.masks} for s in SEEN]
    return figures(results, iou, images=LABELS, classes=scene.CLASSES)


def agree(source, what: str, *, iou: str = "bbox", **options) -> None:
    wanted, found = np.array(reference(iou)), np.array(figures(source, iou, images=LABELS, **options))
    assert np.array_equal(wanted, found, equal_nan=True), f"{what}: {found} and not {wanted}"
    print(f"  {what}: AP {found[0]:.6f}, all figures the same, bit by bit")


def with_supervision() -> None:
    import supervision as sv

    detections = [
        sv.Detections(
            xyxy=s.boxes,
            mask=s.masks if len(s.masks) else None,
            confidence=s.scores,
            class_id=s.classes,
            data={"class_name": np.array(scene.CLASSES)[s.classes]},
        )
        for s in SEEN
    ]
    by_path = dict(zip(PATHS, detections, strict=True))
    agree(by_path, "Detections")
    agree(by_path, "Detections, masks", iou="mask")
    agree(
        dict(zip(PATHS, [sv.Detections(d.xyxy, d.mask, d.confidence, d.class_id) for d in detections], strict=True)),
        "Detections, numbers of classes",
        classes=scene.CLASSES,
    )
    if hasattr(detections[0], "to_compact_masks"):
        compact = [d.to_compact_masks() if d.mask is not None else d for d in detections]
        agree(dict(zip(PATHS, compact, strict=True)), "Detections, compact masks", iou="mask")
    assert len(hf.as_predictions({PATHS[0]: sv.Detections.empty()}, images=LABELS)) == 0
    with tempfile.TemporaryDirectory() as folder:
        with sv.CSVSink(f"{folder}/found.csv") as sink:
            for path, detection in by_path.items():
                sink.append(detection, {"file_name": path})
        agree(f"{folder}/found.csv", "CSVSink")


def with_torchvision() -> None:
    import torch
    from torchvision import tv_tensors
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn, maskrcnn_resnet50_fpn

    results = [
        {
            "boxes": torch.tensor(s.boxes, requires_grad=True),
            "labels": torch.tensor(s.classes),
            "scores": torch.tensor(s.scores, requires_grad=True),
            "masks": torch.where(torch.tensor(s.masks), 0.9, 0.1)[:, None],
        }
        for s in SEEN
    ]
    agree(results, "dicts of tensors", classes=scene.CLASSES)
    agree(results, "dicts of tensors, masks", iou="mask", classes=scene.CLASSES)
    targets = [
        {
            "boxes": tv_tensors.BoundingBoxes(r["boxes"].detach(), format="XYXY", canvas_size=SIZE),
            "labels": r["labels"],
            "scores": r["scores"].detach(),
        }
        for r in results
    ]
    agree(targets, "tv_tensors", classes=scene.CLASSES)
    for make in (fasterrcnn_mobilenet_v3_large_320_fpn, maskrcnn_resnet50_fpn):
        torch.manual_seed(0)
        model = make(weights=None, weights_backbone=None, num_classes=4, box_score_thresh=0.0, box_detections_per_img=5)
        found = model.eval()([torch.rand(3, *SIZE)])
        frame = hf.as_predictions({PATHS[0]: found[0]}, images=LABELS, classes=["background", *scene.CLASSES])
        assert len(frame) == len(found[0]["boxes"]), frame
        assert frame["mask"].notna().all() == ("masks" in found[0])
        print(f"  {make.__name__}, random weights: {len(frame)} predictions")


def with_transformers() -> None:
    import torch
    from transformers import DetrImageProcessor, Mask2FormerImageProcessor
    from transformers.models.detr.modeling_detr import DetrObjectDetectionOutput
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerForUniversalSegmentationOutput

    results = [
        {"scores": torch.tensor(s.scores), "labels": torch.tensor(s.classes), "boxes": torch.tensor(s.boxes)}
        for s in SEEN
    ]
    agree(results, "dicts as post_process_object_detection gives them", classes=NAMES)
    torch.manual_seed(0)
    output = DetrObjectDetectionOutput(logits=torch.randn(6, 9, 4), pred_boxes=torch.rand(6, 9, 4) * 0.4 + 0.3)
    processor = DetrImageProcessor()
    found = processor.post_process_object_detection(output, threshold=0.3, target_sizes=[SIZE] * 6)
    frame = hf.as_predictions(found, images=LABELS, classes=NAMES)
    own = torch.cat([each["boxes"] for each in found]).double().numpy()
    assert np.array_equal(frame[scene.BOX].to_numpy(), own) and len(frame)
    print(f"  post_process_object_detection: {len(frame)} predictions, each box to the last digit")
    areas = torch.full((6, 9, 48, 64), -8.0)
    for query in range(9):
        areas[:, query, 5 * query : 5 * query + 4, query : 30 + 3 * query] = 8.0
    output = Mask2FormerForUniversalSegmentationOutput(
        class_queries_logits=torch.nn.functional.one_hot(torch.randint(0, 3, (6, 9)), 4) * 9.0,
        masks_queries_logits=areas,
    )
    processor = Mask2FormerImageProcessor()
    for name, more in (
        ("post_process_panoptic_segmentation", {}),
        ("post_process_instance_segmentation", {}),
        ("post_process_instance_segmentation", {"return_binary_maps": True}),
    ):
        found = getattr(processor, name)(output, threshold=0.3, target_sizes=[SIZE] * 6, **more)
        frame = hf.as_predictions(found, images=LABELS, classes=NAMES)
        wanted = []
        for each in found:
            pixels = each["segmentation"].numpy() if each["segments_info"] else None
            for row, segment in enumerate(each["segments_info"]):
                wanted.append(int((pixels[row] != 0).sum() if pixels.ndim == 3 else (pixels == segment["id"]).sum()))
        assert hf.masks.area(frame["mask"]).tolist() == wanted
        assert wanted
        print(f"  {name}({', '.join(more)}): {len(frame)} masks, each of as many pixels")


def with_ultralytics() -> None:
    import torch
    from ultralytics.engine.results import Results

    picture = np.zeros((*SIZE, 3), np.uint8)

    def result(seen, path, **more):
        rows = np.column_stack([seen.boxes, seen.scores, seen.classes]).astype(np.float32)
        return Results(picture, path=path, names=NAMES, boxes=torch.tensor(rows), **more)

    results = [result(s, path) for s, path in zip(SEEN, PATHS, strict=True)]
    agree(results, "Results")
    agree(iter(results), "Results, streamed")
    masked = [result(s, path, masks=torch.tensor(s.masks)) for s, path in zip(SEEN, PATHS, strict=True)]
    agree(masked, "Results, masks of the picture's size", iou="mask")
    arrays = [result(s, f"image{n}.jpg") for n, s in enumerate(SEEN)]
    agree(arrays, "Results of arrays, in the order of the images")
    small = [
        result(s, path, masks=torch.tensor(np.repeat(np.repeat(s.masks, 4, 1), 4, 2)).float())
        for s, path in zip(SEEN, PATHS, strict=True)
    ]
    outlined = hf.as_predictions(small, images=LABELS)
    print(f"  Results, masks of another size: {outlined['polygon'].notna().sum()} outlines of {len(outlined)}")
    assert outlined["polygon"].notna().all()
    boxes = torch.tensor([[30.0, 30, 20, 10, 0.5, 0.9, 1]])
    rotated = Results(picture, path=PATHS[0], names=NAMES, obb=boxes)
    frame = hf.as_predictions(rotated, images=LABELS)
    assert np.allclose(np.array(frame["polygon"].iloc[0]), rotated.obb.xyxyxyxy[0].numpy())
    print("  Results, rotated boxes: their corners are a polygon")
    tables = [each.to_df() for each in results if len(each.boxes)]
    frames = [
        table.to_pandas().assign(image=each.path)
        for table, each in zip(tables, [r for r in results if len(r.boxes)], strict=True)
    ]
    import pandas as pd

    frame = hf.as_predictions(pd.concat(frames, ignore_index=True), images=LABELS)
    assert np.allclose(frame[scene.BOX], np.concatenate([s.boxes for s in SEEN]), atol=1e-4)
    print("  Results.to_df: the same boxes, to the digits that it keeps")
    with tempfile.TemporaryDirectory() as folder:
        for each in results:
            each.save_txt(Path(folder, Path(each.path).parent.name, Path(each.path).stem + ".txt"), save_conf=True)
        frame = hf.as_predictions(folder, images=LABELS, classes=NAMES)
        assert len(frame) == sum(len(s.boxes) for s in SEEN)
        print("  save_txt(save_conf=True): as many predictions")


LIBRARIES: dict[str, Callable[[], None]] = {
    "supervision": with_supervision,
    "torchvision": with_torchvision,
    "transformers": with_transformers,
    "ultralytics": with_ultralytics,
}


def main() -> None:
    for name, check in LIBRARIES.items():
        try:
            library = importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: passed over, it is not installed ({error})")
            continue
        print(f"{name} {library.__version__}:")
        check()


if __name__ == "__main__":
    main()
