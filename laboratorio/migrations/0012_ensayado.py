"""Of the reports that are out, when the last test that each rests on was concluded: the log says it."""

from django.db import migrations

# The verification that completed an analysis, unless it was stepped back before the report was out.
ENSAYADO = """
UPDATE expedientes_documento d SET ensayado_en = (
    SELECT max((
        SELECT max(v.ocurrio_en) FROM expedientes_evento v
        WHERE v.objeto = 'analisis' AND v.objeto_id = e.objeto_id AND v.accion = 'verificar' AND v.n < e.n
    ))
    FROM laboratorio_informe i JOIN laboratorio_analisis a ON a.solicitud_id = i.solicitud_id
    JOIN expedientes_evento e ON e.objeto = 'analisis' AND e.objeto_id = a.id AND e.accion = 'completar'
    WHERE i.numero = d.numero AND e.registrado_en <= d.publicado_en AND NOT EXISTS (
        SELECT FROM expedientes_evento s WHERE s.objeto = 'analisis' AND s.objeto_id = a.id AND s.n > e.n
            AND s.de = 'verificado' AND s.a NOT IN ('', 'verificado') AND s.registrado_en <= d.publicado_en
    )
)
WHERE d.tipo = 'informe'
"""


class Migration(migrations.Migration):
    dependencies = [("expedientes", "0022_publicado"), ("laboratorio", "0011_muestra_recibidas")]

    operations = [migrations.RunSQL(ENSAYADO, migrations.RunSQL.noop)]
