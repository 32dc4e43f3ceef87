"""What requests must look like: one class a body, one a query.

Numbers are numbers and texts are texts, nothing is converted; keys that are not listed are ignored. What is wrong is
said with the place where it stands, as ``[3].bbox: x_max 5 must be greater than x_min 7``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import ValidationError as PydanticError
from pydantic.json_schema import WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hastyframe.entities import (
    ATTRIBUTE_TYPES,
    BATCH_LIMIT,
    CLASS_TYPES,
    EXPORT_FORMATS,
    LABELS_ORDER,
    SEMANTIC_FORMATS,
    STATUSES,
    SUBJECT_TYPES,
)

__all__ = [
    "AttributeBody",
    "AttributeClass",
    "AttributePrediction",
    "AutomatedLabeling",
    "Batch",
    "Body",
    "DatasetBody",
    "Detection",
    "ExportBody",
    "Images",
    "LabelClassBody",
    "LabelEdit",
    "LabelId",
    "LabelValue",
    "Many",
    "NewImage",
    "NewLabel",
    "Paging",
    "PatchImage",
    "ProjectBody",
    "Segmentation",
    "StatusBody",
    "TagClassBody",
    "TagDelete",
    "TagNew",
    "UploadsBody",
    "UploadsQuery",
    "check_box",
    "check_mask",
    "problems",
]

INT32 = 2**31 - 1
"""The farthest coordinate and run: what Arrow lists of int32 hold."""


def problems(error: PydanticError, most: int = 3) -> str:
    """Say what is wrong and where, in one line."""
    found = error.errors(include_url=False, include_input=False)
    lines = [f"{_place(e['loc'])}{e['msg']}" for e in found[:most]]
    rest = len(found) - most
    return "; ".join(lines) + (f"; and {rest} more" if rest > 0 else "")


def _place(location: Iterable[int | str]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return f"{place}: " if place else ""


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{message}", {"message": message})


# Pieces ---------------------------------------------------------------------------------------------------------------


class _OneOf:
    """One of the texts that a declaration lists."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.values = values

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))


_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")


def _file_name(name: str) -> str:
    """Accept what is the name of a file and nothing but a name, on any system."""
    if found := _FORBIDDEN.search(name):
        raise _wrong(f"a file name cannot hold {found.group()!r}")
    if name in {".", ".."} or PurePosixPath(name).name != name:
        raise _wrong(f"{name!r} is not a file name")
    if len(name.encode()) > 255:
        raise _wrong("a file name has at most 255 bytes")
    return name


def check_box(box: Sequence[float]) -> list[int]:
    """Return a box in whole numbers, or say what is wrong with it."""
    whole = []
    for name, value in zip(("x_min", "y_min", "x_max", "y_max"), box, strict=True):
        if value != int(value) or abs(value) > INT32:
            raise _wrong(f"{name} {value:g} must be a whole number of pixels")
        whole.append(int(value))
    for name, low, high in (("x", whole[0], whole[2]), ("y", whole[1], whole[3])):
        if high <= low:
            raise _wrong(f"{name}_max {high} must be greater than {name}_min {low}")
    return whole


def check_mask(mask: list[int], box: Sequence[int] | None) -> list[int]:
    """Return run-lengths that are in order and inside the box, or say why they are not."""
    if box is None:
        raise _wrong("a mask needs a bbox: its runs count inside the box")
    if len(mask) % 2:
        raise _wrong(f"runs are pairs of start and length, these are {len(mask)} numbers")
    free = 1
    for start, length in zip(mask[::2], mask[1::2], strict=True):
        if start < free:
            raise _wrong(f"start {start} must be at least {free}: runs count from 1, in order, without overlap")
        if length < 1:
            raise _wrong(f"length {length} of the run from {start} must be at least 1")
        free = start + length
    area = (box[2] - box[0]) * (box[3] - box[1])
    if free - 1 > area:
        raise _wrong(f"the last run ends at {free - 1}, behind the {area} pixels of the bbox")
    return mask


def _base_name(url: str | None) -> str:
    """Return the name of the file at an address, or say why it has none."""
    name = unquote(urlsplit(url or "").path).rpartition("/")[2]
    if not name:
        raise _wrong("filename: it is missing, and there is no url that ends in one")
    return _file_name(name)


def _storable(value: Any) -> Any:
    """Refuse what is nested more deeply than it can be written."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise _wrong("it is nested too deeply") from None
    return value


def _commas(text: Any) -> Any:
    """Read ``a,b`` as a list; an empty text is no filter."""
    return [part for part in text.split(",") if part] if isinstance(text, str) else text


Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Order: TypeAlias = Annotated[float, Field(ge=-(2**53), le=2**53)]
"""A place in an order, of as many digits as every reader of numbers keeps."""
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=255)]
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_file_name)]
Text: TypeAlias = Annotated[str, Field(max_length=10_000)]
Id: TypeAlias = Annotated[str, Field(max_length=255)]
Address: TypeAlias = Annotated[str, Field(max_length=4_000, pattern=r"^https?://[^/\s]+\S*$")]
Unit: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Color: TypeAlias = Annotated[str, Field(pattern=r"^#([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$")]
Box: TypeAlias = Annotated[
    list[Finite],
    Field(min_length=4, max_length=4),
    AfterValidator(check_box),
    WithJsonSchema({"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}),
]
Vertex: TypeAlias = Annotated[list[Finite], Field(min_length=2, max_length=2)]
# Of millions of wrong numbers the first says enough; an error for each of them would take minutes and gigabytes.
Polygon: TypeAlias = Annotated[list[Vertex], Field(min_length=3, fail_fast=True)]
Runs: TypeAlias = Annotated[list[Annotated[int, Field(ge=0, le=INT32)]], Field(fail_fast=True)]
Commas = BeforeValidator(_commas)

Status: TypeAlias = Annotated[str, _OneOf(STATUSES)]


def Batch(item: Any) -> Any:  # noqa: N802 (it makes a type)
    """Return the type of a list of at most as many things as go into one request."""
    return Annotated[list[item], Field(max_length=BATCH_LIMIT)]


def Many(item: Any) -> Any:  # noqa: N802 (it makes a type)
    """Return the type of a list that is long and not endless."""
    return Annotated[list[item], Field(max_length=10_000)]


class Body(BaseModel):
    """The parent of all bodies: nothing is converted, other keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    def given(self, *leave_if_null: str) -> dict[str, Any]:
        """Return what was sent; where one of `leave_if_null` is null, it counts as not sent."""
        values = self.model_dump(exclude_unset=True)
        return {k: v for k, v in values.items() if not (v is None and k in leave_if_null)}


class Query(BaseModel):
    """The parent of all queries: texts that are read as what they should be."""

    model_config = ConfigDict(extra="ignore")


# Queries --------------------------------------------------------------------------------------------------------------


class Paging(Query):
    """Which part of a list."""

    offset: Annotated[int, Field(ge=0, le=2**53)] = 0
    limit: Annotated[int, Field(ge=0, le=2**53)] = 100


class Images(Paging):
    """Which images."""

    dataset_id: Annotated[list[str], Commas] = []
    image_status: Annotated[list[Status], Commas] = []


class UploadsQuery(Query):
    """How many addresses to upload to."""

    count: Annotated[int, Field(ge=1, le=1_000)] = 1


# Bodies ---------------------------------------------------------------------------------------------------------------


class ProjectBody(Body):
    """A project; `workspace_id` counts for a new one only."""

    name: Name
    description: Text | None = None
    workspace_id: Id | None = None
    content_type: Literal["IMAGES"] = "IMAGES"


class DatasetBody(Body):
    """A dataset."""

    name: Name
    norder: Order | None = None


class LabelClassBody(Body):
    """A label class."""

    name: Name
    color: Color | None = None
    type: Annotated[str, _OneOf(CLASS_TYPES)] | None = None
    norder: Order | None = None
    external_id: Text | None = None


class TagClassBody(Body):
    """A tag class."""

    name: Name
    norder: Order | None = None


class AttributeValue(Body):
    """One value that a selection can have."""

    value: Name


class AttributeBody(Body):
    """An attribute."""

    name: Name
    type: Annotated[str, _OneOf(ATTRIBUTE_TYPES)]
    subject_type: Annotated[str, _OneOf(SUBJECT_TYPES)] | None = None
    description: Text | None = None
    norder: Order | None = None
    values: Annotated[list[AttributeValue], Field(max_length=10_000)] | None = None

    @field_validator("values")
    @classmethod
    def _values_fit(cls, values: list[AttributeValue] | None, info: ValidationInfo) -> list[AttributeValue] | None:
        if values and not str(info.data.get("type", "SELECTION")).endswith("SELECTION"):
            raise _wrong(f"only selections have values, this is of type {info.data['type']}")
        texts = [v.value for v in values or ()]
        if len(set(texts)) < len(texts):
            raise _wrong("the same value stands there twice")
        return values


class AttributeClass(Body):
    """That labels of a class have an attribute."""

    attribute_id: Id
    class_id: Id
    attribute_order: Order | None = None
    class_order: Order | None = None


class UploadsBody(Body):
    """How many addresses to upload to."""

    count: Annotated[int, Field(ge=1, le=1_000)] = 1


class NewImage(Body):
    """A new image, from uploaded bytes or from an address, which tells a name as well."""

    dataset_id: Id
    filename: FileName | None = None
    external_id: Text | None = None
    upload_id: Id | None = None
    url: Address | None = None
    copy_original: bool | None = None
    bucket_id: Id | None = None

    @model_validator(mode="after")
    def _has_name(self) -> NewImage:
        if self.filename is None:
            self.filename = _base_name(self.url)
        return self


class PatchImage(Body):
    """A new name or another dataset for an image."""

    filename: FileName | None = None
    dataset_id: Id | None = None


class StatusBody(Body):
    """The status of an image."""

    status: Status


class LabelBody(Body):
    """A label; what is checked against something else stands behind it."""

    bbox: Box | None = None
    keypoints: Annotated[list[Any] | dict[str, Any] | None, AfterValidator(_storable)] = None
    polygon: Annotated[Polygon | None, Field(validate_default=True)] = None
    mask: Runs | None = None
    z_index: Order | None = None
    external_id: Text | None = None

    @field_validator("mask")
    @classmethod
    def _mask_fits(cls, mask: list[int] | None, info: ValidationInfo) -> list[int] | None:
        return mask if mask is None or "bbox" not in info.data else check_mask(mask, info.data["bbox"])


class NewLabel(LabelBody):
    """A new label."""

    class_id: Id

    @field_validator("polygon")
    @classmethod
    def _has_geometry(cls, polygon: list[Any] | None, info: ValidationInfo) -> list[Any] | None:
        if polygon is None and info.data.get("bbox", ()) is None and info.data.get("keypoints", ()) is None:
            raise _wrong("a label needs a bbox or a polygon")
        return polygon


class LabelEdit(LabelBody):
    """What a label becomes: box, polygon and mask are replaced, of the rest what is sent."""

    label_id: Id
    class_id: Id | None = None


class LabelId(Body):
    """A label to delete."""

    id: Id


class LabelValue(Body):
    """The value of an attribute; null takes it away."""

    value: Any


class TagNew(Body):
    """A tag for an image."""

    tag_class_id: Id


class TagDelete(Body):
    """A tag to take away, by its own id or by its class."""

    tag_id: Id | None = None
    tag_class_id: Annotated[Id | None, Field(validate_default=True)] = None

    @field_validator("tag_class_id")
    @classmethod
    def _names_a_tag(cls, tag_class_id: str | None, info: ValidationInfo) -> str | None:
        if tag_class_id is None and info.data.get("tag_id", ()) is None:
            raise _wrong("give a tag_id or a tag_class_id")
        return tag_class_id


class ExportBody(Body):
    """What to export, and how."""

    export_name: FileName
    format: Annotated[str, _OneOf(EXPORT_FORMATS)]
    dataset_id: Annotated[list[Id], Field(max_length=10_000)] | None = None
    image_status: Annotated[list[Status], Field(max_length=100)] | None = None
    sign_urls: bool | None = None
    semantic_format: Annotated[str, _OneOf(SEMANTIC_FORMATS)] | None = None
    labels_order: Annotated[list[Annotated[str, _OneOf(LABELS_ORDER)]], Field(max_length=10)] | None = None


class Picture(Body):
    """The picture that a model looks at."""

    upload_id: Id | None = None
    image_url: Annotated[Address | None, Field(validate_default=True)] = None
    model_id: Id | None = None

    @field_validator("image_url")
    @classmethod
    def _names_a_picture(cls, image_url: str | None, info: ValidationInfo) -> str | None:
        if image_url is None and info.data.get("upload_id", ()) is None:
            raise _wrong("give an image_url or an upload_id")
        return image_url


class Detection(Picture):
    """How to detect objects or segment instances."""

    confidence_threshold: Unit = 0.5
    max_detections_per_image: Count = 100


class Segmentation(Picture):
    """How to segment semantically."""

    min_size: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0


class AttributePrediction(Picture):
    """What to predict attributes of."""

    bboxes: Annotated[list[Box], Field(max_length=1_000)]
    confidence_threshold: Unit = 0.5


class AutomatedLabeling(Body):
    """How to label images automatically; `num_images` 0 means all."""

    experiment_id: Id
    confidence_threshold: Unit = 0.8
    max_detections_per_image: Count = 100
    num_images: Count = 0
    masker_threshold: Unit = 0.5
    dataset_id: Id | None = None
