"""Database guards: a result is never deleted, and nothing but its being in force ever changes."""

from django.db import migrations

GUARDAS = """
CREATE FUNCTION laboratorio_resultado_guardado() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'vigente') = (to_jsonb(OLD) - 'vigente')
       AND OLD.vigente AND NOT NEW.vigente THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% no admite %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER resultado_guardado BEFORE UPDATE OR DELETE ON laboratorio_resultado
    FOR EACH ROW EXECUTE FUNCTION laboratorio_resultado_guardado();
CREATE TRIGGER verificacion_guardada BEFORE UPDATE OR DELETE ON laboratorio_verificacion
    FOR EACH ROW EXECUTE FUNCTION expedientes_no_se_toca();
CREATE TRIGGER reversion_guardada BEFORE UPDATE OR DELETE ON laboratorio_reversion
    FOR EACH ROW EXECUTE FUNCTION expedientes_no_se_toca();
"""
SIN_GUARDAS = """
DROP TRIGGER reversion_guardada ON laboratorio_reversion;
DROP TRIGGER verificacion_guardada ON laboratorio_verificacion;
DROP TRIGGER resultado_guardado ON laboratorio_resultado;
DROP FUNCTION laboratorio_resultado_guardado();
"""


class Migration(migrations.Migration):
    dependencies = [("laboratorio", "0002_initial"), ("expedientes", "0003_guardas")]
    operations = [migrations.RunSQL(GUARDAS, SIN_GUARDAS)]
