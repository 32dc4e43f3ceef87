"""What the API knows (projects, images, labels, ...), each declared once.

A declaration is a class whose attributes are :class:`Field` objects. It is the only place that lists the fields of a
thing: the columns of its frames, the properties of its handle, the mapping to and from JSON, and the table in the
documentation are all read from it. Nothing here knows about HTTP or pandas.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

__all__ = [
    "ATTRIBUTE_TYPES",
    "BATCH_LIMIT",
    "CLASS_TYPES",
    "ENTITIES",
    "EXPORT_FORMATS",
    "LABELS_ORDER",
    "SEMANTIC_FORMATS",
    "STATUSES",
    "SUBJECT_TYPES",
    "Attribute",
    "AutomatedLabelingJob",
    "Dataset",
    "Entity",
    "ExportJob",
    "Field",
    "Image",
    "Job",
    "Kind",
    "Label",
    "LabelAttribute",
    "LabelClass",
    "Model",
    "Prediction",
    "Project",
    "Tag",
    "TagClass",
    "Workspace",
]

STATUSES = ("NEW", "DONE", "SKIPPED", "IN PROGRESS", "TO REVIEW", "AUTO-LABELLED", "COMPLETED")
ATTRIBUTE_TYPES = ("SELECTION", "MULTIPLE-SELECTION", "TEXT", "INT", "FLOAT", "BOOL")
SUBJECT_TYPES = ("LABEL", "IMAGE", "VIDEO", "SEGMENT")
CLASS_TYPES = ("object", "background")
EXPORT_FORMATS = ("json_v1.1", "semantic_png", "json_coco", "images")
SEMANTIC_FORMATS = ("gs_desc", "gs_asc", "class_color")
LABELS_ORDER = ("z_index", "class_type", "class_order")

BATCH_LIMIT = 100
"""The most labels or tags that the API takes in one request."""

T = TypeVar("T")


class Kind(enum.Enum):
    """What a field holds, and so how it stands in a frame."""

    TEXT = "text"
    """A string column."""
    INTEGER = "integer"
    """A column of whole numbers that may be missing (Int64)."""
    NUMBER = "number"
    """A float64 column."""
    CATEGORY = "category"
    """A category column that knows every value there is."""
    BOX = "box"
    """``[x_min, y_min, x_max, y_max]`` in JSON, four float64 columns in a frame."""
    POLYGON = "polygon"
    """A ring of ``[x, y]``: an Arrow list of fixed-size lists of two doubles."""
    MASK = "mask"
    """Run-lengths inside the box: an Arrow list of int32."""
    VALUES = "values"
    """The values of a selection: an Arrow list of ``{id, value}``."""
    ANY = "any"
    """Whatever JSON holds, as Python objects."""


class Field(Generic[T]):
    """One field of an entity; on an instance, a read-only property.

    Parameters
    ----------
    kind : Kind
        What it holds.
    doc : str
        One line for people.
    key : str, optional
        Its name in JSON, where it differs from the documented name.
    in_frame : bool
        Whether frames of the entity have a column of it.
    derived : bool
        Whether it is only a column of frames, looked up from another field, and not part of the thing's JSON.
    required : bool
        Whether every answer that is such a thing has it.
    """

    name: str

    def __init__(
        self,
        kind: Kind,
        doc: str,
        *,
        key: str | None = None,
        in_frame: bool = True,
        derived: bool = False,
        required: bool = False,
    ) -> None:
        self.kind = kind
        self.key = key or ""
        self.in_frame = in_frame
        self.derived = derived
        self.required = required
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = self.key or name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Entity, owner: type) -> T: ...
    def __get__(self, instance: Entity | None, owner: type) -> Self | T:
        if instance is None:
            return self
        if self.derived:
            raise AttributeError(f"{self.name!r} is a column of frames; {owner.__name__} objects do not have it")
        value: T = instance._data.get(self.key)  # type: ignore[assignment]
        return value

    def __set__(self, instance: Entity, value: T) -> None:
        raise AttributeError(f"{self.name!r} cannot be assigned; use the methods of {type(instance).__name__}")

    def __repr__(self) -> str:
        return f"<Field {self.name}: {self.kind.value}>"


class Entity:
    """A thing the API knows: its JSON, with the declared fields as properties.

    Attributes
    ----------
    path : str
        Where lists of it are, below the base address.
    id_name : str
        What its id is called in the frames of other things, and what the index of its own frame is called.
    found_by : str
        The call that lists it: what to look with after a request that may have created it. Empty if there is none.
    """

    path: ClassVar[str]
    id_name: ClassVar[str]
    plural: ClassVar[str]
    found_by: ClassVar[str] = ""

    _fields: ClassVar[dict[str, Field[Any]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = {
            name: value
            for base in reversed(cls.__mro__)
            for name, value in vars(base).items()
            if isinstance(value, Field)
        }

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = dict(data)

    @classmethod
    def fields(cls) -> dict[str, Field[Any]]:
        """Return the declared fields by name, in their order."""
        return cls._fields

    @classmethod
    def noun(cls) -> str:
        """Return what one is called in a sentence.

        Examples
        --------
        >>> from hastyframe.entities import LabelClass
        >>> LabelClass.noun()
        'label class'
        """
        declared = next(base for base in cls.__mro__ if base.__module__ == __name__)
        return re.sub("(?=[A-Z])", " ", declared.__name__).strip().lower()

    def __repr__(self) -> str:
        shown = ((name, self._data.get(field.key)) for name, field in self.fields().items() if not field.derived)
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in shown if v is not None)})"


class Workspace(Entity):
    """A workspace: what projects belong to."""

    path = "/v1/workspaces"
    id_name = "workspace_id"
    plural = "workspaces"
    found_by = "client.get_workspaces()"

    id = Field[str](Kind.TEXT, "Id of the workspace.", required=True)
    name = Field[str](Kind.TEXT, "Name of the workspace.", required=True)


class Project(Entity):
    """A project: datasets of images with labels."""

    path = "/v1/projects"
    id_name = "project_id"
    plural = "projects"
    found_by = "client.get_projects()"

    id = Field[str](Kind.TEXT, "Id of the project.", required=True)
    name = Field[str](Kind.TEXT, "Name of the project.", required=True)
    description = Field[str | None](Kind.TEXT, "What the project is about.")
    workspace_id = Field[str](Kind.TEXT, "Id of the workspace it belongs to.")
    content_type = Field[str](Kind.TEXT, "`IMAGES` or `VIDEOS`.")


class Dataset(Entity):
    """A dataset: a folder of images in a project."""

    path = "/v1/projects/{project_id}/datasets"
    id_name = "dataset_id"
    plural = "datasets"
    found_by = "project.get_datasets()"

    id = Field[str](Kind.TEXT, "Id of the dataset.", required=True)
    name = Field[str](Kind.TEXT, "Name of the dataset.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    norder = Field[float](Kind.NUMBER, "Its place in lists.")


class Image(Entity):
    """An image of a dataset."""

    path = "/v1/projects/{project_id}/images"
    id_name = "image_id"
    plural = "images"
    found_by = "project.get_images()"

    id = Field[str](Kind.TEXT, "Id of the image.", required=True)
    name = Field[str](Kind.TEXT, "File name, unique in its dataset.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    dataset_id = Field[str](Kind.TEXT, "Id of the dataset it is in.", required=True)
    dataset_name = Field[str](Kind.CATEGORY, "Name of the dataset it is in.")
    width = Field[int](Kind.INTEGER, "Width in pixels.")
    height = Field[int](Kind.INTEGER, "Height in pixels.")
    status = Field[str](Kind.CATEGORY, "Where it stands: `NEW`, `DONE`, `TO REVIEW`, ...")
    public_url = Field[str | None](Kind.TEXT, "Address of its bytes.")
    external_id = Field[str | None](Kind.TEXT, "Its id in a system of your own.")


class LabelClass(Entity):
    """A class that labels can have."""

    path = "/v1/projects/{project_id}/label_classes"
    id_name = "class_id"
    plural = "label_classes"
    found_by = "project.get_label_classes()"

    id = Field[str](Kind.TEXT, "Id of the label class.", required=True)
    name = Field[str](Kind.TEXT, "Name of the label class.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    color = Field[str | None](Kind.TEXT, "Its colour as `#rrggbbaa`.")
    class_type = Field[str](Kind.TEXT, "`object` or `background`.", key="type", required=True)
    norder = Field[float](Kind.NUMBER, "Its place in lists.")
    external_id = Field[str | None](Kind.TEXT, "Its id in a system of your own.")


class TagClass(Entity):
    """A tag that images can have."""

    path = "/v1/projects/{project_id}/tag_classes"
    id_name = "tag_class_id"
    plural = "tag_classes"
    found_by = "project.get_tag_classes()"

    id = Field[str](Kind.TEXT, "Id of the tag class.", required=True)
    name = Field[str](Kind.TEXT, "Name of the tag class.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    norder = Field[float](Kind.NUMBER, "Its place in lists.")


class Attribute(Entity):
    """An attribute that labels can have values of."""

    path = "/v1/projects/{project_id}/attributes"
    id_name = "attribute_id"
    plural = "attributes"
    found_by = "project.get_attributes()"

    id = Field[str](Kind.TEXT, "Id of the attribute.", required=True)
    name = Field[str](Kind.TEXT, "Name of the attribute.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    attribute_type = Field[str](
        Kind.TEXT, "`SELECTION`, `MULTIPLE-SELECTION`, `TEXT`, `INT`, ...", key="type", required=True
    )
    subject_type = Field[str](Kind.TEXT, "What it describes: `LABEL`, `IMAGE`, `VIDEO` or `SEGMENT`.")
    description = Field[str | None](Kind.TEXT, "What it means.")
    norder = Field[float](Kind.NUMBER, "Its place in lists.")
    values = Field[list[dict[str, str]]](Kind.VALUES, "What a selection can be: `{id, value}` each.")


class Label(Entity):
    """A label: a box, a polygon or a mask of one class on one image."""

    path = "/v1/projects/{project_id}/images/{image_id}/labels"
    id_name = "label_id"
    plural = "labels"
    found_by = "image.get_labels()"

    id = Field[str](Kind.TEXT, "Id of the label.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.", in_frame=False)
    image_id = Field[str](Kind.TEXT, "Id of the image it is on.")
    class_id = Field[str](Kind.TEXT, "Id of its class.", required=True)
    class_name = Field[str](Kind.CATEGORY, "Name of its class.", derived=True)
    bbox = Field[list[int] | None](Kind.BOX, "`[x_min, y_min, x_max, y_max]` in pixels, the maxima exclusive.")
    polygon = Field[list[list[float]] | None](Kind.POLYGON, "Vertices `[x, y]` of one ring.")
    mask = Field[list[int] | None](Kind.MASK, "Run-lengths `[start, length, ...]` inside the box, from 1, row by row.")
    z_index = Field[float | None](Kind.NUMBER, "A greater value lies in front.")
    external_id = Field[str | None](Kind.TEXT, "Its id in a system of your own.")


class LabelAttribute(Entity):
    """The value that a label has of an attribute."""

    path = "/v1/projects/{project_id}/labels/{label_id}/attributes"
    id_name = "label_attribute_id"
    plural = "label_attributes"
    found_by = "label.get_attributes()"

    id = Field[str](Kind.TEXT, "Id of the value.", required=True)
    label_id = Field[str](Kind.TEXT, "Id of the label.")
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.", in_frame=False)
    attribute_id = Field[str](Kind.TEXT, "Id of the attribute.")
    attribute_name = Field[str](Kind.CATEGORY, "Name of the attribute.", derived=True)
    value = Field[Any](Kind.ANY, "The value; of a selection, in frames its text, else the id of the chosen value.")


class Tag(Entity):
    """A tag on an image."""

    path = "/v1/projects/{project_id}/images/{image_id}/tags"
    id_name = "tag_id"
    plural = "tags"
    found_by = "image.get_tags()"

    id = Field[str](Kind.TEXT, "Id of the tag.", required=True)
    image_id = Field[str](Kind.TEXT, "Id of the image it is on.")
    tag_class_id = Field[str](Kind.TEXT, "Id of its tag class.")
    tag_class_name = Field[str](Kind.CATEGORY, "Name of its tag class.")
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.", in_frame=False)


class Prediction(Entity):
    """What a model sees on an image: a label that is not stored, with a score."""

    id_name = "prediction_id"
    plural = "predictions"

    image_id = Field[str | None](Kind.TEXT, "Id of the image; missing for a file that is not in the project.")
    image_name = Field[str](Kind.TEXT, "File name of the picture.")
    class_id = Field[str](Kind.TEXT, "Id of the class.", required=True)
    class_name = Field[str](Kind.CATEGORY, "Name of the class.", derived=True)
    bbox = Field[list[int] | None](Kind.BOX, "`[x_min, y_min, x_max, y_max]` in pixels, the maxima exclusive.")
    polygon = Field[list[list[float]] | None](Kind.POLYGON, "Vertices `[x, y]` of one ring.")
    mask = Field[list[int] | None](Kind.MASK, "Run-lengths `[start, length, ...]` inside the box, from 1, row by row.")
    score = Field[float | None](Kind.NUMBER, "How sure the model is, 0 to 1; missing where it does not say.")


class Job(Entity):
    """Something that runs on the server."""

    id = Field[str](Kind.TEXT, "Id of the job.", required=True)
    status = Field[str](
        Kind.TEXT, "`DONE` when there is a result; `FAILED` and `CANCELED` are ends as well.", required=True
    )
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")
    started_on = Field[str | None](Kind.TEXT, "When it started.")
    completed_on = Field[str | None](Kind.TEXT, "When it ended.")


class ExportJob(Job):
    """An export: ends with an archive to download."""

    path = "/v1/projects/{project_id}/exports"
    id_name = "export_id"
    plural = "exports"

    meta = Field[dict[str, Any] | None](Kind.ANY, "`url` and `export_name` once it is done.")


class AutomatedLabelingJob(Job):
    """A run of a model over images that stores what it sees as labels."""

    path = "/v1/projects/{project_id}/automated_labeling"
    id_name = "job_id"
    plural = "automated_labeling_jobs"
    found_by = "project.get_automated_labeling_jobs()"

    progress = Field[float | None](Kind.NUMBER, "How much of it is done, in percent.")
    experiment_id = Field[str](Kind.TEXT, "Id of the experiment whose model it uses.")


class Model(Entity):
    """A trained model of a project."""

    id_name = "model_id"
    plural = "models"

    model_id = Field[str](Kind.TEXT, "Id of the model.")
    status = Field[str](Kind.TEXT, "`LOADED` when it can predict; asking is what loads it.", required=True)
    project_id = Field[str](Kind.TEXT, "Id of the project it belongs to.")


ENTITIES: tuple[type[Entity], ...] = (
    Workspace,
    Project,
    Dataset,
    Image,
    LabelClass,
    TagClass,
    Attribute,
    Label,
    LabelAttribute,
    Tag,
    Prediction,
    ExportJob,
    AutomatedLabelingJob,
)
"""Every entity that has frames."""
