FROM python:3.11-slim-bookworm

RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-dejavu-core fonts-liberation \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY requirements/base.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .

# Keys that live for this line only: collectstatic needs settings, not secrets.
RUN k() { python -c 'import secrets; print(secrets.token_urlsafe(48))'; } \
 && MODO=produccion ALLOWED_HOSTS=x.example DATABASE_URL=postgres://ninguna/ninguna \
    SECRET_KEY=$(k) ENLACE_CLAVE=$(k) BITACORA_CLAVE=$(k) \
    python manage.py collectstatic --noinput \
 && useradd --system --uid 10001 --home-dir /app senasa \
 && mkdir -p var/informes var/por_publicar var/adjuntos var/archivos var/respaldos && chown -R senasa var

USER senasa
EXPOSE 8000
CMD ["gunicorn", "senasa.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--timeout", "60"]
