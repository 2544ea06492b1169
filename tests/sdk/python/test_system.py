"""What every client asks first, through authentik's published Python SDK."""
import pytest
from authentik_client.exceptions import ForbiddenException


def test_root_config_needs_no_credentials(client):
    config = client(None).root.root_config_retrieve()
    assert config.error_reporting.enabled is False and config.error_reporting.sentry_dsn == ""
    assert (config.cache_timeout, config.cache_timeout_flows, config.cache_timeout_policies) == (300, 300, 300)
    assert config.cache_timeout_reputation == 0


def test_a_wrong_key_is_refused_even_there(client):
    with pytest.raises(ForbiddenException):
        client("nobody-has-this-key").root.root_config_retrieve()


def test_version(admin, client):
    version = admin.admin.admin_version_retrieve()
    assert version.version_current == "2024.8.2"
    assert (version.version_latest, version.version_latest_valid) == ("0.0.0", False)
    assert version.outdated is False and version.outpost_outdated is False
    with pytest.raises(ForbiddenException):
        client(None).admin.admin_version_retrieve()


def test_schema(client):
    document = client(None).schema.schema_retrieve(format="json")
    assert document["openapi"].startswith("3.0")
    operations = {op["operationId"] for item in document["paths"].values() for op in item.values() if "operationId" in op}
    assert {"core_tokens_list", "core_users_me_retrieve", "core_groups_create", "schema_retrieve"} <= operations
