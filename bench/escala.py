"""Pages over a million cases: ours against the floor, the Django admin and ten thousand cases, by turns in one run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from . import bases
from .servidor import Pagina, Servidor
from .tabla import Fila

GRANDE, PEQUENA = 1_000_000, 10_000
# Of every fifty cases one is open, whatever the size.
PARTE_ABIERTA = 50
# Pages that count over all cases, as the dirección opens them.
ESTADISTICAS = {"programa": "/programa/", "reversiones": "/reversiones/"}
QUIEN = "jefe"  # of both posts: every open case is on his board


@dataclass(frozen=True)
class Cosa:
    """Something to time: which server, which pages, how many of them each turn."""

    nombre: str
    servidor: Servidor
    paginas: Sequence[Pagina]
    por_turno: int = 4
    a_la_vez: bool = False  # by requests per second, not by the time of each


@dataclass
class Tiempos:
    """The median of each turn, by thing; a ratio is the median of the turns' ratios, so that a busy minute of the
    machine falls on both sides of it."""

    por_cosa: dict[str, list[float]] = field(default_factory=dict)

    def de(self, nombre: str) -> float:
        return median(self.por_cosa[nombre])

    def razon(self, uno: str, otro: str) -> float:
        return median(a / b for a, b in zip(self.por_cosa[uno], self.por_cosa[otro], strict=True))


def cronometrar(cosas: Sequence[Cosa], vueltas: int, avisar: Callable[[str], None] = lambda _texto: None) -> Tiempos:
    tiempos = Tiempos({cosa.nombre: [] for cosa in cosas})
    for vuelta in range(-1, vueltas):  # the first turn warms all up
        for cosa in cosas:
            desde = (vuelta + 1) * cosa.por_turno
            paginas = [cosa.paginas[(desde + i) % len(cosa.paginas)] for i in range(cosa.por_turno)]
            if cosa.a_la_vez:
                tiempo = 1 / cosa.servidor.por_segundo(paginas)
            else:
                tiempo = median(cosa.servidor.pedir(pagina) for pagina in paginas)
            if vuelta >= 0:
                tiempos.por_cosa[cosa.nombre].append(tiempo)
        avisar(f"vuelta {vuelta + 1} de {vueltas}")
    return tiempos


def medir(
    *, casos: int, vueltas: int, pocos: bool = False, como_esten: bool = False, entera: bool = False
) -> list[Fila]:
    """The rows of the table that are about size. Below ten thousand cases both databases are smaller, for the tests."""
    pequena = min(PEQUENA, max(casos // 10, 1))
    tamanos = {n: max(n // PARTE_ABIERTA, 1) for n in (pequena, casos)}
    nombres = bases.preparar(tamanos, pocos=pocos, como_esten=como_esten, entera=entera)
    for nombre in nombres.values():
        bases.adelantar(nombre)
    grande, chica = Servidor(nombres[casos]), Servidor(nombres[pequena])
    try:
        filas = _medir(grande, chica, casos, pequena, vueltas)
    finally:
        grande.cerrar()
        chica.cerrar()
    return [*filas, _de_lo_guardado(nombres[casos], casos)]


def _de_lo_guardado(nombre: str, casos: int) -> Fila:
    """Whether what the statistics keep is what a full recomputation gives."""
    meses, distintos, segundos = bases.comparar(nombre)
    return Fila(
        f"meses guardados que difieren, {casos:,} expedientes", "recálculo completo", distintos, 0,
        detalle=f"{distintos} de {meses}, recalculados en {segundos:.0f} s",
    )  # fmt: skip


def _medir(grande: Servidor, chica: Servidor, casos: int, pequena: int, vueltas: int) -> list[Fila]:
    jefe, jefe_chica, admin = grande.entrar(QUIEN), chica.entrar(QUIEN), grande.entrar("admin")
    seguidos = grande.seguir(24)
    tablero = Pagina("/tablero/", jefe)
    estadisticas = estadisticas_de(grande)
    cosas = [
        Cosa("a mano", grande, [Pagina("/bench/tablero-a-mano/", jefe)]),
        Cosa("tablero", grande, [tablero]),
        Cosa("tablero de nuevo", grande, [Pagina("/bench/de-nuevo/tablero/", jefe)]),
        Cosa("tablero de menos", chica, [Pagina("/tablero/", jefe_chica)]),
        Cosa("admin", grande, [Pagina("/bench/admin/expedientes/expediente/", admin)], 1),
        Cosa("admin con columnas", grande, [Pagina("/bench/admin-con-columnas/expedientes/expediente/", admin)], 1),
        Cosa("vacía", grande, [Pagina("/bench/vacia/", jefe)], 12),
        Cosa("seguimiento", grande, seguidos, 48, a_la_vez=True),
        Cosa(
            "vacía pública",
            grande,
            [Pagina("/bench/vacia-publica/", galletas) for _ruta, galletas in seguidos],
            96,
            a_la_vez=True,
        ),
    ]
    for nombre, pagina in estadisticas.items():
        cosas += [
            Cosa(nombre, grande, [pagina], 1),
            Cosa(f"{nombre} de nuevo", grande, [Pagina(f"/bench/de-nuevo{pagina.ruta}", pagina.galletas)], 1),
        ]
    t = cronometrar(cosas, vueltas, bases.decir)
    # The same pages over both sizes: how many times as many queries the worst of them asks.
    de_menos = [Pagina("/tablero/", jefe_chica), *chica.seguir(24)[:1], *estadisticas_de(chica).values()]
    de_mas = [tablero, seguidos[0], *estadisticas.values()]
    preguntas = [(grande.consultas(una), chica.consultas(otra)) for una, otra in zip(de_mas, de_menos, strict=True)]
    return [
        Fila(
            f"tablero, {casos:,} expedientes, {casos // PARTE_ABIERTA:,} abiertos", "SQL a mano y vista desnuda",
            t.razon("tablero", "a mano"), 2, detalle=f"{_ms(t, 'tablero')} / {_ms(t, 'a mano')}",
        ),
        Fila(
            "el mismo, después de un acto en cada caso que muestra", "SQL a mano y vista desnuda",
            t.razon("tablero de nuevo", "a mano"), 2,
            detalle=f"{_ms(t, 'tablero de nuevo')} / {_ms(t, 'a mano')}",
        ),
        Fila(
            "el mismo", "lista del admin, con las mismas columnas y orden",
            t.razon("admin con columnas", "tablero"), 10, minimo=True,
            detalle=f"{_ms(t, 'admin con columnas')} / {_ms(t, 'tablero')}",
        ),
        Fila(
            "el mismo", "lista del admin, tal cual se registra", t.razon("admin", "tablero"), 10, minimo=True,
            detalle=f"{_ms(t, 'admin')} / {_ms(t, 'tablero')}",
        ),
        Fila(
            f"tablero, {casos:,} expedientes", f"con {pequena:,}", t.razon("tablero", "tablero de menos"), 1.2,
            detalle=f"{_ms(t, 'tablero')} / {_ms(t, 'tablero de menos')}",
        ),
        Fila(
            "seguimiento, peticiones por segundo", "vista vacía", t.razon("vacía pública", "seguimiento"), 0.6,
            minimo=True, detalle=f"{1 / t.de('seguimiento'):.0f} / {1 / t.de('vacía pública'):.0f}",
        ),
        *(
            Fila(
                f"{nombre}, {casos:,} expedientes", "tablero", t.razon(nombre, "tablero"), 2,
                detalle=f"{_ms(t, nombre)} / {_ms(t, 'tablero')}",
            )
            for nombre in estadisticas
        ),
        *(
            Fila(
                f"{nombre}, después de un acto", "tablero después de un acto en cada caso",
                t.razon(f"{nombre} de nuevo", "tablero de nuevo"), 2,
                detalle=f"{_ms(t, f'{nombre} de nuevo')} / {_ms(t, 'tablero de nuevo')}",
            )
            for nombre in estadisticas
        ),
        Fila(
            f"consultas de una página, {casos:,} expedientes", f"con {pequena:,}",
            max(mas / max(menos, 1) for mas, menos in preguntas), 1,
            detalle=", ".join(f"{pagina.ruta.split('/')[1]} {mas} / {menos}"
                              for pagina, (mas, menos) in zip(de_mas, preguntas, strict=True)),
        ),
    ]  # fmt: skip


def estadisticas_de(servidor: Servidor) -> dict[str, Pagina]:
    direccion = servidor.entrar("direccion")
    return {nombre: Pagina(ruta, direccion) for nombre, ruta in ESTADISTICAS.items()}


def _ms(tiempos: Tiempos, nombre: str) -> str:
    return f"{tiempos.de(nombre) * 1000:.1f} ms"
