"""A report counts from when it was out, and says itself when its last test was concluded: what the triggers look at.

Of the tables of the laboratory from which that was read before, nothing touches these months any more.
"""

from importlib import import_module

from django.db import migrations

antes = import_module("indicadores.migrations.0003_guardado")
SOLTADAS = ("laboratorio_informe", "laboratorio_analisis", "laboratorio_verificacion")
DE_LO_PUBLICADO = {
    tabla: antes.FUNCIONES[tabla]
    .replace("NEW.emitido_en, NEW.firma", "NEW.publicado_en, NEW.ensayado_en, NEW.firma")
    .replace("OLD.emitido_en, OLD.firma", "OLD.publicado_en, OLD.ensayado_en, OLD.firma")
    .replace("emitido_en", "publicado_en")
    for tabla in ("expedientes_documento", "expedientes_expediente")
}


def funciones(cuerpos):
    return "".join(
        f"CREATE OR REPLACE FUNCTION indicadores_toca_{tabla}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"BEGIN{cuerpo}RETURN NULL;\nEND $$;\n"
        for tabla, cuerpo in cuerpos.items()
    )


def disparador(tabla, acto):
    cuando = f"WHEN ({antes.CUANDO[tabla, acto]}) " if (tabla, acto) in antes.CUANDO else ""
    return (
        f"CREATE TRIGGER toca_meses_{acto.lower()} AFTER {acto} ON {tabla} FOR EACH ROW "
        f"{cuando}EXECUTE FUNCTION indicadores_toca_{tabla}();\n"
    )


AHORA = funciones(DE_LO_PUBLICADO) + "".join(
    f"DROP FUNCTION indicadores_toca_{tabla}() CASCADE;\n" for tabla in SOLTADAS
)
COMO_ANTES = funciones({tabla: antes.FUNCIONES[tabla] for tabla in (*DE_LO_PUBLICADO, *SOLTADAS)}) + "".join(
    disparador(tabla, acto) for tabla in SOLTADAS for acto in ("INSERT", "UPDATE", "DELETE")
)


class Migration(migrations.Migration):
    dependencies = [("indicadores", "0004_causas"), ("expedientes", "0022_publicado"), ("laboratorio", "0012_ensayado")]

    operations = [migrations.RunSQL(AHORA, COMO_ANTES)]
