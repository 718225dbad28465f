from ipaddress import ip_address

import pytest

from ocr_service.security.addresses import Allowlist, is_public


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "192.0.1.1", "100.128.0.1", "2606:2800:220:1::1", "2a00:1450::1",
     "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_public_address_is_recognised(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "172.31.255.255",
     "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
     "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
     "240.0.0.1", "255.255.255.255",
     "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
     "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1",
     "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1",
     "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"],
)  # fmt: skip
def test_non_public_address_is_recognised(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3"),
        ("64:ff9b::/96", "64:ff9b::10.1.2.3"),
        ("[::1]", "::1"),
        ("fd00::/8", "fd12::1"),
        (" 192.168.0.0/16 ,\n10.0.0.0/8, ", "10.1.2.3"),
    ],
)
def test_allowlisted_addresses_are_allowed(text: str, opened: str) -> None:
    allowlist = Allowlist.parse(text)
    assert allowlist.allows_address(ip_address(opened))
    assert allowlist.allows_address(ip_address("8.8.8.8"))
    assert not allowlist.allows_address(ip_address("172.16.0.1"))


@pytest.mark.parametrize(
    ("text", "opened", "closed"),
    [
        ("Store.Example.COM.", "store.example.com", "a.store.example.com"),
        ("store.example.com", "store.example.com.", "xstore.example.com"),
        ("*.example.com", "a.b.example.com", "example.com"),
        ("*.example.com", "a.example.com", "badexample.com"),
        ("сканы.рф", "xn--80atkn7c.xn--p1ai", "xn--p1ai"),
        ("minio, localhost", "localhost", "localhost.example.com"),
    ],
)
def test_allowlisted_names_are_allowed(text: str, opened: str, closed: str) -> None:
    allowlist = Allowlist.parse(text)
    assert allowlist.allows_name(opened)
    assert not allowlist.allows_name(closed)


def test_empty_allowlist_allows_nothing() -> None:
    assert Allowlist.parse(" , ") == Allowlist()
    assert not Allowlist().allows_name("")


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.0/33", "10.0.0.1/8", "300.1.1.1", "127.1", "2130706433", "http://example.com", "host:8080", "*",
     "*.", "*example.com", "a.*.com", "b@c", "-/-", "[::1", "a..b"],
)  # fmt: skip
def test_invalid_entry_is_reported_by_number_and_not_quoted(entry: str) -> None:
    with pytest.raises(ValueError, match="entry 2 ") as refusal:
        Allowlist.parse(f"localhost,{entry}")
    assert entry not in str(refusal.value).replace("*.suffix", "")
