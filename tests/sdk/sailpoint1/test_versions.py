"""What the families of 1.x share, and what they count apart."""
import time

from fixtures import *


@pytest.fixture
def clients(families, key):
    configuration = configured(key)
    return [Client(family, configuration) for family in families]


def test_one_store_behind_all(clients):
    beta, v3, v2024, v2025 = clients
    made = beta.make("shared")
    assert v3.mine()["shared"].expiration_date == made.expiration_date
    assert v2024.patch(made.id, ("replace", "/name", "renamed")).name == "renamed"
    later = soon(days=700)
    assert v2025.patch(made.id, ("replace", "/expirationDate", later.isoformat())).expiration_date == later
    assert beta.mine()["renamed"].expiration_date == later
    with v3.family.refused(400, DUPLICATE):
        v3.make("renamed")
    v3.delete(made.id)
    with v2025.family.refused(404, UNKNOWN):
        v2025.delete(made.id)


def test_a_token_without_end_in_older_families(clients):
    older, v2025 = clients[:3], clients[3]
    asked = {"name": "endless", "userAwareTokenNeverExpires": True}
    status, made = call("POST", v2025.family.mount, v2025.configuration.access_token, asked)
    assert status == 200, made
    for client in older:
        assert client.mine()["endless"].expiration_date is None
        assert client.patch(made["id"], ("replace", "/name", "endless")).expiration_date is None


def test_each_family_has_a_limit_of_its_own(families):
    configuration = configured(THROTTLED, THROTTLED_BASE)
    configuration.retries = urllib3.Retry(0, respect_retry_after_header=False)
    beta, v3, *others = [Client(family, configuration) for family in families]
    time.sleep(2.1)  # After earlier tests every bucket is full again.
    with beta.family.refused(429) as caught:
        for _ in range(20):
            beta.list(owner_id="me")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 2
    for client in (v3, *others):
        assert "sdk" in client.mine()
    with beta.family.refused(429):
        beta.list(owner_id="me")
