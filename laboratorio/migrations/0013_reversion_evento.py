import django.db.models.deletion
from django.db import migrations, models

# Of those of before, the entry of that thing, hour and state; of several in one minute, in their order.
SU_ENTRADA = """
WITH fila AS (
    SELECT id, CASE WHEN analisis_id IS NULL THEN 'muestra' ELSE 'analisis' END AS objeto,
        coalesce(analisis_id, muestra_id) AS objeto_id, ocurrio_en, desde_estado AS de
    FROM laboratorio_reversion
), numerada AS (
    SELECT *, row_number() OVER (PARTITION BY objeto, objeto_id, ocurrio_en, de ORDER BY id) AS k FROM fila
), entrada AS (
    SELECT e.id, e.objeto, e.objeto_id, e.ocurrio_en, e.de,
        row_number() OVER (PARTITION BY e.objeto, e.objeto_id, e.ocurrio_en, e.de ORDER BY e.id) AS k
    FROM expedientes_evento e JOIN (SELECT DISTINCT objeto, objeto_id FROM fila) f USING (objeto, objeto_id)
    WHERE e.a <> e.de
)
UPDATE laboratorio_reversion r SET evento_id = e.id
FROM numerada n JOIN entrada e USING (objeto, objeto_id, ocurrio_en, de, k) WHERE r.id = n.id
"""


def campo(**opciones):
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="expedientes.evento",
        **opciones,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("laboratorio", "0012_ensayado")]

    operations = [
        migrations.AddField("reversion", "evento", campo(null=True)),
        migrations.RunSQL(
            [  # rows that nobody edits
                "ALTER TABLE laboratorio_reversion DISABLE TRIGGER USER",
                SU_ENTRADA,
                "SET CONSTRAINTS ALL IMMEDIATE",
                "ALTER TABLE laboratorio_reversion ENABLE TRIGGER USER",
            ],
            migrations.RunSQL.noop,
        ),
        migrations.AlterField("reversion", "evento", campo()),
    ]
