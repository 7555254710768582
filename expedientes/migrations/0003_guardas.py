"""Database guards: the log only grows, and neither documents nor what they rest on are ever deleted."""

from django.db import migrations

GUARDAS = """
CREATE FUNCTION expedientes_no_se_toca() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% no admite %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER evento_solo_crece BEFORE UPDATE OR DELETE ON expedientes_evento
    FOR EACH ROW EXECUTE FUNCTION expedientes_no_se_toca();
CREATE TRIGGER evento_sin_truncate BEFORE TRUNCATE ON expedientes_evento
    FOR EACH STATEMENT EXECUTE FUNCTION expedientes_no_se_toca();
CREATE TRIGGER documento_no_se_borra BEFORE DELETE ON expedientes_documento
    FOR EACH ROW EXECUTE FUNCTION expedientes_no_se_toca();
CREATE TRIGGER dictamen_no_se_borra BEFORE DELETE ON expedientes_dictamen
    FOR EACH ROW EXECUTE FUNCTION expedientes_no_se_toca();
"""
SIN_GUARDAS = """
DROP TRIGGER dictamen_no_se_borra ON expedientes_dictamen;
DROP TRIGGER documento_no_se_borra ON expedientes_documento;
DROP TRIGGER evento_sin_truncate ON expedientes_evento;
DROP TRIGGER evento_solo_crece ON expedientes_evento;
DROP FUNCTION expedientes_no_se_toca();
"""


class Migration(migrations.Migration):
    dependencies = [("expedientes", "0002_initial")]
    operations = [migrations.RunSQL(GUARDAS, SIN_GUARDAS)]
