"""What reversions are laid to is kept by months too: the same touches, of the rows that it reads."""

from django.db import migrations

# By table: what touches, and of which acts on it. An act and what it took with it happened at the same hour.
FUNCIONES = {
    "indicadores_regreso": """
    PERFORM indicadores_tocar('causas', ocurrio_en, ocurrio_en) FROM laboratorio_reversion
    WHERE id IN (OLD.reversion_id, NEW.reversion_id);
    """,
    "laboratorio_reversion": """
    PERFORM indicadores_tocar('causas', OLD.ocurrio_en, OLD.ocurrio_en),
        indicadores_tocar('causas', NEW.ocurrio_en, NEW.ocurrio_en);
    PERFORM indicadores_tocar('causas', ocurrio_en, ocurrio_en) FROM laboratorio_reversion
    WHERE id IN (OLD.parte_de_id, NEW.parte_de_id);
    """,
    "laboratorio_analisis": """
    PERFORM indicadores_tocar('causas', ocurrio_en, ocurrio_en) FROM laboratorio_reversion WHERE analisis_id = NEW.id;
    """,
    "expedientes_expediente": """
    PERFORM indicadores_tocar('causas', ocurrio_en, ocurrio_en) FROM laboratorio_reversion WHERE expediente_id = NEW.id;
    """,
}
ACTOS = {
    ("indicadores_regreso", "INSERT"): "",
    ("indicadores_regreso", "UPDATE"): "WHEN (OLD.* IS DISTINCT FROM NEW.*)",
    ("indicadores_regreso", "DELETE"): "",
    ("laboratorio_reversion", "INSERT"): "",
    ("laboratorio_reversion", "UPDATE"): "WHEN (OLD.* IS DISTINCT FROM NEW.*)",
    ("laboratorio_reversion", "DELETE"): "",
    ("laboratorio_analisis", "UPDATE"): "WHEN (OLD.metodo_id IS DISTINCT FROM NEW.metodo_id)",
    ("expedientes_expediente", "UPDATE"): "WHEN (OLD.puesto_id IS DISTINCT FROM NEW.puesto_id)",
}
DISPARADORES = "".join(
    f"""
CREATE FUNCTION indicadores_toca_causas_{tabla}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{cuerpo}RETURN NULL;
END $$;
"""
    for tabla, cuerpo in FUNCIONES.items()
) + "".join(
    f"CREATE TRIGGER toca_meses_causas_{acto.lower()} AFTER {acto} ON {tabla} FOR EACH ROW "
    f"{cuando} EXECUTE FUNCTION indicadores_toca_causas_{tabla}();\n"
    for (tabla, acto), cuando in ACTOS.items()
)
SIN_DISPARADORES = "".join(
    f"DROP TRIGGER toca_meses_causas_{acto.lower()} ON {tabla};\n" for tabla, acto in ACTOS
) + "".join(f"DROP FUNCTION indicadores_toca_causas_{tabla}();\n" for tabla in FUNCIONES)


class Migration(migrations.Migration):
    dependencies = [("indicadores", "0003_guardado")]

    operations = [migrations.RunSQL(DISPARADORES, SIN_DISPARADORES)]
