#!/usr/bin/env python
"""Django's command line; without DATABASE_URL it runs on the embedded PostgreSQL."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "senasa.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from senasa import postgres

    try:
        if settings.POSTGRES_PROPIO:
            postgres.usar(settings.VAR)
    except (ImproperlyConfigured, postgres.NoArranca) as error:
        sys.exit(f"manage.py: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
