"""The OpenAPI document describes every field and gives an example."""

from dataclasses import fields
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from ocr_service.api.answers.rendered import DOCX, PDF
from ocr_service.api.openapi_requests import DOCUMENT_SCHEMAS
from ocr_service.api.requests.pdf_fields import PdfFields
from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.api.routes import documentation
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from server import create_app
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import small_png
from tests.settings import settings_of


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(settings_of(), ScriptedEngine()).openapi()


def sent(document: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of request, by its media type."""
    content = document["paths"][path]["post"]["requestBody"]["content"]
    schemas = {media: described["schema"] for media, described in content.items()}
    return {
        media: document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if "$ref" in schema
        else schema
        for media, schema in schemas.items()
    }


@pytest.mark.anyio
async def test_document_is_written_once() -> None:
    written = documentation._description
    async with serving(ScriptedEngine()) as client:
        before = written.cache_info()
        answers = [await client.get("/openapi.json") for _ in range(3)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["paths"]
    assert (written.cache_info().misses, written.cache_info().hits) == (before.misses + 1, before.hits + 2)


def test_every_field_of_every_model_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {"DocumentAnswer", "PageAnswer", "BlockAnswer", "Problem", "PageEvent"} <= set(schemas)
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
            # A request has one example of its own.
            assert described.get("examples") or name in DOCUMENT_SCHEMAS, f"{name}.{field}"


def test_request_is_described(document: dict[str, Any]) -> None:
    operation = document["paths"]["/ocr"]["post"]
    forms = sent(document, "/ocr")
    assert forms.pop("application/octet-stream")["format"] == "binary"
    common = {
        "pages",
        "lang",
        "rotate",
        "format",
        "images",
        "words",
        "cache",
        "store",
        "store_source",
        "timeout",
    }
    common |= set(PdfFields.model_fields)
    named = common | {"restructure_pages"} | {field.name for field in fields(PaddleOcrVlOptions)}
    assert {name: set(form["properties"]) for name, form in forms.items()} == {
        "multipart/form-data": {"file", "image_url"} | named,
        "application/x-www-form-urlencoded": {"image_url"} | named,
        "application/json": {"file", "image_url"} | named,
    }
    assert "parameters" not in operation, "query parameters would repeat the form fields"
    for form in forms.values():
        assert all(described["description"] for described in form["properties"].values())


def test_file_is_the_first_field_and_engine_options_are_the_last(document: dict[str, Any]) -> None:
    schemas = [
        schema["properties"]
        for path in ("/ocr", "/layout-parsing")
        for schema in sent(document, path).values()
        if "properties" in schema
    ]
    options = {name for field in RecognitionFields.model_fields for name in (field, to_camel(field))}
    for names in map(list, schemas):
        assert names[0] == ("file" if "file" in names else "image_url")
        assert options.issuperset(names[-len(RecognitionFields.model_fields) :])


def test_operations_have_short_names_and_known_tags(document: dict[str, Any]) -> None:
    operations = {
        operation["operationId"]: operation["tags"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert operations.keys() == {
        "read_document",
        "put_document",
        "parse_layout",
        "restructure_pages",
        "read_liteparse_page",
        "submit_job",
        "list_jobs",
        "get_job",
        "delete_job",
        "get_result",
        "get_page",
        "get_picture",
        "follow_job",
        "submit_paddle_job",
        "get_paddle_batch",
        "get_paddle_job",
        "delete_paddle_job",
        "get_paddle_result",
        "get_paddle_picture",
        "get_health",
        "get_liveness",
        "get_readiness",
        "get_vllm_health",
        "get_version",
    }
    tags = {tag["name"] for tag in document["tags"]}
    assert all(len(used) == 1 and set(used) <= tags for used in operations.values())


def test_file_or_url_is_required(document: dict[str, Any]) -> None:
    forms = document["paths"]["/ocr"]["post"]["requestBody"]["content"]
    schemas = sent(document, "/ocr")
    for either in ("multipart/form-data", "application/json"):
        assert schemas[either]["oneOf"] == [{"required": ["file"]}, {"required": ["image_url"]}]
    assert schemas["application/x-www-form-urlencoded"]["required"] == ["image_url"]
    for by_address in ("application/x-www-form-urlencoded", "application/json"):
        # The documentation page shows this example instead of a value for every field.
        assert set(forms[by_address]["example"]) == {"image_url"}


@pytest.mark.anyio
async def test_examples_of_the_request_are_accepted_for_any_document(document: dict[str, Any]) -> None:
    """The documentation page fills its form with the examples."""
    form = sent(document, "/ocr")["multipart/form-data"]
    examples = {name: field.get("examples", []) for name, field in form["properties"].items()}
    # The other fields have an empty example, as the page makes up a value if there is none.
    assert all(examples.values())
    shown = {name: some[0] for name, some in examples.items() if some[0] != "" and name != "file"}
    # The format stays empty, so that the choice of a media type, which sets `Accept`, has an effect.
    assert set(shown) == {"pages", "lang", "rotate", "images", "words", "cache", "store", "store_source"}
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files={"file": small_png()}, data=shown)
    assert response.status_code == 200, response.text


def test_generated_clients_have_good_names(document: dict[str, Any]) -> None:
    """A schema without a name gets one like `ReadDocumentRequest2` from a generator."""
    names = {"multipart/form-data": "Form", "application/json": "Request"}
    for path, name in (("/ocr", "Ocr"), ("/jobs", "Job"), ("/liteparse/ocr", "Ocr")):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        for media, kind in names.items():
            assert content[media]["schema"] == {"$ref": f"#/components/schemas/{name}{kind}"}
    stream = document["components"]["schemas"]["StreamEvent"]
    assert set(stream["discriminator"]["mapping"]) == {"start", "page", "end", "error"}
    answers = document["paths"]["/ocr"]["post"]["responses"]["200"]["content"]
    assert answers["application/x-ndjson"]["schema"] == {"$ref": "#/components/schemas/StreamEvent"}


def test_put_has_its_fields_in_the_query(document: dict[str, Any]) -> None:
    parameters = {each["name"] for each in document["paths"]["/ocr"]["put"]["parameters"]}
    assert {"pages", "lang", "format", "words", "text_layer", "timeout"} <= parameters
    assert "password" not in parameters, "a query is written into logs"


def test_responses_are_described(document: dict[str, Any]) -> None:
    responses = document["paths"]["/ocr"]["post"]["responses"]
    errors = {"400", "401", "408", "413", "415", "422", "424", "500", "503", "504", "507"}
    assert set(responses) == {"200", "202", "304", "429"} | errors
    assert set(responses["200"]["content"]) == {
        "application/json",
        "application/x-ndjson",
        "text/markdown",
        "text/plain",
        "text/html",
        DOCX,
        PDF,
    }


@pytest.mark.parametrize("path", ["/layout-parsing", "/restructure-pages"])
def test_paddlex_api_is_described(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    sent = operation["requestBody"]["content"]["application/json"]
    assert all(described["description"] for described in sent["schema"]["properties"].values())
    assert set(sent["example"]) <= set(sent["schema"]["properties"])
    assert "$ref" not in str(sent["schema"])
    statuses = set(document["paths"]["/ocr"]["post"]["responses"]) - {"202", "304", "429"}
    assert set(operation["responses"]) == statuses
    for status, response in operation["responses"].items():
        model = response["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        assert (model == "LayoutParsingError") == (status != "200")
        assert response["description"]


def test_references_resolve(document: dict[str, Any]) -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.rsplit("/", 1)[1] in schemas, reference
