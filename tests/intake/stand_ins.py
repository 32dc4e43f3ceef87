"""Objects with the attributes that results of models have, where the libraries themselves are not at hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


class Tensor:
    """A tensor as PyTorch has it: on a GPU, and with gradients, it refuses to be seen as an array."""

    def __init__(self, values, device="cpu", requires_grad=False):
        self.values, self.device, self.requires_grad = np.asarray(values), device, requires_grad

    @property
    def shape(self):
        return self.values.shape

    @property
    def ndim(self):
        return self.values.ndim

    def __len__(self):
        return len(self.values)

    def detach(self):
        return Tensor(self.values, self.device)

    def cpu(self):
        return Tensor(self.values, "cpu", self.requires_grad)

    def numpy(self):
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.numpy().astype(dtype) if dtype else self.numpy()


class Brain(Tensor):
    """A tensor of bfloat16: NumPy has no such numbers."""

    def numpy(self):
        raise TypeError("Got unsupported ScalarType BFloat16")

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return Tensor(self.values)


class OnlyDlpack:
    """An array of a library that speaks the DLPack protocol and nothing else."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class Fetched:
    """An array on a device, as CuPy has it: it is fetched by its get()."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def get(self):
        return self._values


def ultralytics(
    boxes, scores, classes, *, path="a.jpg", names=None, masks=None, outlines=None, size=(60, 80), obb=None, track=None
):
    """``Results``: boxes in the picture's pixels, masks in those that the model saw."""
    rows = SimpleNamespace(
        xyxy=Tensor(np.asarray(boxes, np.float32)),
        conf=Tensor(np.asarray(scores, np.float32)),
        cls=Tensor(np.asarray(classes, np.float32)),
        id=None if track is None else Tensor(track),
    )
    shapes = None
    if masks is not None:
        shapes = SimpleNamespace(data=Tensor(np.asarray(masks, np.float32)), xy=outlines)
    return SimpleNamespace(
        boxes=None if obb is not None else rows,
        masks=shapes,
        obb=obb,
        names=names or {},
        orig_shape=size,
        path=path,
        probs=None,
        keypoints=None,
    )


def supervision(boxes, scores, classes, *, masks=None, data=None, tracks=None):
    """``Detections``."""
    return SimpleNamespace(
        xyxy=np.asarray(boxes, np.float32),
        confidence=None if scores is None else np.asarray(scores, np.float32),
        class_id=np.asarray(classes, int),
        mask=masks,
        tracker_id=tracks,
        data=data or {},
        metadata={},
    )


def torchvision(boxes, scores, classes, *, masks=None, device="cuda:0"):
    """Dict of a model of torchvision, on a GPU and with gradients."""
    found = {
        "boxes": Tensor(np.asarray(boxes, np.float32), device, requires_grad=True),
        "labels": Tensor(np.asarray(classes), device),
        "scores": Tensor(np.asarray(scores, np.float32), device, requires_grad=True),
    }
    return found if masks is None else {**found, "masks": Tensor(np.asarray(masks, np.float32)[:, None], device)}


def transformers(boxes, scores, classes):
    """Dict of ``post_process_object_detection``."""
    return {
        "scores": Tensor(np.asarray(scores, np.float32)),
        "labels": Tensor(np.asarray(classes)),
        "boxes": Tensor(np.asarray(boxes, np.float32)),
    }


class Instances:
    """``Instances`` of detectron2: a field that was not set is no attribute."""

    def __init__(self, size, **fields):
        self.image_size, self._fields = size, fields

    def __getattr__(self, name):
        if name == "_fields" or name not in self._fields:
            raise AttributeError(f"Cannot find field '{name}' in the given Instances!")
        return self._fields[name]

    def __len__(self):
        return len(next(iter(self._fields.values())))


def detectron(boxes, scores, classes, *, masks=None, said="pred", device="cuda:0"):
    """What a ``DefaultPredictor`` returns."""
    fields = {
        f"{said}_boxes": SimpleNamespace(tensor=Tensor(np.asarray(boxes, np.float32), device)),
        f"{said}_classes": Tensor(np.asarray(classes), device),
    }
    if scores is not None:
        fields["scores"] = Tensor(np.asarray(scores, np.float32), device)
    if masks is not None:
        fields[f"{said}_masks"] = Tensor(masks, device)
    return {"instances": Instances((60, 80), **fields)}


def mmdet(boxes, scores, classes, *, masks=None, path=None):
    """``DetDataSample``."""
    found = SimpleNamespace(
        bboxes=Tensor(np.asarray(boxes, np.float32)),
        scores=Tensor(np.asarray(scores, np.float32)),
        labels=Tensor(np.asarray(classes)),
        **({} if masks is None else {"masks": Tensor(masks)}),
    )
    return SimpleNamespace(pred_instances=found, **({} if path is None else {"img_path": path}))
