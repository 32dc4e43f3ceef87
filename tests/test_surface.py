"""The documented surface: 69 methods and 82 properties, with their names, arguments and defaults, each of them used."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import re
import warnings
import zipfile

import pandas as pd
import pytest
from making import DATA

import hastyframe as hf
from hastyframe.entities import Field

NEEDED = inspect.Parameter.empty

PREDICT = "image_url=None, image_path=None, confidence_threshold=0.5, max_detections_per_image=100"

# Class -> its methods with their arguments, and its properties: facts about the client that users come from.
DOCUMENTED: dict[str, tuple[dict[str, str], str]] = {
    "Client": (
        {
            "__init__": "api_key, base_url='https://api.hasty.ai'",
            "get_workspaces": "",
            "get_projects": "",
            "get_project": "project_id",
            "create_project": "workspace, name, description=None",
        },
        "",
    ),
    "Workspace": ({}, "id name"),
    "Project": (
        {
            "edit": "name, description",
            "delete": "",
            "get_datasets": "",
            "get_dataset": "dataset_id",
            "create_dataset": "name, norder=0",
            "get_images": "dataset=None, image_status=None",
            "get_image": "image_id",
            "upload_from_file": "dataset, filepath, external_id=None",
            "upload_from_url": "dataset, filename, url, copy_original=True, external_id=None",
            "get_label_classes": "",
            "get_label_class": "label_class_id",
            "create_label_class": "name, color=None, class_type='object', norder=None, external_id=None",
            "get_tag_classes": "",
            "get_tag_class": "tag_class_id",
            "create_tag_class": "name, norder=None",
            "get_attributes": "",
            "create_attribute": "name, attribute_type, description=None, norder=None, values=None",
            "get_attribute_classes": "",
            "set_attribute_classes": "attribute_classes",
            "delete_attribute_classes": "attribute_classes",
            "export": "name, export_format, dataset=None, image_status='DONE', sign_urls=False, "
            "semantic_format='gs_asc', labels_order=None",
            "get_detector": "",
            "get_instance_segmentor": "",
            "get_semantic_segmentor": "",
            "get_attributer": "",
            "get_automated_labeling_jobs": "",
            "get_automated_labeling_job": "job_id",
            "create_automated_labeling_job": "experiment_id, confidence_threshold=0.8, max_detections_per_image=100, "
            "num_images=0, masker_threshold=0.5, dataset_id=None",
        },
        "id name description workspace_id",
    ),
    "Dataset": ({"edit": "name, norder", "delete": ""}, "id name project_id norder"),
    "Image": (
        {
            "get_labels": "",
            "create_label": "label_class, bbox=None, polygon=None, mask=None, z_index=None, external_id=None",
            "create_labels": "labels",
            "edit_labels": "labels",
            "delete_labels": "label_ids",
            "set_status": "status",
            "download": "filepath",
            "rename": "new_name",
            "move": "dataset",
            "delete": "",
            "get_tags": "",
            "add_tags": "tags",
            "delete_tags": "tags",
        },
        "id name project_id dataset_id dataset_name width height status public_url external_id",
    ),
    "LabelClass": (
        {"edit": "name, color=None, class_type='object', norder=None, external_id=None", "delete": ""},
        "id name project_id color class_type norder external_id",
    ),
    "TagClass": ({"edit": "name, norder=None", "delete": ""}, "id name project_id norder"),
    "Attribute": (
        {"edit": "name, attribute_type, description=None, norder=None, values=None", "delete": ""},
        "id name project_id attribute_type description norder values",
    ),
    "Label": (
        {
            "edit": "label_class, bbox=None, polygon=None, mask=None, z_index=None, external_id=None",
            "delete": "",
            "get_attributes": "",
            "set_attribute": "attribute, value",
        },
        "id project_id image_id class_id bbox polygon mask z_index external_id",
    ),
    "LabelAttribute": ({}, "id label_id project_id attribute_id value"),
    "Tag": ({}, "id tag_class_id project_id image_id tag_class_name"),
    "ExportJob": (
        {"check_status": "", "download": "local_folder='.'"},
        "id status project_id started_on completed_on meta",
    ),
    "AutomatedLabelingJob": (
        {"check_status": ""},
        "id status project_id progress started_on completed_on experiment_id",
    ),
    "Detector": ({"discover_model": "", "predict": PREDICT}, "model_id status project_id"),
    "InstanceSegmentor": ({"discover_model": "", "predict": PREDICT}, "model_id status project_id"),
    "SemanticSegmentor": (
        {"discover_model": "", "predict": "image_url=None, image_path=None, min_size=0.0"},
        "model_id status project_id",
    ),
    "Attributer": (
        {
            "discover_model": "",
            "predict": "image_url=None, image_path=None, bboxes=None, confidence_threshold=0.5",
        },
        "model_id status project_id",
    ),
}
METHODS = [(of, method) for of, (methods, _) in DOCUMENTED.items() for method in methods]
PROPERTIES = [(of, name) for of, (_, names) in DOCUMENTED.items() for name in names.split()]

OTHER_DEFAULTS = {
    ("Client", "__init__", "api_key"): "may come from HASTY_API_KEY",
    ("Client", "__init__", "base_url"): "may come from HASTY_BASE_URL, before the documented address",
} | {
    (of, "edit", argument): "... stands for what stays as it is, so that nothing is lost by leaving it out"
    for of in ("Project", "Dataset", "LabelClass", "TagClass", "Attribute", "Label")
    for argument in inspect.signature(getattr(hf, of).edit).parameters
    if argument not in ("self", "subject_type")
}
"""Arguments whose default is not the documented one, and why."""

MORE_ARGUMENTS = {
    ("Client", "__init__"): ["max_workers", "timeout", "progress", "limits"],
    ("Project", "create_attribute"): ["subject_type"],
    ("Attribute", "edit"): ["subject_type"],
}
"""Arguments that stand behind the documented ones."""

SINCE = {
    ("Client", "create_project"): ["content_type"],
    ("Project", "create_attribute"): ["subject_type"],
    ("Attribute", "edit"): ["subject_type"],
    ("Project", "upload_from_bucket"): None,
    ("Workspace", "create_bucket"): None,
    ("Attribute", "subject_type"): None,
}
"""What the official client has had since 0.3.6, the documented version: further arguments, or None for what is new."""


def arguments(written: str) -> dict[str, object]:
    """Read arguments with their defaults, as ``"a, b=1"``."""
    [function] = ast.parse(f"def f({written}): pass").body
    assert isinstance(function, ast.FunctionDef)
    defaults = [ast.literal_eval(value) for value in function.args.defaults]
    names = [argument.arg for argument in function.args.args]
    return dict(zip(names, [NEEDED] * (len(names) - len(defaults)) + defaults, strict=True))


def signature(function) -> dict[str, object]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "self"}


# The list itself ------------------------------------------------------------------------------------------------------


def test_there_are_69_methods_and_82_properties():
    assert len(METHODS) == 69
    assert len(PROPERTIES) == 82


def test_the_list_is_that_of_the_documentation():
    path = DATA.parent / "spec" / "hasty_python_api.txt"
    if not path.exists():
        pytest.skip("the documentation is not at hand")
    methods: dict[str, dict[str, dict[str, object]]] = {}
    properties: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if found := re.match(r"class hasty\.(\w+)\(", line):
            of = found.group(1)
            methods[of], properties[of] = {}, set()
        elif found := re.match(r"property (\w+)", line):
            properties[of].add(found.group(1))
        elif (found := re.match(r"(\w+)\((.*)\)( \w+)?$", line)) and methods:
            methods[of][found.group(1)] = arguments(found.group(2))
    assert len(methods) == 13
    for of, documented in methods.items():
        expected, names = DOCUMENTED[of]
        assert documented == {name: arguments(written) for name, written in expected.items()}, of
        undocumented = {"model_id", "status", "project_id"} if "predict" in expected else set()
        assert properties[of] == set(names.split()) - undocumented, of


def test_the_list_is_that_of_the_official_client():
    pytest.importorskip("retrying", reason="the official client is not installed")
    hasty = official()
    version = importlib.metadata.version("hasty")
    since = {} if version == "0.3.6" else SINCE
    found_methods, found_properties = [], []
    for of in DOCUMENTED:
        theirs = getattr(hasty, of)
        for name, thing in inspect.getmembers_static(theirs):
            if since.get((of, name), "") is None:
                continue
            if isinstance(thing, property):
                found_properties.append((of, name))
            if not inspect.isfunction(thing) or name == "get__repr__":
                continue
            if name.startswith("_") and (of, name) != ("Client", "__init__"):
                continue
            found_methods.append((of, name))
            more = since.get((of, name), [])
            left = {key: value for key, value in signature(thing).items() if key not in more}
            expected = arguments(DOCUMENTED[of][0][name])
            if (of, name) == ("Image", "create_label") and since:
                expected["z_index"] = 0
            assert left == expected, (of, name)
    assert sorted(found_methods) == sorted(METHODS)
    assert sorted(found_properties) == sorted(PROPERTIES)


def official():
    """Return the official client with all classes in one namespace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports what setuptools is about to drop
        import hasty
        import hasty.automated_labeling
        import hasty.export_job
        import hasty.inference
        import hasty.label_attribute
        import hasty.tag
        import hasty.workspace
    parts = (
        hasty,
        hasty.automated_labeling,
        hasty.export_job,
        hasty.inference,
        hasty.label_attribute,
        hasty.tag,
        hasty.workspace,
    )

    class Names:
        def __getattr__(self, name):
            return next(getattr(part, name) for part in parts if isinstance(getattr(part, name, None), type))

    return Names()


# Ours against the list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "method"), METHODS)
def test_arguments(of, method):
    ours = signature(getattr(getattr(hf, of), method))
    documented = arguments(DOCUMENTED[of][0][method])
    assert list(ours)[: len(documented)] == list(documented)
    assert list(ours)[len(documented) :] == MORE_ARGUMENTS.get((of, method), [])
    for name, default in documented.items():
        if (of, method, name) in OTHER_DEFAULTS:
            assert ours[name] is (... if method == "edit" else None)
            assert ours[name] != default
        else:
            assert ours[name] == default, name
    for name in list(ours)[len(documented) :]:
        assert ours[name] is not NEEDED, f"{name} must not be needed by a call that is documented"


@pytest.mark.parametrize(("of", "name"), PROPERTIES)
def test_properties_are_declared_and_documented(of, name):
    declared = inspect.getattr_static(getattr(hf, of), name)
    assert isinstance(declared, Field)
    assert declared.__doc__


def test_errors_have_their_names():
    names = (
        *("ValidationException", "AuthenticationException", "AuthorisationException", "InsufficientCredits"),
        *("NotFound", "LimitExceededException", "InferenceException"),
    )
    for name in names:
        assert issubclass(getattr(hf, name), hf.HastyError)
        assert getattr(hf, name)("words").message == "words"


def test_everything_is_importable_and_listed():
    for of in DOCUMENTED:
        assert of in hf.__all__
        assert inspect.getdoc(getattr(hf, of))
    for of, method in METHODS:
        assert method == "__init__" or inspect.getdoc(getattr(getattr(hf, of), method))


# Everything used over HTTP --------------------------------------------------------------------------------------------


class Walk:
    """Calls and reads, each counted when it went well."""

    def __init__(self) -> None:
        self.called: set[tuple[str, str]] = set()
        self.read: set[tuple[str, str]] = set()

    def __call__(self, thing, method, *args, **kwargs):
        result = getattr(thing, method)(*args, **kwargs)
        self.called.add((type(thing).__name__, method))
        return result

    def look(self, thing, **expected):
        """Read every property of a thing; all of them must have a value."""
        of = type(thing).__name__
        for name in DOCUMENTED[of][1].split():
            value = getattr(thing, name)
            assert value is not None, (of, name)
            assert value == expected.get(name, value), (of, name)
            with pytest.raises(AttributeError, match="cannot be assigned"):
                setattr(thing, name, value)
            self.read.add((of, name))


def test_every_method_is_called_and_every_property_is_read(client, recorder, pictures, tmp_path):
    walk = Walk()
    mine = hf.Client(client.api_key, recorder.url, progress=False)
    walk.called.add(("Client", "__init__"))

    # Client and workspace
    workspaces = walk(mine, "get_workspaces")
    record = mine._transport.listing(hf.Workspace.path)[0]
    workspace = hf.Workspace(mine._transport, record)
    walk.look(workspace, id=workspaces.index[0], name=workspaces["name"].iloc[0])
    project = walk(mine, "create_project", workspace, "Surface", "all of it")
    assert project.id in walk(mine, "get_projects").index
    project = walk(mine, "get_project", project.id)
    walk.look(project, name="Surface", description="all of it", workspace_id=workspace.id)
    walk(project, "edit", "Surface 2", "still all of it")
    assert mine.get_project(project.id).name == "Surface 2"

    # Datasets
    dataset = walk(project, "create_dataset", "train", 3)
    other = project.create_dataset("val")
    assert walk(project, "get_datasets")["name"].tolist() == ["train", "val"]
    dataset = walk(project, "get_dataset", dataset.id)
    walk.look(dataset, name="train", project_id=project.id, norder=3)
    walk(dataset, "edit", "learn", 4)
    assert project.get_dataset("learn") == dataset

    # Classes, tags, attributes
    coin = walk(project, "create_label_class", "coin", "#ff0000ff", "object", 1, "e-coin")
    assert walk(project, "get_label_classes").index.tolist() == [coin.id]
    coin = walk(project, "get_label_class", coin.id)
    walk.look(coin, name="coin", color="#ff0000ff", class_type="object", norder=1, external_id="e-coin")
    walk(coin, "edit", "Coin", "#00ff00ff", "object", 2, "e-2")
    assert project.get_label_class("Coin").external_id == "e-2"
    blurry = walk(project, "create_tag_class", "blurry", 1)
    assert walk(project, "get_tag_classes")["name"].tolist() == ["blurry"]
    blurry = walk(project, "get_tag_class", blurry.id)
    walk.look(blurry, name="blurry", project_id=project.id, norder=1)
    walk(blurry, "edit", "Blurry", 2)
    colour = walk(project, "create_attribute", "colour", "SELECTION", "its colour", 1, ["red", "green"])
    walk.look(colour, name="colour", attribute_type="SELECTION", description="its colour", norder=1)
    assert [choice["value"] for choice in colour.values] == ["red", "green"]
    walk(colour, "edit", "colour", "SELECTION", "the colour", 2, ["red", "green", "blue"])
    assert walk(project, "get_attributes")["description"].tolist() == ["the colour"]
    pair = {"attribute_id": colour.id, "class_id": coin.id, "attribute_order": 1, "class_order": 2}
    assert walk(project, "set_attribute_classes", [pair]).to_dict("records") == [pair]
    assert walk(project, "get_attribute_classes").to_dict("records") == [pair]
    walk(project, "delete_attribute_classes", [pair])
    assert not len(project.get_attribute_classes())

    # Images
    image = walk(project, "upload_from_file", dataset, pictures / "ramp.png", "e-ramp")
    again = walk(project, "upload_from_url", other, "ramp.png", image.public_url, True, "e-again")
    assert (again.width, again.height) == (40, 30)
    assert sorted(walk(project, "get_images").index) == sorted([image.id, again.id])
    assert walk(project, "get_images", [other], "NEW").index.tolist() == [again.id]
    image = walk(project, "get_image", image.id)
    walk.look(image, name="ramp.png", dataset_id=dataset.id, width=40, height=30, status="NEW", external_id="e-ramp")
    walk(image, "download", tmp_path / "ramp.png")
    assert (tmp_path / "ramp.png").read_bytes() == (pictures / "ramp.png").read_bytes()
    walk(image, "rename", "slope.png")
    walk(image, "move", other)
    walk(image, "set_status", "DONE")
    image = project.get_image(image.id)
    assert (image.name, image.dataset_name, image.status) == ("slope.png", "val", "DONE")

    # Tags
    assert walk(image, "add_tags", [blurry])["tag_class_name"].tolist() == ["Blurry"]
    [record] = mine._transport.listing(hf.Tag.path.format(project_id=project.id, image_id=image.id))
    tag = hf.Tag(mine._transport, record, {"project_id": project.id, "image_id": image.id})
    walk.look(tag, tag_class_id=blurry.id, project_id=project.id, image_id=image.id, tag_class_name="Blurry")
    assert walk(image, "get_tags").index.tolist() == [tag.id]
    walk(image, "delete_tags", [tag])
    assert not len(image.get_tags())

    # Labels and their attributes
    label = walk(image, "create_label", coin, [2, 2, 8, 6], [[2, 2], [8, 2], [8, 6]], [1, 24], 2, "e-label")
    geometry = {"bbox": [2, 2, 8, 6], "polygon": [[2, 2], [8, 2], [8, 6]], "mask": [1, 24], "z_index": 2}
    walk.look(label, project_id=project.id, image_id=image.id, class_id=coin.id, external_id="e-label", **geometry)
    more = walk(image, "create_labels", [{"class_id": coin.id, "bbox": [0, 0, 5, 5]}])
    assert walk(image, "get_labels").index.tolist() == [label.id, *more.index]
    edited = walk(image, "edit_labels", [{"label_id": more.index[0], "class_id": coin.id, "bbox": [0, 0, 6, 6]}])
    assert edited["x_max"].tolist() == [6]
    walk(image, "delete_labels", list(more.index))
    walk(label, "edit", coin, [2, 2, 8, 6], None, [1, 6], 3, "e-new")
    assert (label.polygon, label.mask, label.z_index) == (None, [1, 6], 3)
    walk(label, "set_attribute", colour, "blue")
    assert walk(label, "get_attributes")["value"].tolist() == ["blue"]
    path = hf.LabelAttribute.path.format(project_id=project.id, label_id=label.id)
    value = hf.LabelAttribute(mine._transport, mine._transport.listing(path)[0])
    choices = {choice["value"]: choice["id"] for choice in colour.values}
    walk.look(value, label_id=label.id, project_id=project.id, attribute_id=colour.id, value=choices["blue"])

    # Exports
    job = walk(project, "export", "out", "json_v1.1", other, ["DONE"], False, "gs_asc", None)
    job.wait(timeout=60)
    assert walk(job, "check_status") == "DONE"
    walk.look(job, status="DONE", project_id=project.id)
    with zipfile.ZipFile(walk(job, "download", tmp_path)) as archive:
        assert archive.namelist()

    # Models
    for kind in ("detector", "instance_segmentor", "semantic_segmentor", "attributer"):
        model = walk(project, f"get_{kind}")
        walk(model, "discover_model")
        walk.look(model, status="LOADED", project_id=project.id)
        boxes = {"bboxes": [[0, 0, 5, 5]]} if kind == "attributer" else {}
        assert len(walk(model, "predict", image_path=pictures / "ramp.png", **boxes))
        assert len(walk(model, "predict", image.public_url, **boxes))

    # Automated labeling
    labeling = walk(project, "create_automated_labeling_job", "some experiment", dataset_id=other.id)
    assert walk(project, "get_automated_labeling_jobs").index.tolist() == [labeling.id]
    labeling = walk(project, "get_automated_labeling_job", labeling.id).wait(timeout=60)
    assert walk(labeling, "check_status") == {"status": "DONE", "progress": 100}
    walk.look(labeling, status="DONE", project_id=project.id, experiment_id="some experiment")
    assert project.get_image(again.id).status == "AUTO-LABELLED"

    # The end of everything
    for thing in (label, image, blurry, colour, coin, dataset, project):
        walk(thing, "delete")
    with pytest.raises(hf.NotFound):
        mine.get_project(project.id)
    assert isinstance(workspaces, pd.DataFrame)

    mine.close()
    assert walk.called == set(METHODS)
    assert walk.read == set(PROPERTIES)
    assert len(recorder.seen) > len(METHODS)
    print(f"{len(walk.called)} of {len(METHODS)} methods called, {len(walk.read)} of {len(PROPERTIES)} properties read")
