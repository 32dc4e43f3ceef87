"""Images and their bytes: addresses to upload to, new images, filters, renames, and downloads."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from hastyframe.entities import Dataset, Image, Project

from .bodies import Images, NewImage, PatchImage, StatusBody, UploadsBody, UploadsQuery
from .files import UPLOAD_LIMIT, Size, read_size
from .http import Call, Refusal, Routes, answer
from .resources import listing
from .schemas import items_of, one, page_of, record
from .store import Record, new_id

__all__ = ["public", "routes"]

routes = Routes()

_ITEM = Image.path + "/{image_id}"
_PROJECT = Project.path + "/{project_id}"
_UPLOADS = items_of(record(id={"type": "string"}, url={"type": "string"}))


def public(call: Call, image: Record) -> Record:
    """Return an image as clients see it: with the address of its bytes, without what is the server's own."""
    media_type = image.pop("media_type")
    if media_type is not None:
        image["public_url"] = call.base_url + call.context.signer.sign(f"/storage/images/{image['id']}")
    return image


# Bytes ----------------------------------------------------------------------------------------------------------------


@routes.add("GET", _PROJECT + "/uploads", query=UploadsQuery, answer=_UPLOADS)
def list_uploads(call: Call) -> Any:
    """Get signed addresses to upload pictures to."""
    return _uploads(call, call.query.count)


@routes.add("POST", _PROJECT + "/image_uploads", body=UploadsBody, answer=_UPLOADS, status=201)
def create_uploads(call: Call) -> Any:
    """Get signed addresses to upload pictures to, the older way."""
    return _uploads(call, call.body.count)


def _uploads(call: Call, count: int) -> Any:
    project, context = call.find(Project), call.context
    ids = [new_id() for _ in range(count)]
    paths = [f"/storage/uploads/{project['id']}/{id_}" for id_ in ids]
    urls = [call.base_url + context.signer.sign(path, context.upload_lifetime) for path in paths]
    return {"items": [{"id": id_, "url": url} for id_, url in zip(ids, urls, strict=True)]}


@routes.add(
    "PUT", "/storage/uploads/{project_id}/{upload_id}", public=True, answer=record(), errors=(403, 408, 413, 415)
)
async def put_upload(call: Call) -> Response:
    """Upload the bytes of a picture to a signed address."""
    project_id, upload_id = call.path["project_id"], call.path["upload_id"]
    call.context.signer.check(f"/storage/uploads/{project_id}/{upload_id}", call.parameters)
    await call.context.files.receive(call.stream(UPLOAD_LIMIT), call.context.files.upload(project_id, upload_id))
    return answer({})


@routes.add("GET", "/storage/images/{image_id}", public=True, errors=(403,))
async def get_bytes(call: Call) -> Response:
    """Download the bytes of an image from its signed address."""
    call.context.signer.check(f"/storage/images/{call.path['image_id']}", call.parameters)
    image = call.context.store.get(Image, {"id": call.path["image_id"]})
    if image is None or image["media_type"] is None:
        raise Refusal(404, "the image was deleted")
    path = call.context.files.image(image["project_id"], image["id"])
    if not path.is_file():
        raise Refusal(404, "the bytes of the image are gone")
    return FileResponse(path, media_type=image["media_type"], headers={"X-Content-Type-Options": "nosniff"})


# Images ---------------------------------------------------------------------------------------------------------------


@routes.add("GET", Image.path, query=Images, answer=page_of(Image))
def list_images(call: Call) -> Any:
    """List images, by dataset and status where asked for."""
    where: Record = {"project_id": call.find(Project)["id"]}
    if call.query.dataset_id:
        check_datasets(call, call.query.dataset_id)
        where = {"dataset_id": call.query.dataset_id}  # says which project as well
    if call.query.image_status:
        where["status"] = call.query.image_status
    page = listing(call, Image, where)
    return {**page, "items": [public(call, image) for image in page["items"]]}


def check_datasets(call: Call, ids: list[str]) -> None:
    """Refuse ids that are not of datasets of the project."""
    known = call.context.store.ids(Dataset, {"project_id": call.path["project_id"], "id": ids})
    for id_ in ids:
        if id_ not in known:
            raise Refusal(400, f"dataset_id: there is no dataset {id_!r} in this project")


@routes.add("POST", Image.path, body=NewImage, answer=one(Image), status=201, errors=(429,))
async def create_image(call: Call) -> Response:
    """Create an image from uploaded bytes or from an address."""
    body, store = call.body, call.context.store
    if body.bucket_id is not None:
        raise Refusal(400, "bucket_id: this server has no buckets; upload the picture or give its url")
    if (body.upload_id is None) == (body.url is None):
        raise Refusal(400, "upload_id: give either an upload_id or a url")
    with store.transaction(write=False):
        _check_place(call, body.dataset_id, body.filename)
    # Reading a picture takes a while, fetching one takes longer: others are answered meanwhile.
    id_ = new_id()
    if body.upload_id is not None:
        size = await run_in_threadpool(_take_upload, call, id_)
    else:
        size = await call.context.fetching.run(_fetch, call, id_)
    image = {
        "id": id_,
        "name": body.filename,
        "project_id": call.path["project_id"],
        "dataset_id": body.dataset_id,
        "width": size.width,
        "height": size.height,
        "status": "NEW",
        "public_url": None if _copied(body) else body.url,
        "media_type": size.media_type if _copied(body) else None,
        "external_id": body.external_id,
    }
    try:
        with store.transaction():
            _check_place(call, body.dataset_id, body.filename)
            response = answer(public(call, store.insert(Image, image)), 201)
    except BaseException:
        call.context.files.remove_images(image["project_id"], [id_])
        raise
    if body.upload_id is not None:
        call.context.files.upload(image["project_id"], body.upload_id).unlink(missing_ok=True)
    return response


def _copied(body: NewImage) -> bool:
    return body.upload_id is not None or body.copy_original is not False


def _take_upload(call: Call, image_id: str) -> Size:
    """Read the size of the new picture, and keep its bytes."""
    body, files, project_id = call.body, call.context.files, call.path["project_id"]
    path = files.uploaded(project_id, body.upload_id)
    size = read_size(path, body.filename)
    files.keep(path, project_id, image_id)
    return size


def _fetch(call: Call, image_id: str) -> Size:
    """Fetch the new picture, and keep its bytes unless only its address is wanted."""
    body, files = call.body, call.context.files
    with files.fetched(body.url) as path:
        size = read_size(path, body.filename)
        if _copied(body):
            files.keep(path, call.path["project_id"], image_id)
        return size


def _check_place(call: Call, dataset_id: str, name: str, image_id: str | None = None) -> None:
    """Refuse a dataset that is not there, and a name that another image of it has."""
    call.find(Project)
    check_datasets(call, [dataset_id])
    there = call.context.store.get(Image, {"dataset_id": dataset_id, "name": name})
    if there is not None and there["id"] != image_id:
        raise Refusal(400, f"filename: the dataset has an image {name!r} already")


@routes.add("GET", _ITEM, answer=one(Image))
def show_image(call: Call) -> Any:
    """Show an image."""
    return public(call, call.find(Image))


@routes.add("PATCH", _ITEM, body=PatchImage, answer=one(Image))
def patch_image(call: Call) -> Any:
    """Rename an image or move it to another dataset."""
    image = call.find(Image)
    name, dataset_id = call.body.filename or image["name"], call.body.dataset_id or image["dataset_id"]
    _check_place(call, dataset_id, name, image["id"])
    call.context.store.update(Image, image["id"], {"name": name, "dataset_id": dataset_id})
    return public(call, call.find(Image))


@routes.add("PUT", _ITEM + "/status", body=StatusBody, answer=one(Image))
def set_status(call: Call) -> Any:
    """Set the status of an image."""
    call.context.store.update(Image, call.find(Image)["id"], {"status": call.body.status})
    return public(call, call.find(Image))


@routes.add("DELETE", _ITEM, status=204)
def delete_image(call: Call) -> None:
    """Delete an image with its labels and tags."""
    image = call.find(Image)
    call.context.store.delete(Image, [image["id"]])
    call.afterwards.append(lambda: call.context.files.remove_images(image["project_id"], [image["id"]]))
