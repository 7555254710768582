"""Mail without a mail server: one `.eml` file per message, to open with any mail program."""

import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

_turno = itertools.count()


class ArchivoEml(BaseEmailBackend):
    """Writes into `settings.CORREOS`. Names sort by time; a reader never sees half a file."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        carpeta = Path(settings.CORREOS)
        carpeta.mkdir(parents=True, exist_ok=True)
        for mensaje in email_messages:
            momento = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            nombre = f"{momento}-{os.getpid()}-{next(_turno):04d}"
            provisional = carpeta / f".{nombre}"
            provisional.write_bytes(mensaje.message().as_bytes())
            provisional.rename(carpeta / f"{nombre}.eml")
        return len(email_messages)
