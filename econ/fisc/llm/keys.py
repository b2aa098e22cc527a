"""Which key goes to which host: named by an allow-list, bound to hosts by the user, never sent in the clear."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from fisc.core import DataError, check_is
from fisc.llm.errors import ServerError

__all__ = ["HOSTS", "check_key_variable", "is_loopback", "key_for"]

#: Environment variable in which the user says which key is meant for which hosts, as
#: ``FISC_LLM_KEY_ROUTER=openrouter.ai OPENAI_API_KEY=localhost``.
HOSTS = "FISC_LLM_HOSTS"
_OWN_HOST = {"OPENAI_API_KEY": ("api.openai.com",)}
_ALLOWED = re.compile(r"OPENAI_API_KEY|FISC_LLM_KEY_[A-Z0-9_]{1,40}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def check_key_variable(name: object) -> str:
    """Return the name of a key variable, or refuse one that a configuration must not name.

    A shared file could otherwise send any secret of this machine to any address.

    Raises
    ------
    DataError
        If it is neither ``OPENAI_API_KEY`` nor ``FISC_LLM_KEY_`` and a name.

    Examples
    --------
    >>> check_key_variable("FISC_LLM_KEY_ROUTER")
    'FISC_LLM_KEY_ROUTER'
    >>> check_key_variable("AWS_SECRET_ACCESS_KEY")
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: key_variable='AWS_SECRET_ACCESS_KEY' is not a name for keys of language models; \
use OPENAI_API_KEY, or set the key as FISC_LLM_KEY_ and a name of yours in capitals
    """
    name = check_is("key_variable", name, str, how="give the name of an environment variable")
    if not _ALLOWED.fullmatch(name):
        raise DataError(
            f"key_variable={name!r} is not a name for keys of language models; use OPENAI_API_KEY, or set the key as "
            "FISC_LLM_KEY_ and a name of yours in capitals"
        )
    return name


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def key_for(variable: str, url: str) -> str | None:
    """Return the key in an environment variable if it may go to an address; None if none is to be sent.

    Raises
    ------
    ServerError
        If the address needs a key, and there is none that is meant for its host, or the way is not encrypted.
    """
    parts = urlsplit(url)
    host, local = str(parts.hostname), is_loopback(url)
    key = os.environ.get(variable, "")
    meant = host in _hosts_of(variable)
    if key and meant and (local or parts.scheme == "https"):
        return key
    if local or (parts.scheme == "http" and not (key and meant)):
        return None  # a server of one's own needs none, and gets none that is meant for another
    if not key:
        raise ServerError(
            f"{url} needs a key: set the environment variable {variable} "
            "(keys are never read from a file or an argument)"
        )
    if meant:
        raise ServerError(f"the key in {variable} would go to {url} in the clear; give an https address")
    raise ServerError(
        f"the key in {variable} is not meant for {host}; if it is, say so in your environment: "
        f"{HOSTS}='{variable}={host}'"
    )


def _hosts_of(variable: str) -> tuple[str, ...]:
    """Return the hosts that the user, in the environment, means a key for."""
    pairs = [entry.partition("=") for entry in re.split(r"[\s,;]+", os.environ.get(HOSTS, "")) if entry]
    return _OWN_HOST.get(variable, ()) + tuple(host.lower() for name, _, host in pairs if name == variable)
