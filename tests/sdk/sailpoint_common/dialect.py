"""What holds in every family of both generations of SailPoint's Python SDK; each suite runs it for its families."""
import json, re, time
from datetime import datetime, timedelta, timezone

import pytest
from sailpoint.configuration import Configuration

from fixtures import *

SIX_MONTHS = timedelta(days=181), timedelta(days=185)
HEX = "[0-9a-f]"


# Create

def test_create_answers_every_field(plain, account):
    made = plain.make("deploy")
    assert re.fullmatch(f"{HEX}{{12}}4{HEX}{{3}}[89ab]{HEX}{{15}}", made.id)
    assert re.fullmatch(f"{HEX}{{64}}", made.secret)
    assert (made.name, made.scope, made.access_token_validity_seconds) == ("deploy", [ALL], 43200)
    assert (made.owner.type, made.owner.id, made.owner.name) == ("IDENTITY", account.id, account.name)
    assert abs(now() - made.created) < timedelta(minutes=1) and made.created.microsecond % 1000 == 0


def test_create_keeps_what_is_given(plain):
    expires, scope = soon(days=90), ["sp:unheard-of:read", DEFAULT]
    made = plain.create("full", scope=scope, access_token_validity_seconds=750, expiration_date=expires)
    assert (made.scope, made.access_token_validity_seconds, made.expiration_date) == (scope, 750, expires)
    seen = plain.mine()["full"]
    assert (seen.scope, seen.access_token_validity_seconds, seen.expiration_date) == (scope, 750, expires)


def test_create_with_nulls_and_without_scopes(plain):
    nothing = {"scope": None, "access_token_validity_seconds": None}
    made = plain.make("nulls", **nothing)
    assert (made.scope, made.access_token_validity_seconds) == ([ALL], 43200)
    assert plain.make("none", scope=[]).scope == []
    assert plain.mine()["none"].scope == []


def test_a_time_without_an_offset_is_utc(plain):
    expires = soon()
    assert plain.create("naive", expiration_date=expires.replace(tzinfo=None)).expiration_date == expires
    east = expires.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert plain.create("east", expiration_date=east).expiration_date == expires


def test_the_name(plain, family):
    assert plain.make(" two words ").name == "two words"
    assert plain.make("ä" * 255).name == "ä" * 255
    for name in ("", "  "):
        with family.refused(400, MISSING):
            plain.make(name)
    for name in ("x" * 256, "a\nb"):
        with family.refused(400, ILLEGAL):
            plain.make(name)


def test_a_name_is_given_once(plain, family, new_account):
    first = plain.make("one")
    with family.refused(400, DUPLICATE):
        plain.make("one")
    with family.refused(400, DUPLICATE):
        plain.make(" one ")
    assert plain.make("One").name == "One"
    with family.refused(400, DUPLICATE):
        plain.patch(first.id, ("replace", "/name", "One"))
    assert plain.patch(first.id, ("replace", "/name", "one")).name == "one"
    other = Client(family, configured(new_account().token("key")))
    assert other.make("one").name == "one"


def test_bad_scopes_are_refused(plain, family):
    for scope in (["two words"], [""], ['quo"te'], ["x" * 129]):
        with family.refused(400, ILLEGAL):
            plain.make("bad", scope=scope)
    with family.refused(400, TOO_MANY):
        plain.make("many", scope=[f"sp:{n}" for n in range(101)])
    assert list(plain.mine()) == ["key"]


def test_ten_tokens_an_owner(plain, family):
    made = [plain.make(f"n{n}") for n in range(9)]
    with family.refused(400, TOO_MANY):
        plain.make("eleventh")
    plain.delete(made[4].id)
    plain.make("tenth")
    assert list(plain.mine()) == ["key", *(f"n{n}" for n in range(9) if n != 4), "tenth"]


# Expiry

def test_expiry_when_none_is_given(plain, family):
    if family.explicit:
        with family.refused(400, MISSING):
            plain.create("endless")
        assert "endless" not in plain.mine()
        return
    made = plain.create("half a year")
    least, most = SIX_MONTHS
    assert least <= made.expiration_date - made.created <= most
    null = plain.create("null", expiration_date=None)
    assert least <= null.expiration_date - null.created <= most
    assert plain.mine()["half a year"].expiration_date == made.expiration_date


def test_expiry_must_lie_ahead(plain, family):
    with family.refused(400, ILLEGAL):
        plain.create("past", expiration_date=soon(days=-1))
    far = soon(days=3650)
    if family.explicit:
        assert plain.create("far", expiration_date=far).expiration_date == far
    else:
        for late in (far, now() + SIX_MONTHS[1]):
            with family.refused(400, ILLEGAL):
                plain.create("far", expiration_date=late)


def test_a_token_without_end(family, plain):
    """1.x has no field for the flag, in none of its families."""
    if "user_aware_token_never_expires" in plain.sdk.CreatePersonalAccessTokenRequest.model_fields:
        made = plain.create("endless", user_aware_token_never_expires=True)
        assert made.expiration_date == NEVER
    else:
        asked = {"name": "endless", "userAwareTokenNeverExpires": True, "expirationDate": None}
        status, made = call("POST", family.mount, plain.configuration.access_token, asked)
        assert status == 200, made
        if not family.explicit:
            assert "userAwareTokenNeverExpires" not in made
            seen = plain.mine()["endless"]
            assert SIX_MONTHS[0] <= seen.expiration_date - seen.created <= SIX_MONTHS[1]
            return
        assert (made["expirationDate"], made["userAwareTokenNeverExpires"]) == ("9999-12-31T23:59:59.999Z", True)
    seen = plain.mine()["endless"]
    assert seen.expiration_date is None
    assert getattr(seen, "user_aware_token_never_expires", True) is True
    assert plain.patch(seen.id, ("replace", "/name", "renamed")).expiration_date is None


def test_expiry_is_patched(plain, family):
    made, later = plain.make("moving"), soon(days=400)
    aware, cleared = ("replace", "/userAwareTokenNeverExpires", True), ("replace", "/expirationDate")
    if not family.explicit:
        for operations in ([("replace", "/expirationDate", soon().isoformat())], [aware], [aware, cleared]):
            with family.refused(400, ILLEGAL):
                plain.patch(made.id, *operations)
        return
    assert plain.patch(made.id, ("replace", "/expirationDate", later.isoformat())).expiration_date == later
    for clearing in (cleared, ("replace", "/expirationDate", None), ("remove", "/expirationDate")):
        with family.refused(400):
            plain.patch(made.id, clearing)
        assert plain.mine()["moving"].expiration_date == later
        assert plain.patch(made.id, aware, clearing).expiration_date is None
        # In the other order too, and the flag counts only in the patch that clears.
        assert plain.patch(made.id, ("add", "/expirationDate", later.isoformat())).expiration_date == later
        assert plain.patch(made.id, clearing, aware).expiration_date is None
        assert plain.patch(made.id, ("replace", "/expirationDate", later.isoformat())).expiration_date == later
    with family.refused(400, ILLEGAL):
        plain.patch(made.id, ("replace", "/expirationDate", soon(days=-1).isoformat()))


def test_an_expired_token_gets_and_keeps_no_bearer_token(plain, family, capsys):
    made = plain.create("brief", expiration_date=now() + timedelta(seconds=3))
    brief = Client(family, configured((made.id, made.secret)))
    assert "brief" in brief.mine()
    time.sleep(max(0, (made.expiration_date - now()).total_seconds()) + 0.1)
    with family.refused(401) as caught:
        brief.mine()
    assert json.loads(caught.value.body) == {"error": "JWT validation failed: JWT is expired"}
    assert configured((made.id, made.secret)).access_token is None
    assert "Unauthorized when retrieving access token." in capsys.readouterr().out
    assert plain.mine()["brief"].expiration_date == made.expiration_date


# List

def test_the_list(plain, key, account):
    names = ["c", "a", "b"]
    for name in names:
        plain.make(name)
    answer = plain.method("list_personal_access_tokens", "_with_http_info")(owner_id="me")
    assert [token.name for token in answer.data] == ["key", *names]
    assert all(token.managed is False and token.owner.id == account.id for token in answer.data)
    own, *unused = answer.data
    assert own.id == key[0] and all(token.last_used is None for token in unused)
    for token in json.loads(answer.raw_data):
        assert "secret" not in token and {"lastUsed", "scope", "expirationDate"} <= set(token)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", token["created"])


def test_filters_by_last_use(family, used_key):
    client = Client(family, configured(used_key))
    unused = client.make("unused")
    hour = timedelta(hours=1)
    past, future = ((now() + way * hour).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" for way in (-1, 1))

    def names(filters):
        return list(client.mine(filters=filters))

    assert now() - hour < client.mine()["key"].last_used < now()
    assert names("lastUsed isnull") == ["unused"]
    assert names(f"lastUsed le {future}") == ["key"]
    assert names(f"lastUsed le {past}") == []
    assert names("not lastUsed isnull") == ["key"]
    assert names(f"lastUsed isnull or lastUsed le {future}") == ["key", "unused"]
    assert names(f"lastUsed le {future} and not (lastUsed isnull or lastUsed le {past})") == ["key"]
    client.delete(unused.id)


def test_other_filters_are_refused(plain, family):
    for filters in ('name eq "key"', "lastUsed", "lastUsed gt 2023-02-05T10:59:27.214Z", "lastUsed le yesterday",
                    "lastUsed LE 2023-02-05T10:59:27.214Z", "lastused isnull", "isnull lastUsed", "lastUsed isnull and",
                    "(lastUsed isnull", "lastUsed isnull lastUsed isnull"):
        with family.refused(400, ILLEGAL):
            plain.list(owner_id="me", filters=filters)


def test_whose_tokens_are_listed(plain, admin, family, account):
    for query in ({}, {"owner_id": NOBODY}, {"filters": "lastUsed isnull"}):
        with family.refused(403, FORBIDDEN) as caught:
            plain.list(**query)
        assert json.loads(caught.value.body)["messages"][0]["text"] == \
            "The server understood the request but refuses to authorize it."
    made = plain.make("seen by administrators")
    assert {token.owner.name for token in admin.list()} > {account.name}
    assert [token.name for token in admin.list(owner_id=account.id)] == ["key", made.name]
    assert made.name in {token.name for token in admin.list(owner_id=account.id, filters="lastUsed isnull")}
    assert admin.list(owner_id=NOBODY) == []
    assert made.id not in {token.id for token in admin.list(owner_id="me")}


# Patch

def test_rename(plain):
    made = plain.make("before")
    patched = plain.patch(made.id, ("replace", "/name", "after"))
    assert (patched.id, patched.name, patched.scope) == (made.id, "after", made.scope)
    assert (patched.created, patched.expiration_date) == (made.created, made.expiration_date)
    assert patched == plain.mine()["after"]
    assert plain.patch(made.id) == patched, "an empty patch changes nothing"
    # A patched token is still the same credential.
    assert configured((made.id, made.secret)).access_token is not None


def test_scopes_are_patched(plain, family):
    made = plain.make("scoped")
    client = Client(family, configured((made.id, made.secret)))
    assert "scoped" in client.mine()
    narrow = ["sp:my-personal-access-tokens:read"]
    assert plain.patch(made.id, ("replace", "/scope", narrow)).scope == narrow
    assert "scoped" in client.mine()
    with family.refused(403, FORBIDDEN):
        client.make("not any more")
    assert plain.patch(made.id, ("replace", "/scope", [])).scope == []
    with family.refused(403, FORBIDDEN):
        client.mine()
    assert plain.patch(made.id, ("add", "/scope", narrow)).scope == narrow
    assert "scoped" in Client(family, configured((made.id, made.secret))).mine()


def test_a_patch_is_atomic(plain, family):
    made = plain.make("kept")
    passes = ("test", "/name", "kept"), ("replace", "/name", "moved"), ("test", "/name", "moved")
    assert plain.patch(made.id, *passes).name == "moved"
    for bad in (("test", "/name", "other"), ("remove", "/name"), ("replace", "/name"), ("remove", "/scope"),
                ("replace", "/scope", None), ("replace", "/scope", "sp:scopes:all"), ("replace", "/name", True),
                ("replace", "/id", NOBODY), ("add", "/scope/0", ALL), ("replace", "/accessTokenValiditySeconds", 60),
                ("replace", "/secret", "x"), ("replace", "name", "x"), ("copy", "/name"), ("move", "/name")):
        with family.refused(400):
            plain.patch(made.id, ("replace", "/name", "half done"), bad)
    assert plain.mine()["moved"].scope == [ALL]


# Delete, and ids

def test_delete(plain, family):
    made = plain.make("gone")
    client = Client(family, configured((made.id, made.secret)))
    assert "gone" in client.mine()
    answer = plain.method("delete_personal_access_token", "_with_http_info")(made.id)
    assert (answer.status_code, answer.data, answer.raw_data) == (204, None, b"")
    assert list(plain.mine()) == ["key"]
    with family.refused(404, UNKNOWN):
        plain.delete(made.id)
    with family.refused(401) as caught:
        client.mine()
    assert json.loads(caught.value.body) == {"error": "JWT validation failed: JWT is invalid"}
    # The name is free again, and a token may delete itself.
    again = plain.make("gone")
    Client(family, configured((again.id, again.secret))).delete(again.id)
    assert list(plain.mine()) == ["key"]


def test_unknown_ids(plain, family):
    for id in (NOBODY, "a/b", "a b", "%", "ä", "?x=y", "#", "nothing/../key", "x" * 300):
        with family.refused(404, UNKNOWN) as caught:
            plain.delete(id)
        with family.refused(404, UNKNOWN):
            plain.patch(id, ("replace", "/name", "x"))
    assert json.loads(caught.value.body)["messages"][0]["text"] == \
        "The server did not find a current representation for the target resource."


def test_the_tokens_of_others(plain, admin, family, new_account):
    made, renamed = plain.make("mine"), ("replace", "/name", "yours")
    stranger = Client(family, configured(new_account().token("key")))
    with family.refused(404, UNKNOWN):
        stranger.patch(made.id, renamed)
    with family.refused(404, UNKNOWN):
        stranger.delete(made.id)
    with family.refused(403, FORBIDDEN):
        admin.patch(made.id, renamed)
    admin.delete(made.id)
    assert list(plain.mine()) == ["key"]


# Scopes

def test_the_default_scope_reaches_nothing(scoped, family):
    client = scoped(DEFAULT)
    for refused in (client.mine, lambda: client.make("x"), lambda: client.delete(NOBODY),
                    lambda: client.patch(NOBODY, ("replace", "/name", "x"))):
        with family.refused(403, FORBIDDEN):
            refused()


def test_scopes_by_operation(scoped, family):
    reader, manager = (scoped(f"sp:my-personal-access-tokens:{right}") for right in ("read", "manage"))
    made = manager.make("made")
    assert "made" in reader.mine() and "made" in manager.mine()
    # A scope adds no right that the account lacks, and only the first of these may patch.
    everybody = scoped("sp:all-personal-access-tokens:manage")
    assert "made" in everybody.mine()
    for refused in (lambda: reader.make("x"), lambda: reader.delete(made.id), everybody.list, manager.list,
                    *(lambda one=one: one.patch(made.id, ("replace", "/name", "x")) for one in (reader, everybody))):
        with family.refused(403, FORBIDDEN):
            refused()
    assert manager.patch(made.id, ("replace", "/name", "renamed")).name == "renamed"
    everybody.delete(made.id)
    assert "renamed" not in reader.mine()


# Tokens and configuration

def test_the_token_endpoint(plain):
    made = plain.make("lasting", access_token_validity_seconds=750)
    form = f"grant_type=client_credentials&client_id={made.id}&client_secret={made.secret}".encode()
    status, answer = call("POST", "/oauth/token", body=form, kind="application/x-www-form-urlencoded")
    assert status == 200, answer
    assert answer["token_type"] == "bearer" and answer["expires_in"] in (749, 750) and answer["scope"] == ALL
    assert configured(bearer=answer["access_token"]).access_token.count(".") == 2
    assert "lasting" in Client(plain.family, configured(bearer=answer["access_token"])).mine()


def test_a_wrong_secret(family, key, capsys):
    for token in ((key[0], "0" * 64), (NOBODY, key[1]), ("", "")):
        configuration = configured(token)
        assert configuration.access_token is None
        assert "Unable to fetch access token." in capsys.readouterr().out
        with pytest.raises(TypeError):
            Client(family, configuration).list(owner_id="me")


def test_dead_bearer_tokens(family, plain):
    alive = plain.configuration.access_token
    head, claims, signature = alive.split(".")
    for bearer in ("rubbish", f"{head}.{claims}.", f"{head}.{claims}.{signature[::-1]}", tessera.TOKEN, "a.b.c"):
        client = Client(family, configured(bearer=bearer))
        for refused in (client.mine, lambda: client.make("x"), lambda: client.delete(NOBODY),
                        lambda: client.patch(NOBODY, ("replace", "/name", "x"))):
            with family.refused(401) as caught:
                refused()
            assert json.loads(caught.value.body) == {"error": "JWT validation failed: JWT is invalid"}
    assert call("GET", f"{family.mount}?owner-id=me") == (401, {"error": "JWT is required"})
    # One dialect's tokens are none of the other's.
    assert call("GET", "/api/v3/core/users/me/", alive)[0] == 403


def test_a_removed_account(family, new_account):
    account = new_account()
    client = Client(family, configured(account.token("key")))
    assert list(client.mine()) == ["key"]
    assert call("PATCH", f"/api/v3/core/users/{account.pk}/", ADMIN_KEY, {"is_active": False})[0] == 200
    with family.refused(401):
        client.mine()


def test_a_base_url_that_ends_in_a_slash(family, key):
    client = Client(family, configured(key, f"{BASE}/"))
    made = client.make("slashes")
    assert client.patch(made.id, ("replace", "/name", "doubled")).name == "doubled"
    assert "doubled" in client.mine(filters="lastUsed isnull")
    client.delete(made.id)


def test_configuration_from_environment_and_file(family, key, monkeypatch, tmp_path):
    id, secret = key
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"BaseURL": BASE, "ClientId": id, "ClientSecret": secret}))
    assert list(Client(family, Configuration()).mine()) == ["key"]
    (tmp_path / "config.json").unlink()
    for name, value in {"SAIL_BASE_URL": BASE, "SAIL_CLIENT_ID": id, "SAIL_CLIENT_SECRET": secret}.items():
        monkeypatch.setenv(name, value)
    assert list(Client(family, Configuration()).mine()) == ["key"]


# Rate limits: after five requests the server asks for a wait of one or two seconds.

def timed(action):
    began = time.monotonic()
    try:
        return action(), time.monotonic() - began
    except Exception as error:
        return error, time.monotonic() - began


def meets_the_limit(action):
    """Calls until the limit is met, which the caller learns at once."""
    for _ in range(20):
        error, seconds = timed(action)
        if getattr(error, "status", None) == 429:
            assert type(error).__name__ == "ApiException" and seconds < 0.9
            assert json.loads(error.body) == {"message": " Rate Limit Exceeded "}
            assert re.fullmatch("[12]", error.headers["Retry-After"])
            return
    raise AssertionError("twenty requests, and no limit")


def test_reading_waits_for_the_limit(throttled):
    for _ in range(20):
        response, seconds = timed(lambda: throttled.method("list_personal_access_tokens", "_without_preload_content")(
            owner_id="me"))
        assert (response.status, [token["name"] for token in json.loads(response.data)]) == (200, ["sdk"])
        if waits := [attempt.status for attempt in response.retries.history]:
            assert set(waits) == {429} and seconds > 0.9
            return
    raise AssertionError("twenty requests, and no limit")


def test_deleting_waits_for_the_limit(throttled, family):
    for _ in range(20):
        error, seconds = timed(lambda: throttled.delete(NOBODY))
        assert isinstance(error, family.exceptions.NotFoundException), error
        if seconds > 0.9:
            return
    raise AssertionError("twenty requests, and no limit")


def test_writing_meets_the_limit(throttled, impatient):
    meets_the_limit(lambda: throttled.make(""))
    meets_the_limit(lambda: throttled.patch(NOBODY))
    meets_the_limit(impatient.list)
