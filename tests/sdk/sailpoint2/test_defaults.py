"""What 2.x sends and reads beyond 1.x."""
from fixtures import *


def test_the_flag_is_read(plain):
    plain.create("dated", expiration_date=soon(), user_aware_token_never_expires=True)
    plain.create("endless", user_aware_token_never_expires=True)
    seen = plain.mine()
    assert seen["dated"].expiration_date is not None
    assert (seen["endless"].expiration_date, seen["endless"].user_aware_token_never_expires) == (None, True)


def test_a_flag_of_null_is_none(plain, family):
    with family.refused(400, MISSING):
        plain.create("unaware", user_aware_token_never_expires=None)
    assert plain.create("dated", expiration_date=soon(), user_aware_token_never_expires=None).name == "dated"


def test_what_401_says(family):
    with family.refused(401) as caught:
        Client(family, configured(bearer="rubbish")).list()
    assert caught.value.data.error == "JWT validation failed: JWT is invalid"
