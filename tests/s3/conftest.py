from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from s3_storage import S3Storage
from tests.s3.stores import Store, Swift, rclone
from tests.s3.using import storage_of


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    servers = Swift(tmp_path_factory.mktemp("swift"))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def over_http(swift: Swift) -> Iterator[Store]:
    with swift.front() as (store, _):
        yield store


@pytest.fixture(scope="session")
def over_https(swift: Swift) -> Iterator[Store]:
    with swift.front(tls=True) as (store, _):
        yield store


@pytest.fixture(scope="session")
def strict(over_https: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """rclone: if boto3 appends checksums over https, as it does by default, rclone refuses the upload."""
    assert over_https.certificate is not None
    key = Path(over_https.certificate).with_name("key.pem")
    with rclone(tmp_path_factory.mktemp("rclone"), over_https.certificate, key) as store:
        yield store


@pytest.fixture(params=["over_http", "over_https", "strict"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Each store in turn, with its certificate trusted."""
    chosen: Store = request.getfixturevalue(request.param)
    if chosen.certificate:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(chosen.certificate))
    return chosen


@pytest.fixture
async def storage(store: Store) -> AsyncIterator[S3Storage]:
    used = storage_of(store)
    yield used
    await used.close()
