# The five words of the house: run, test, check, bench, formato. Nothing has to be set for any of them.

PYTHON ?= python3
PY := .venv/bin/python
# A stamp per content, not per date: a second run takes seconds, a changed pin installs again.
BASE := .venv/.base-$(shell sha256sum requirements/base.txt | cut -c1-16)
DEV := .venv/.dev-$(shell cat requirements/base.txt requirements/dev.txt | sha256sum | cut -c1-16)
CODIGO := senasa notificaciones expedientes laboratorio indicadores gestion dashboard
PLANTILLAS = $(shell find templates -name '*.html')

.PHONY: run test check bench formato estilo tipos despliegue servicios requisitos pango navegador
.DEFAULT_GOAL := run

run: $(BASE) pango
	@$(PY) -m senasa.servir --con-el-padre

test: $(DEV) pango
	@$(PY) -m senasa.servir --solo-env
	$(PY) -m pytest -q -n 2 --dist worksteal -m "not browser and not servicios"

check: $(DEV) pango estilo tipos despliegue servicios

estilo: $(DEV)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	.venv/bin/djade --check --target-version 5.2 $(PLANTILLAS)
	.venv/bin/lint-imports

tipos: $(DEV)
	@$(PY) -m senasa.servir --solo-env
	$(PY) -m mypy $(CODIGO)

despliegue: $(DEV)
	@$(PY) -m senasa.servir --solo-env
	$(PY) manage.py makemigrations --check --dry-run
	MODO=produccion ALLOWED_HOSTS=senasa.example $(PY) manage.py check --deploy --fail-level WARNING

servicios: $(DEV) pango navegador
	@$(PY) -m senasa.servir --solo-env
	$(PY) -m pytest -q -n 2 --dist loadfile -m "browser or servicios"

bench: $(DEV) pango
	@$(PY) -m senasa.servir --solo-env
	$(PY) -m bench $(if $(CASOS),--casos $(CASOS)) $(if $(ESCRIBIR),--escribir)

formato: $(DEV)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
	-.venv/bin/djade --target-version 5.2 $(PLANTILLAS)

requisitos: $(DEV)
	$(PY) -m piptools compile $(FIJAR) -o requirements/base.txt requirements/base.in
	$(PY) -m piptools compile $(FIJAR) -o requirements/dev.txt requirements/dev.in
FIJAR := --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-header -q

$(BASE):
	@echo "senasa · instalando lo que pide requirements/base.txt (una sola vez, cerca de medio minuto)"
	@[ -x $(PY) ] || $(PYTHON) -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/base.txt
	@rm -f .venv/.base-* && touch $@

$(DEV): $(BASE)
	@echo "senasa · instalando lo que pide requirements/dev.txt (una sola vez)"
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/base.txt -r requirements/dev.txt
	@rm -f .venv/.dev-* && touch $@

# $(call instalar,WHAT FOR,PACKAGES): as root on Debian or Ubuntu; elsewhere it says what to do.
define instalar
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "senasa · instalando $(2)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) </dev/null >/dev/null; \
	else \
		echo "Falta $(1). En Debian o Ubuntu: sudo apt-get install $(2)" >&2; exit 1; \
	fi
endef

pango: $(BASE)
	@$(PY) -c 'import weasyprint' 2>/dev/null && fc-list 2>/dev/null | grep -qi dejavu && fc-list | grep -qi liberation \
	|| { $(call instalar,Pango (o sus tipos de letra) para los PDF,libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-dejavu-core fonts-liberation); }

navegador:
	@command -v chromium >/dev/null && command -v redis-server >/dev/null && command -v pdfsig >/dev/null \
	|| { $(call instalar,Chromium o Redis o poppler para las pruebas,chromium redis-server poppler-utils); }
