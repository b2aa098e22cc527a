"""Sending a report by e-mail; the server and its secrets come from the environment only."""

from __future__ import annotations

import dataclasses
import os
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

from fisc.core import DataError, FiscError

__all__ = ["MailError", "MailServer", "send_report"]

_TIMEOUT_SECONDS = 30.0
_SECURITY = ("starttls", "tls", "none")


class MailError(FiscError):
    """The report was made but could not be sent."""


@dataclasses.dataclass(frozen=True)
class MailServer:
    """An SMTP server.

    Attributes
    ----------
    host : str
    port : int
    sender : str
        Address in From.
    user : str
        Empty for none.
    password : str
        Never shown.
    security : {"starttls", "tls", "none"}
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    security: str = "starttls"

    @classmethod
    def from_environment(cls) -> MailServer:
        """Read ``FISC_SMTP_HOST``, ``_PORT``, ``_FROM``, ``_USER``, ``_PASSWORD``, ``_SECURITY``.

        ``FISC_SMTP_PASSWORD_FILE`` names a file that holds the password, in place of ``_PASSWORD``.

        Raises
        ------
        DataError
            If host or sender are not set, or a value cannot be used.
        """
        get = os.environ.get
        host, sender = get("FISC_SMTP_HOST", ""), get("FISC_SMTP_FROM", "")
        if not host or not sender:
            raise DataError(
                "sending by e-mail needs FISC_SMTP_HOST and FISC_SMTP_FROM in the environment "
                "(and FISC_SMTP_PORT, _USER, _PASSWORD, _SECURITY where the server asks for them)"
            )
        security = get("FISC_SMTP_SECURITY", "starttls")
        if security not in _SECURITY:
            raise DataError(f"FISC_SMTP_SECURITY={security!r}; one of {', '.join(_SECURITY)}")
        port = get("FISC_SMTP_PORT", {"starttls": "587", "tls": "465", "none": "25"}[security])
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise DataError(f"FISC_SMTP_PORT={port!r} is not a port; 1 to 65535")
        return cls(host, int(port), sender, get("FISC_SMTP_USER", ""), _password(), security)


def _password() -> str:
    file = os.environ.get("FISC_SMTP_PASSWORD_FILE", "")
    if not file:
        return os.environ.get("FISC_SMTP_PASSWORD", "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"FISC_SMTP_PASSWORD_FILE={file!r} cannot be read ({type(error).__name__})") from None


def send_report(
    server: MailServer, to: Sequence[str], subject: str, text: str, attachment: Path | None = None
) -> None:
    """Send words, and a published report as an attachment.

    Parameters
    ----------
    server : MailServer
    to : sequence of str
        Addresses.
    subject, text : str
        Line breaks in the subject become blanks.
    attachment : pathlib.Path, optional
        The file, ``.html`` or ``.pdf``.

    Raises
    ------
    MailError
        If the server cannot be reached or refuses; the message holds no secret.
    """
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = server.sender
    message["To"] = ", ".join(to)
    message.set_content(text)
    if attachment is None:
        pass
    elif attachment.suffix == ".pdf":
        content = attachment.read_bytes()
        message.add_attachment(content, maintype="application", subtype="pdf", filename=attachment.name)
    else:
        page = attachment.read_text(encoding="utf-8")
        message.add_attachment(page, subtype="html", filename=attachment.name)
    try:
        with _connection(server) as smtp:
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        # The class, not the text: a server may echo what it was sent.
        raise MailError(
            f"the e-mail could not be sent through {server.host}:{server.port} ({type(error).__name__}); "
            "what it tells of was done. Check the FISC_SMTP_* settings"
        ) from None


def _connection(server: MailServer) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(
            server.host, server.port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    smtp = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS)
    if server.security == "starttls":
        try:
            smtp.starttls(context=ssl.create_default_context())
        except BaseException:
            smtp.close()
            raise
    return smtp
