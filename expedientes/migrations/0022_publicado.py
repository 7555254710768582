from django.db import migrations, models

# The log says when a report was issued; what is of no report has been out since the hour that it bears.
DESDE_CUANDO = """
UPDATE expedientes_documento d SET publicado_en = coalesce((
    SELECT min(e.ocurrio_en) FROM expedientes_evento e
    WHERE e.expediente_id = d.expediente_id AND e.objeto = 'informe' AND e.accion IN ('emitir', 'corregir')
        AND e.datos ->> 'documento' = d.numero || CASE WHEN d.version > 1 THEN '-V' || d.version ELSE '' END
), d.emitido_en)
"""


class Migration(migrations.Migration):
    dependencies = [("expedientes", "0021_tablero_sin_tocar_filas")]

    operations = [
        migrations.RemoveIndex("documento", "documento_por_emision"),
        migrations.AddField("documento", "ensayado_en", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("documento", "publicado_en", models.DateTimeField(null=True, verbose_name="publicado")),
        migrations.RunSQL(DESDE_CUANDO, migrations.RunSQL.noop),
        migrations.AlterField("documento", "publicado_en", models.DateTimeField(verbose_name="publicado")),
        migrations.AddIndex(
            "documento", models.Index(fields=["tipo", "publicado_en"], name="documento_por_publicacion")
        ),
    ]
