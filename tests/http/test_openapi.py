"""The OpenAPI document says what every field is, and shows one."""

from typing import Any

import pytest

from ocr_service.config import Settings
from server import create_app
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import small_png


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(), ScriptedEngine()).openapi()


def test_every_field_of_every_model_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {"DocumentAnswer", "PageAnswer", "BlockAnswer", "Problem", "PageEvent"} <= set(schemas)
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
            assert described.get("examples"), f"{name}.{field}"


def test_request_is_described(document: dict[str, Any]) -> None:
    operation = document["paths"]["/ocr"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "pages", "lang", "format"}
    assert {parameter["name"] for parameter in operation["parameters"]} == {"pages", "lang", "format"}
    for described in [*form["properties"].values(), *operation["parameters"]]:
        assert described["description"]


@pytest.mark.anyio
async def test_examples_of_the_request_are_accepted_for_any_document(document: dict[str, Any]) -> None:
    """The documentation page fills its form with them."""
    form = document["paths"]["/ocr"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = {name: field["examples"][0] for name, field in form["properties"].items() if name != "file"}
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files={"file": small_png()}, data=fields)
    assert response.status_code == 200, response.text


def test_answers_are_described(document: dict[str, Any]) -> None:
    responses = document["paths"]["/ocr"]["post"]["responses"]
    assert set(responses) == {"200", "400", "413", "415", "422", "500", "503"}
    assert set(responses["200"]["content"]) == {
        "application/json",
        "application/x-ndjson",
        "text/markdown",
        "text/plain",
    }


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.rsplit("/", 1)[1] in schemas, reference
