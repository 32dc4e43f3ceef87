"""Exports: jobs that write an archive in the background, and the addresses to fetch it from."""

from __future__ import annotations

import functools
import hashlib
import re
import zipfile
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from starlette.responses import FileResponse, Response

from hastyframe.entities import (
    Attribute,
    Dataset,
    ExportJob,
    Image,
    Label,
    LabelAttribute,
    LabelClass,
    Project,
    Tag,
)

from .bodies import ExportBody
from .http import Call, Refusal, Routes
from .images import check_datasets
from .jobs import Job, now
from .schemas import one
from .store import Record, Store, decoded

if TYPE_CHECKING:
    from hastyframe.io import LabelSet

    from .context import Context

__all__ = ["routes"]

routes = Routes()

SIGNED_SECONDS = 7 * 86_400.0
"""How long the signed addresses of images in an export are good."""


@routes.add("POST", ExportJob.path, body=ExportBody, answer=one(ExportJob), status=201)
def create_export(call: Call) -> Any:
    """Start an export."""
    project, body, context = call.find(Project), call.body, call.context
    if body.dataset_id:
        check_datasets(call, body.dataset_id)
    meta = {"export_name": body.export_name}
    job = {"project_id": project["id"], "status": "NEW", "started_on": now(), "meta": {**meta, "progress": 0}}
    stored = context.store.insert(ExportJob, job)
    work = functools.partial(_export, context=context, body=body, project=project, base_url=call.base_url)
    failure = lambda message: {"meta": {**meta, "message": message}}  # noqa: E731 (goes with the job)
    call.afterwards.append(lambda: context.jobs.start(ExportJob, stored, work, failure))
    return stored


@routes.add("GET", ExportJob.path + "/{export_id}", answer=one(ExportJob))
def show_export(call: Call) -> Any:
    """Show how far an export is, and where to fetch it once it is done."""
    export = decoded(call.find(ExportJob))
    if export["status"] == "DONE":
        url = call.base_url + call.context.signer.sign(f"/storage/exports/{export['id']}.zip")
        export["meta"] = {"url": url, **export["meta"]}
    return export


@routes.add("GET", "/storage/exports/{export_id}.zip", public=True, errors=(403,))
async def get_archive(call: Call) -> Response:
    """Download the archive of an export from its signed address."""
    call.context.signer.check(f"/storage/exports/{call.path['export_id']}.zip", call.parameters)
    path = call.context.files.export(call.path["export_id"])
    if not path.is_file():
        raise Refusal(404, "the export was deleted")
    return FileResponse(path, media_type="application/zip")


def _export(job: Job, *, context: Context, body: ExportBody, project: Record, base_url: str) -> None:
    where: Record = {"project_id": project["id"]}
    if body.dataset_id:
        where["dataset_id"] = body.dataset_id
    if body.image_status:
        where["status"] = body.image_status
    with job.store.transaction(write=False):
        images = job.store.all(Image, where)
        label_set = None if body.format == "images" else _label_set(job.store, project, images, body, context, base_url)
    job.check()
    meta = {"export_name": body.export_name}
    job.update(meta={**meta, "progress": 10})
    path = context.files.export(job.record["id"])
    with context.files.part_of(path) as file:
        if label_set is None:
            _write_images(job, images, file, context)
        else:
            _write_labels(label_set, body, file)
    job.update(status="DONE", completed_on=now(), meta=meta)
    if job.store.get(ExportJob, {"id": job.record["id"]}) is None:  # its project was deleted meanwhile
        path.unlink()


def _write_labels(label_set: LabelSet, body: ExportBody, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if body.format == "semantic_png":
            label_set.to_semantic_png(
                archive,
                semantic_format=body.semantic_format or "gs_asc",
                labels_order=body.labels_order or ("z_index",),
                on_loss="ignore",
                progress=False,
            )
            return
        with archive.open(f"{_fitting(body.export_name)}.json", "w") as member:
            if body.format == "json_coco":
                label_set.to_coco(member, segmentation="rle", on_loss="ignore")
            else:
                label_set.to_hasty_json(member)


_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\:]")
_LONGEST = 245
"""The most bytes of a name in an archive: file systems have 255, and a suffix may come behind it."""


def _fitting(name: str) -> str:
    """Return a name that can be that of a file or folder anywhere; one that cannot is cut and told apart by a hash.

    Examples
    --------
    >>> _fitting("train"), _fitting("../a/b.png"), len(_fitting("x" * 300 + ".png"))
    ('train', '.._a_b~d0f45b4d.png', 245)
    """
    fit = _UNFIT.sub("_", name).strip() or "_"
    if fit == name and fit not in {".", ".."} and len(fit.encode()) <= _LONGEST:
        return name
    suffix = PurePosixPath(fit).suffix
    suffix = suffix if len(suffix.encode()) <= 20 else ""
    end = f"~{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}{suffix}"
    stem = fit.removesuffix(suffix).encode()[: _LONGEST - len(end.encode())].decode(errors="ignore").rstrip()
    return f"{stem}{end}"


def _write_images(job: Job, images: list[Record], file: IO[bytes], context: Context) -> None:
    meta, step = decoded(job.record)["meta"], -(-len(images) // 50)
    # Photographs do not get smaller by being compressed once more.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number, image in enumerate(images, 1):
            job.check()
            with context.files.picture_of(image) as path:
                archive.write(path, f"{_fitting(image['dataset_name'])}/{_fitting(image['name'])}")
            if number % step == 0:
                job.update(meta={**meta, "progress": 10 + 90 * number // len(images)})


def _label_set(
    store: Store, project: Record, images: list[Record], body: ExportBody, context: Context, base_url: str
) -> LabelSet:
    """Read what is exported as frames."""
    import pandas as pd

    from hastyframe.io import LabelSet

    project_id = project["id"]
    image_ids = [image["id"] for image in images]
    everything = {"project_id": project_id}
    found: dict[Any, list[Record]] = {
        Image: [_addressed(image, body, context, base_url) for image in images],
        Label: store.all(Label, {"image_id": image_ids}),
        Tag: store.all(Tag, {"image_id": image_ids}),
    }
    found |= {entity: store.all(entity, everything) for entity in (LabelClass, Attribute)}
    found[LabelAttribute] = store.all(LabelAttribute, {"label_id": [label["id"] for label in found[Label]]})
    found = {entity: decoded(records) for entity, records in found.items()}
    _say_values(found[LabelAttribute], found[Attribute])
    names = {
        Image: {"dataset_name": _names(store.all(Dataset, everything), pd)},
        Label: {"class_name": _names(found[LabelClass], pd)},
        LabelAttribute: {"attribute_name": _names(found[Attribute], pd)},
    }
    from hastyframe.frames import from_records

    made = {entity: from_records(entity, records, names.get(entity)) for entity, records in found.items()}
    if body.format == "semantic_png":  # whose files are called like the images
        columns = {column: made[Image][column].astype("str").map(_fitting) for column in ("dataset_name", "name")}
        made[Image] = made[Image].assign(**columns)
    return LabelSet(
        made[Image],
        made[Label],
        made[LabelClass],
        attributes=made[Attribute],
        label_attributes=made[LabelAttribute],
        tags=made[Tag],
        info={"project_name": project["name"]},
    )


def _addressed(image: Record, body: ExportBody, context: Context, base_url: str) -> Record:
    """Add the signed address of an image where that is wanted; the address of one that is elsewhere stays."""
    if body.sign_urls and image["media_type"] is not None:
        signed = context.signer.sign(f"/storage/images/{image['id']}", SIGNED_SECONDS)
        return {**image, "public_url": base_url + signed}
    return image


def _say_values(values: list[Record], attributes: list[Record]) -> None:
    """Put the texts of selections in the place of their ids."""
    texts = {value["id"]: value["value"] for attribute in attributes for value in attribute["values"]}
    selections = {attribute["id"] for attribute in attributes if attribute["type"].endswith("SELECTION")}
    for record in values:
        value = record["value"]
        if record["attribute_id"] in selections:
            record["value"] = [texts[id_] for id_ in value] if isinstance(value, list) else texts[value]


def _names(records: list[Record], pd: Any) -> Any:
    return pd.Series([r["name"] for r in records], index=pd.Index([r["id"] for r in records], dtype="str"), dtype="str")
