"""The description of the API: complete, true, and no input that it allows or forbids brings the server down."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from hastyframe.entities import ENTITIES, Prediction

from .helpers import Api


@pytest.fixture(scope="module")
def description(server):
    response = requests.get(server.base_url + "/openapi.json", timeout=10)  # no key
    assert response.status_code == 200
    return response.json()


def test_every_operation_says_what_it_answers(description):
    seen = set()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert operation["summary"].endswith(".")
            codes = set(operation["responses"])
            assert codes & {"200", "201", "204"}
            if path.startswith("/v1"):
                assert "401" in codes
                assert "security" not in operation
                assert ("404" in codes) == ("{" in path)
                assert "requestBody" not in operation or {"400", "413"} <= codes
            else:
                assert "403" in codes
                assert operation["security"] == []
            names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))
            assert method in {"get", "put", "post", "patch", "delete"}
    assert description["components"]["securitySchemes"]["key"]["name"] == "X-Api-Key"


def test_every_entity_is_described(description):
    schemas = description["components"]["schemas"]
    for entity in set(ENTITIES) - {Prediction}:
        keys = {field.key for field in entity.fields().values() if not field.derived}
        assert set(schemas[entity.__name__]["properties"]) == keys
        assert entity.path.replace("{label_class_id}", "{class_id}") in description["paths"]


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
EXAMPLES = settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


def things(api: Api) -> dict[str, str]:
    """Make one of each, so that paths lead somewhere."""
    dataset, class_id = api.dataset(), api.label_class()
    image = api.image(dataset)["id"]
    label = api.post(f"images/{image}/labels", [{"class_id": class_id, "bbox": [0, 0, 1, 1]}])["items"][0]["id"]
    return {
        "project_id": api.project["id"],
        "dataset_id": dataset,
        "image_id": image,
        "class_id": class_id,
        "label_id": label,
        "attribute_id": api.post("attributes", {"name": "a", "type": "INT"})["id"],
        "tag_class_id": api.post("tag_classes", {"name": "t"})["id"],
        "export_id": api.post("exports", {"export_name": "e", "format": "images"})["id"],
        "job_id": api.post("automated_labeling", {"experiment_id": "e"})["id"],
    }


@pytest.mark.parametrize(
    ("mode", "codes"),
    [(GenerationMode.POSITIVE, {200, 201, 204, 400, 404}), (GenerationMode.NEGATIVE, {400, 404})],
    ids=["allowed", "forbidden"],
)
def test_no_input_brings_the_server_down(server, mode, codes):
    api = Api(server)
    ids = things(api)
    schema = schemathesis.openapi.from_url(server.base_url + "/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 50
    answered = Counter()
    # What deletes comes last, and what holds most at the very end, so that the paths lead somewhere till then.
    for operation in sorted(operations, key=lambda o: (o.method == "delete", -o.path.count("{"))):
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # there is nothing to be wrong

        @EXAMPLES
        @given(case=operation.as_strategy(generation_mode=mode), there=strategies.booleans())
        def run(case, there):
            if there:
                case.path_parameters = {key: ids.get(key, value) for key, value in case.path_parameters.items()}
            response = case.call_and_validate(headers={"X-Api-Key": server.api_key}, checks=CHECKS)
            answered[response.status_code] += 1

        run()
    api.session.close()
    assert codes <= set(answered), answered
