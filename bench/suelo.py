"""The board without us: what its counts, the heads of its queues and its fifty rows cost in SQL written by hand.

Everything that a row says is there: the case, its importer and cargo, its samples and how its analyses go, its last
decision and measure, its observation and transfer. Open, as in the partial index, are those that have not ended.
"""

SUYOS = """
    e.estado NOT IN ('cerrado', 'abandonado', 'desistido', 'anulado')
    AND (e.puesto_id IN (SELECT puesto_id FROM senasa_usuario_puestos WHERE usuario_id = %(usuario)s)
      OR e.id IN (SELECT t.expediente_id FROM expedientes_traslado t JOIN senasa_usuario_puestos p
                  ON p.puesto_id IN (t.de_puesto_id, t.a_puesto_id) WHERE p.usuario_id = %(usuario)s))
"""

URGENCIA = """
    (e.vence_en AT TIME ZONE 'America/Lima')::date NULLS LAST, e.perecible DESC, e.retenido_desde NULLS LAST,
    e.vence_en NULLS LAST, e.id
"""

# What a post has to do today: to decide, to send, to inspect, answered; how many of each, and the first.
_VIVO = """
    JOIN expedientes_expediente e ON e.id = l.expediente_id
     AND e.puesto_id IN (SELECT puesto_id FROM senasa_usuario_puestos WHERE usuario_id = %(usuario)s)
     AND e.estado IN ('registrado', 'en_inspeccion', 'en_laboratorio', 'resultado_emitido', 'en_medida', 'dictaminado')
"""
_CUANTOS = f"SELECT count(*), (array_agg(e.id ORDER BY {URGENCIA}))[1:3]"
COLAS = f"""
{_CUANTOS} FROM expedientes_partida l {_VIVO} WHERE l.estado = 'resultado_emitido' AND NOT EXISTS (
    SELECT FROM expedientes_documento d
     WHERE d.partida_id = l.id AND d.tipo = 'informe' AND d.estado = 'en_revision')
UNION ALL {_CUANTOS} FROM expedientes_partida l {_VIVO} WHERE l.estado IN ('en_inspeccion', 'en_laboratorio')
    AND l.id IN (SELECT m.partida_id FROM laboratorio_muestra m WHERE m.estado = 'tomada')
UNION ALL {_CUANTOS} FROM expedientes_partida l {_VIVO} WHERE l.estado = 'registrado' AND l.no_presentada_en IS NULL
    AND l.cita_en < date_trunc('day', now(), 'America/Lima') + interval '1 day'
UNION ALL {_CUANTOS} FROM expedientes_observacion l {_VIVO} WHERE l.respondida_en >= now() - interval '30 days'
    AND NOT EXISTS (SELECT FROM expedientes_evento v WHERE v.expediente_id = l.expediente_id AND v.actor_id IS NOT NULL
        AND v.registrado_en > l.respondida_en AND v.objeto IN ('expediente', 'partida') AND v.accion <> 'responder')
"""  # noqa: S608

CUENTA = f"""
SELECT e.puesto_id, e.estado, count(*), count(*) FILTER (WHERE e.vence_en < now()),
       count(*) FILTER (WHERE e.vence_en BETWEEN now() AND now() + interval '24 hours'),
       count(*) FILTER (WHERE e.vence_en IS NULL)
  FROM expedientes_expediente e WHERE {SUYOS} GROUP BY e.puesto_id, e.estado
"""  # noqa: S608

FILAS = f"""
WITH primeros AS MATERIALIZED (
    SELECT e.id, row_number() OVER (ORDER BY {URGENCIA}) AS orden
      FROM expedientes_expediente e WHERE {SUYOS} ORDER BY {URGENCIA} LIMIT 50
)
SELECT e.numero, e.estado, e.estado_desde, e.vence_en, e.retenido_desde, e.guia_aerea, u.nombre, i.nombre,
       i.numero_documento, l.lineas, l.carga, l.perecible, l.contenedores, m.muestras, a.analisis, d.decision, d.numero,
       d.riv_id, x.medida, x.vence_en, o.vence_en, o.respondida_en, t.a_puesto_id, f.informes
  FROM primeros p
  JOIN expedientes_expediente e ON e.id = p.id
  JOIN senasa_puesto u ON u.id = e.puesto_id
  JOIN expedientes_importador i ON i.id = e.importador_id
  CROSS JOIN LATERAL (
      SELECT count(*) AS lineas, bool_or(q.perecible) AS perecible,
             string_agg(q.nombre || ' · ' || c.nombre || ' · ' || r.estado, ', ' ORDER BY r.orden) AS carga,
             sum((SELECT count(*) FROM expedientes_contenedor k WHERE k.partida_id = r.id)) AS contenedores
        FROM expedientes_partida r JOIN expedientes_producto q ON q.id = r.producto_id
        JOIN expedientes_pais c ON c.codigo = r.pais_origen_id WHERE r.expediente_id = e.id) l
  CROSS JOIN LATERAL (
      SELECT string_agg(s.numero || ' ' || s.estado, ', ' ORDER BY s.id) AS muestras
        FROM laboratorio_muestra s WHERE s.expediente_id = e.id) m
  CROSS JOIN LATERAL (
      SELECT string_agg(concat_ws(' ', g.nombre, n.estado, v.last_name, w.estado), ', ' ORDER BY n.id) AS analisis
        FROM laboratorio_analisis n JOIN laboratorio_metodo h ON h.id = n.metodo_id
        JOIN senasa_disciplina g ON g.id = h.disciplina_id LEFT JOIN senasa_usuario v ON v.id = n.analista_id
        LEFT JOIN laboratorio_informe w ON w.solicitud_id = n.solicitud_id WHERE n.expediente_id = e.id) a
  LEFT JOIN LATERAL (
      SELECT y.id, y.decision, y.numero, y.riv_id FROM expedientes_dictamen y
        JOIN expedientes_partida r ON r.id = y.partida_id WHERE r.expediente_id = e.id
       ORDER BY y.id DESC LIMIT 1) d ON true
  LEFT JOIN LATERAL (
      SELECT z.tipo AS medida, z.vence_en FROM expedientes_medida z
       WHERE z.dictamen_id = d.id AND z.cumplida_en IS NULL LIMIT 1) x ON true
  LEFT JOIN LATERAL (
      SELECT b.vence_en, b.respondida_en FROM expedientes_observacion b
       WHERE b.expediente_id = e.id ORDER BY b.id DESC LIMIT 1) o ON true
  LEFT JOIN LATERAL (
      SELECT tr.a_puesto_id FROM expedientes_traslado tr
       WHERE tr.expediente_id = e.id AND tr.resuelto_en IS NULL LIMIT 1) t ON true
  CROSS JOIN LATERAL (
      SELECT string_agg(concat_ws(' ', j.numero, j.estado, j.conclusion, j.firma), ', ' ORDER BY j.id) AS informes
        FROM expedientes_documento j WHERE j.expediente_id = e.id AND j.tipo = 'informe') f
 ORDER BY p.orden
"""  # noqa: S608
