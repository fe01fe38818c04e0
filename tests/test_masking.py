"""No secret is recorded, shown or exported, however it is written."""

from __future__ import annotations

import logging
import random
import string
import time

import pytest

from automl import masking
from automl.masking import MaskingFilter, mask, mask_text

FORMS = [
    "could not connect to postgresql://me:{}@db.example.org:5432/automl?sslmode=require",
    "redis://:{}@cache:6379/0 refused",
    "s3 failed: aws_secret_access_key={} region=eu",
    "password={}; host=db",
    "login failed (pwd: {})",
    "AZURE_ACCOUNT_KEY={}",
    "{{'user': 'me', 'password': '{}'}}",
    '{{"api_key": "{}", "model": "small"}}',
    "client_secret : '{}'",
    "MLFLOW_TRACKING_PASSWORD={} is wrong",
    "requests.get(url, headers={{'Authorization': 'Bearer {}'}})",
    "Authorization: Basic {}",
    "Authorization: token {}",
    "curl -H 'authorization: {}'",
    "Bearer {}",
    "https://hooks.example.org/x?token={}&channel=1",
    "https://blob.example.net/c?sig=1&signature={}",
    "private_key: {}",
    "host=db user=me password='{}' dbname=x",
    "passphrase = {}",
    "wandb credentials: {}",
]
KEYS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "glpat-AbCdEfGhIjKlMnOpQrSt",
    "xoxb-123456789012-abcdefGHIJKL",
    "sk-proj-AbCdEfGhIjKlMnOpQrStUvWx",
    "hf_AbCdEfGhIjKlMnOpQrStUvWxYz",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]


def canaries(number: int = 8) -> list[str]:
    rng = random.Random(11)
    letters = string.ascii_letters + string.digits
    return [f"Canary{''.join(rng.choices(letters, k=14))}{n}" for n in range(number)]


@pytest.mark.parametrize("form", FORMS)
def test_eight_canaries_of_each_form(form: str) -> None:
    for canary in canaries():
        shown = mask_text(form.format(canary))
        assert canary not in shown and masking.MASK in shown
        assert mask_text(shown) == shown, "once is enough"
        assert mask({"deep": [{"reason": form.format(canary)}]}) == {"deep": [{"reason": shown}]}


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("postgresql+psycopg://u:p@ssword@db:5432/x", "postgresql+psycopg://u:***@db:5432/x"),
        ("https://me:hunter2@example.org/a", "https://me:***@example.org/a"),
        ("https://example.org/a?api_key=hunter2&b=1", "https://example.org/a?api_key=***&b=1"),
        ({"db": {"password": "hunter2", "port": 1}}, {"db": {"password": "***", "port": 1}}),
        (
            {"tokens": 12, "list": ["x", "AUTH_TOKEN=hunter2"]},
            {"tokens": 12, "list": ["x", "AUTH_TOKEN=***"]},
        ),
        ("http://localhost:5000/a@b", "http://localhost:5000/a@b"),
        ("accuracy 0.9", "accuracy 0.9"),
    ],
)
def test_mask(value: object, masked: object) -> None:
    assert mask(value) == masked


@pytest.mark.parametrize(
    "password", ["p@ss", "a/b", "a:b", "x?y#z", "p@s/s:w@rd", "%40%2F", "ünï", "a$b&c", "hunter"]
)
def test_odd_passwords_in_addresses(password: str) -> None:
    shown = mask_text(f"no answer from postgresql+psycopg://me:{password}@db:5432/automl, try again")
    assert shown == "no answer from postgresql+psycopg://me:***@db:5432/automl, try again"


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_known_by_their_looks(key: str) -> None:
    assert mask_text(f"got {key} from the file") == "got *** from the file"


def test_a_private_key() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----\nafter"
    shown = mask_text(text)
    assert "MIIEow" not in shown and "IBAAK" not in shown and shown.endswith("after")
    assert "MIIEow" not in mask_text(text[:50])


@pytest.mark.parametrize(
    "text",
    [
        "accuracy 0.9 at step 3",
        "max_tokens=512 and token_count: 12",
        "http://localhost:5000/a@b",
        "ValueError: a step must increase, but got 3 after 4",
        "the author: Ann; path: /home/me/secrets/file.txt",
        "basic operations and bearer bonds",
        "lr=0.1, momentum=0.9, weight_decay=1e-4",
        "C:\\Users\\me, 12:30:01, a:b",
        "conv3x3|0 + skip|1",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text) == text


def test_values_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "plainword")
    monkeypatch.setenv("AUTOML_STORE", "postgresql://me:s%40cret99@db/x")
    monkeypatch.setenv("USE_TOKENS", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json")
    shown = mask_text("plainword, s%40cret99 and s@cret99 are true in /home/me/key.json")
    assert shown == "***, *** and *** are true in /home/me/key.json"
    monkeypatch.delenv("MY_SERVICE_TOKEN")
    assert mask_text("plainword") == "plainword"


def test_texts_under_telling_keys() -> None:
    given = {
        "db": {"password": "hunter2", "port": 1},
        "token": "abc",
        "tokens": 12,
        "list": ["AUTH_TOKEN=hunter2"],
    }
    assert mask(given) == {
        "db": {"password": "***", "port": 1},
        "token": "***",
        "tokens": 12,
        "list": ["AUTH_TOKEN=***"],
    }


@pytest.mark.parametrize(
    "part", ["a", "password=", "://a:", "'", "x=", "token: '", "eyJ", "bearer ", "-----BEGIN "]
)
def test_long_texts_are_quick(part: str) -> None:
    start = time.process_time()
    mask_text(part * (100_000 // len(part)))
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ["signature", "token", "password", "api_key"])
def test_a_rule_about_a_key_stays_readable(name: str) -> None:
    rule = f"best.yaml:3: {name}: must be a mapping, but got -1"
    assert mask_text(rule) == rule
    assert mask_text(f"{name}:   hunter2") == f"{name}:   ***"


def test_logged_messages(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("automl.some")
    logger.addFilter(found := MaskingFilter())
    try:
        logger.warning("password=%s for %s", "hunter2", "me")
    finally:
        logger.removeFilter(found)
    assert caplog.messages == ["password=*** for me"]
