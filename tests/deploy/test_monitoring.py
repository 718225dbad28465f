"""`deploy/monitoring`: configuration, alerts and dashboard, with the real Prometheus and the real service."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.prometheus import KEY, MONITORING, RunningPrometheus, configuration, promtool, with_key
from tests.deploy.test_manifests import Overlay
from tests.running import FAST, ROOT, RunningService, RunningVllm, free_port
from tests.stand_ins.models import make_model_cache
from tests.stand_ins.pages import text_page

SHIPPED = (MONITORING / "prometheus.yml").read_text()
ON_KUBERNETES = (MONITORING / "kubernetes.yml").read_text()
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}

# Metrics that do not exist on the test machine.
WITHOUT_SERIES = "ocr_gpu_"
# Metrics that the dashboard shows in another form.
UNSHOWN = {"ocr_vlm_up", "ocr_documents_held_limit_bytes"}
# Grafana's units; a custom unit is a suffix.
UNITS = {"short", "s", "bytes", "Bps", "reqps", "ops", "percentunit", "bool", "dateTimeFromNow"}
COLUMNS = 24
SCAN = ROOT / "examples/scan.jpg"


def address(service: RunningService) -> str:
    return service.url.removeprefix("http://")


def read(service: RunningService, document: bytes, times: int = 1) -> None:
    for _ in range(times):
        answer = service.client.post("/ocr", files={"file": document})
        assert answer.status_code in (200, 422), answer.text


@pytest.fixture(scope="module")
def tesseract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with an unreachable object storage, so that results wait in the spool."""
    storage = {
        "CLOUDRU_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        **{f"CLOUDRU_S3_{name}": "none" for name in ("BUCKET", "ACCESS_KEY", "SECRET_KEY")},
        "OCR_OUTPUT_DIR": str(tmp_path_factory.mktemp("output")),
        "OCR_STORE_TIMEOUT": "0.5",
        "OCR_CACHE_LIFETIME": "3600",
    }
    with RunningService(**storage) as service:
        read(service, SCAN.read_bytes(), times=2)
        read(service, b"no document")
        yield service


@pytest.fixture(scope="module")
def paddleocr_vl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that reads with PaddleOCR-VL on stand-ins."""
    models = make_model_cache(tmp_path_factory.mktemp("paddlex"), masks=True)
    with (
        RunningVllm(*FAST) as vllm,
        RunningService(
            OCR_ENGINE="paddleocr-vl",
            OCR_LAYOUT_ENGINE="onnxruntime",
            OCR_DEVICE="cpu",
            OCR_VLM_URL=vllm.api,
            **models,
        ) as service,
    ):
        page = io.BytesIO()
        text_page(blocks=3).save(page, "PNG")
        read(service, page.getvalue())
        yield service


@pytest.fixture(scope="module")
def prometheus(
    tesseract: RunningService, paddleocr_vl: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPrometheus]:
    """Prometheus after several scrapes of both services."""
    targets = [{"targets": [address(tesseract), address(paddleocr_vl)]}]
    config = configuration(SHIPPED, targets)
    with RunningPrometheus(tmp_path_factory.mktemp("prometheus"), config) as running:
        seen_often = "count(count_over_time((up == 1)[1m:1s]) >= 3) == 2"
        running.found(seen_often)
        yield running


@pytest.mark.parametrize("name", ["tesseract", "paddleocr_vl"])
def test_metrics_pass_promtool(request: pytest.FixtureRequest, name: str) -> None:
    service: RunningService = request.getfixturevalue(name)
    checked = promtool("check", "metrics", given=service.client.get("/metrics").text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_configuration_is_valid() -> None:
    checked = promtool("check", "config", str(MONITORING / "prometheus.yml"))
    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_alerts_pass_their_own_tests() -> None:
    tested = promtool("test", "rules", str(MONITORING / "alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == set(ALERTS)


@pytest.mark.parametrize("alert", list(ALERTS))
def test_alert_has_severity_summary_and_description(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description"}


def test_prometheus_evaluates_every_alert(prometheus: RunningPrometheus) -> None:
    def rules() -> dict[str, str]:
        [group] = prometheus.ask("rules")["groups"]
        return {rule["name"]: rule["health"] + rule.get("lastError", "") for rule in group["rules"]}

    assert prometheus.until(rules, lambda seen: "unknown" not in seen.values()) == dict.fromkeys(ALERTS, "ok")


@pytest.mark.parametrize("alert", list(ALERTS))
def test_series_of_an_alert_exist(prometheus: RunningPrometheus, alert: str) -> None:
    selectors = re.findall(r"\b(?:ocr_|process_|up\b)\w*(?:\{[^}]*\})?", ALERTS[alert]["expr"])
    assert selectors
    for selector in selectors:
        assert prometheus.found(selector)


@pytest.mark.parametrize("query", list(QUERIES))
def test_series_of_the_dashboard_exist(prometheus: RunningPrometheus, query: str) -> None:
    expression = QUERIES[query].replace("$__rate_interval", "1m")
    for name in VARIABLES:
        expression = expression.replace(f"${name}", ".*")
    assert "$" not in expression
    if WITHOUT_SERIES in expression:
        assert prometheus.query(expression) == []
    else:
        assert prometheus.found(expression)


def test_dashboard_variables_find_both_services(
    prometheus: RunningPrometheus, tesseract: RunningService, paddleocr_vl: RunningService
) -> None:
    found = {}
    for name in ("job", "instance"):
        queried = re.fullmatch(r"label_values\((.+), (\w+)\)", VARIABLES[name]["definition"])
        assert queried
        match = queried[1].replace("$job", "ocr")
        found[name] = set(prometheus.ask(f"label/{queried[2]}/values", **{"match[]": match}))
    assert found == {"job": {"ocr"}, "instance": {address(tesseract), address(paddleocr_vl)}}


def test_prometheus_has_the_counts_of_the_requests(
    prometheus: RunningPrometheus, tesseract: RunningService
) -> None:
    def value(expression: str) -> float:
        [seen] = prometheus.found(expression)
        return float(seen["value"][1])

    here = f'instance="{address(tesseract)}"'
    assert value(f'ocr_requests_total{{{here}, route="/ocr", status="200"}}') == 2
    assert value(f'ocr_requests_total{{{here}, route="/ocr", status="422"}}') == 1
    # The second request came while the first was being cached, or after that.
    assert value(f'sum(ocr_cache_lookups_total{{{here}, outcome=~"memory|joined"}})') == 1
    assert value(f'ocr_pages_total{{{here}, outcome="read"}}') == 1
    assert value(f"ocr_spool_documents{{{here}}}") == 2
    assert value(f"ocr_storage_up{{{here}}}") == 0
    assert value("sum(ocr_vlm_up)") == 1
    assert value('sum(ocr_vlm_calls_total{outcome="answered"})') == 3


def test_prometheus_authenticates_with_a_key(tmp_path: Path) -> None:
    with RunningService(OCR_API_KEYS=f"others,{KEY}") as service:
        targets = [{"targets": [address(service)]}]
        config = configuration(with_key("prometheus.yml", tmp_path), targets)
        config["scrape_configs"].append({"job_name": "keyless", "static_configs": targets})
        with RunningPrometheus(tmp_path, config) as prometheus:
            prometheus.found('up{job="ocr"} == 1')

            def keyless() -> str:
                targets = prometheus.ask("targets")["activeTargets"]
                [error] = [each["lastError"] for each in targets if each["scrapePool"] == "keyless"]
                return str(error)

            assert prometheus.until(keyless, lambda error: "401" in error)


def meta_labels(overlay: Overlay, port: str) -> dict[str, str]:
    """Return the meta labels of one pod and one of its ports, as Prometheus would discover them."""

    def prefixed(kind: str, pairs: dict[str, str]) -> dict[str, str]:
        return {f"__meta_kubernetes_pod_{kind}_{re.sub('[^a-z]', '_', k)}": v for k, v in pairs.items()}

    metadata = overlay.spec("Deployment")["template"]["metadata"]
    return {
        "__meta_kubernetes_namespace": "documents",
        "__meta_kubernetes_pod_name": "paddleocr-vl-service-1",
        "__meta_kubernetes_pod_container_port_name": port,
        **prefixed("label", metadata["labels"]),
        **prefixed("annotation", metadata["annotations"]),
    }


def test_pods_are_discovered_by_their_annotations(tesseract: RunningService, tmp_path: Path) -> None:
    """The pods' labels come from the manifests, because Debian's Prometheus has no Kubernetes discovery."""
    [job] = yaml.safe_load(ON_KUBERNETES)["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod"}]
    overlay = Overlay("gpu")
    pods = [{"targets": [address(tesseract)], "labels": meta_labels(overlay, port)} for port in overlay.ports]
    stranger = {
        **meta_labels(overlay, "http-api"),
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": "other",
    }
    pods.append({"targets": [address(tesseract)], "labels": stranger})
    config = configuration(ON_KUBERNETES, pods)
    with RunningPrometheus(tmp_path, config) as prometheus:
        up = prometheus.found("up == 1")
        targets = prometheus.ask("targets")
    assert [series["metric"] for series in up] == [
        {
            "__name__": "up",
            "job": "ocr",
            "instance": address(tesseract),
            "namespace": "documents",
            "pod": "paddleocr-vl-service-1",
        }
    ]
    assert [target["scrapeUrl"] for target in targets["activeTargets"]] == [f"{tesseract.url}/metrics"]
    assert len(targets["droppedTargets"]) == 2


def test_dashboard_has_variables_for_prometheus_and_instances() -> None:
    assert [each["type"] for each in VARIABLES.values()] == ["datasource", "query", "query"]
    assert list(VARIABLES) == ["datasource", "job", "instance"]
    for part in [*PANELS, *(target for panel in PANELS for target in panel["targets"])]:
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for expression in QUERIES.values():
        for selector in re.findall(r"\b(?:ocr|process)_\w+(\{[^}]*\})", expression):
            assert 'job=~"$job", instance=~"$instance"' in selector


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_panel_has_a_unit_and_named_lines(panel: dict[str, Any]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    assert unit in UNITS or unit.startswith("suffix: ")
    assert panel["type"] in {"timeseries", "stat"}
    assert all(target["legendFormat"] for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEF")[: len(panel["targets"])]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken and all(x < COLUMNS for x, _ in cells), panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_dashboard_shows_every_metric(tesseract: RunningService) -> None:
    shown = tesseract.get("/metrics").text
    ours = set(re.findall(r"^# TYPE (ocr_\w+)", shown, re.MULTILINE))
    queried = set(re.findall(r"\bocr_\w+?(?=_bucket\b|_sum\b|\{)", " ".join(QUERIES.values())))
    assert ours - queried == UNSHOWN
