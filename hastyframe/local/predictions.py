"""Models over HTTP: what is loaded, predictions on a picture, and automated labeling of a project."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hastyframe.entities import AutomatedLabelingJob, Image, Label, Model, Project

from . import bodies
from .files import read_picture
from .http import Call, Refusal, Routes
from .images import check_datasets
from .jobs import Job, now
from .models import KINDS, Picture, Vocabulary
from .resources import listing
from .schemas import list_of, one, page_of, record
from .store import Record

__all__ = ["routes"]

routes = Routes()

_PROJECT = Project.path + "/{project_id}"
_INTEGERS = list_of({"type": "integer"})
_BOX = {"bbox": _INTEGERS, "class_id": {"type": "string"}}
_SCORED = {**_BOX, "score": {"type": "number"}}
_MASK = {"mask": {"anyOf": [_INTEGERS, {"type": "null"}]}}
_ATTRIBUTE = record(bbox=_INTEGERS, attribute_id={"type": "string"}, lov_ids=list_of({"type": "string"}))


def _describes(kind: str, word: str) -> None:
    @routes.add("GET", f"{_PROJECT}/{word}", answer=one(Model))
    def show(call: Call) -> Any:
        project = call.find(Project)
        models = call.context.models
        return {"model_id": models.id(kind, project["id"]), "status": models.status(kind), "project_id": project["id"]}

    show.__doc__ = f"Show the {kind.replace('_', ' ')} of a project."
    show.__name__ = f"show_{kind}"


for _kind in KINDS:
    _describes(_kind, {"detector": "object_detector"}.get(_kind, _kind))


@routes.add(
    "POST", _PROJECT + "/object_detection", body=bodies.Detection, answer=list_of(record(**_SCORED)), errors=(429,)
)
async def detect(call: Call) -> Any:
    """Detect objects on a picture."""
    return _without(await _predict(call, "detector"), "mask")


@routes.add(
    "POST",
    _PROJECT + "/instance_segmentation",
    body=bodies.Detection,
    answer=list_of(record(**_SCORED, **_MASK)),
    errors=(429,),
)
async def segment_instances(call: Call) -> Any:
    """Segment the objects on a picture."""
    return await _predict(call, "instance_segmentor")


@routes.add(
    "POST",
    _PROJECT + "/semantic_segmentation",
    body=bodies.Segmentation,
    answer=list_of(record(**_BOX, **_MASK)),
    errors=(429,),
)
async def segment_semantically(call: Call) -> Any:
    """Segment a picture by classes."""
    found = await _predict(call, "semantic_segmentor")
    return _without([one for one in found if _area(one) >= call.body.min_size], "score")


@routes.add(
    "POST",
    _PROJECT + "/attribute_prediction",
    body=bodies.AttributePrediction,
    answer=list_of(list_of(_ATTRIBUTE)),
    errors=(429,),
)
async def predict_attributes(call: Call) -> Any:
    """Predict the attributes of what is in boxes on a picture."""
    vocabulary, models = _prepared(call, "attributer"), call.context.models
    return await _with_picture(call, lambda picture: models.attributes(picture, call.body.bboxes, vocabulary))


async def _predict(call: Call, kind: str) -> list[Record]:
    vocabulary = _prepared(call, kind)
    vocabulary.check()
    found = await _with_picture(call, lambda picture: call.context.models.predict(kind, picture, vocabulary))
    if isinstance(call.body, bodies.Detection):
        return _best(found, call.body.confidence_threshold, call.body.max_detections_per_image)
    return found


def _prepared(call: Call, kind: str) -> Vocabulary:
    store, project_id = call.context.store, call.path["project_id"]
    with store.transaction(write=False):
        call.find(Project)
        if call.body.model_id not in {None, call.context.models.id(kind, project_id)}:
            raise Refusal(400, f"model_id: the {kind} of this project is not {call.body.model_id!r}")
        return Vocabulary(store, project_id)


async def _with_picture(call: Call, look: Callable[[Picture], Any]) -> Any:
    """Have a function look at the picture that the body names."""
    context, body = call.context, call.body

    def see(path: Path, name: str) -> Any:
        return look(read_picture(path, name))

    if body.upload_id is not None:
        uploaded = context.files.uploaded(call.path["project_id"], body.upload_id)
        return await context.predicting.run(see, uploaded, "the upload")
    with context.files.passing() as path:
        await context.fetching.run(context.files.fetch, body.image_url, path, "image_url")
        return await context.predicting.run(see, path, body.image_url)


def _best(found: list[Record], threshold: float, most: int) -> list[Record]:
    return [one for one in found if one["score"] >= threshold][:most]


def _without(found: list[Record], key: str) -> list[Record]:
    return [{k: v for k, v in one.items() if k != key} for one in found]


def _area(found: Record) -> int:
    if found["mask"] is not None:
        return sum(found["mask"][1::2])
    left, top, right, bottom = found["bbox"]
    return int((right - left) * (bottom - top))


# Automated labeling ---------------------------------------------------------------------------------------------------


@routes.add("GET", AutomatedLabelingJob.path, query=bodies.Paging, answer=page_of(AutomatedLabelingJob))
def list_automated_labelings(call: Call) -> Any:
    """List automated labeling jobs."""
    return listing(call, AutomatedLabelingJob, {"project_id": call.find(Project)["id"]})


@routes.add("GET", AutomatedLabelingJob.path + "/{job_id}", answer=one(AutomatedLabelingJob))
def show_automated_labeling(call: Call) -> Any:
    """Show how far an automated labeling job is."""
    return call.find(AutomatedLabelingJob)


@routes.add(
    "POST", AutomatedLabelingJob.path, body=bodies.AutomatedLabeling, answer=one(AutomatedLabelingJob), status=201
)
def create_automated_labeling(call: Call) -> Any:
    """Label the new images of a project with its instance segmentor, in the background."""
    project, body, context = call.find(Project), call.body, call.context
    Vocabulary(context.store, project["id"]).check()
    if body.dataset_id is not None:
        check_datasets(call, [body.dataset_id])
    job = {
        "project_id": project["id"],
        "status": "NEW",
        "progress": 0,
        "started_on": now(),
        "experiment_id": body.experiment_id,
    }
    stored = context.store.insert(AutomatedLabelingJob, job)
    work = functools.partial(_label_images, context=context, body=body)
    call.afterwards.append(lambda: context.jobs.start(AutomatedLabelingJob, stored, work, lambda message: {}))
    return stored


def _label_images(job: Job, *, context: Any, body: bodies.AutomatedLabeling) -> None:
    store, project_id = job.store, job.record["project_id"]
    where = {"project_id": project_id, "status": "NEW"}
    if body.dataset_id is not None:
        where["dataset_id"] = body.dataset_id
    with store.transaction(write=False):
        vocabulary = Vocabulary(store, project_id)
        images = store.all(Image, where)
    images = images[: body.num_images or None]
    for number, image in enumerate(images, 1):
        job.check()
        with context.files.picture_of(image) as path:
            picture = read_picture(path, image["name"])
        found = context.models.predict("instance_segmentor", picture, vocabulary, mask_threshold=body.masker_threshold)
        found = _best(found, body.confidence_threshold, body.max_detections_per_image)
        with store.transaction():
            _store_found(job, image, found)
            store.update(AutomatedLabelingJob, job.record["id"], {"progress": round(100 * number / len(images), 1)})
    job.update(status="DONE", progress=100, completed_on=now())


def _store_found(job: Job, image: Record, found: list[Record]) -> None:
    """Store what was found, unless somebody took up the image or deleted it meanwhile."""
    now_there = job.store.get(Image, {"id": image["id"], "status": "NEW"})
    if now_there is None:
        return
    owner = {"project_id": image["project_id"], "image_id": image["id"], "z_index": 0}
    labels = [{**owner, **{key: one[key] for key in ("bbox", "mask", "class_id")}} for one in found]
    job.store.insert_many(Label, labels)
    job.store.update(Image, image["id"], {"status": "AUTO-LABELLED"})
