"""An act by motive is over when the last of what it took with it is back: what touches a part touches its act's month."""

from django.db import migrations


def funcion(condicion):
    return f"""
CREATE OR REPLACE FUNCTION indicadores_toca_causas_indicadores_regreso() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM indicadores_tocar('causas', ocurrio_en, ocurrio_en) FROM laboratorio_reversion WHERE {condicion};
    RETURN NULL;
END $$;
"""


SUYA = "id IN (OLD.reversion_id, NEW.reversion_id)"
Y_SU_ACTO = f"""{SUYA} OR id IN (
        SELECT parte_de_id FROM laboratorio_reversion WHERE {SUYA}
    )"""


class Migration(migrations.Migration):
    dependencies = [("indicadores", "0005_publicado")]

    operations = [migrations.RunSQL(funcion(Y_SU_ACTO), funcion(SUYA))]
