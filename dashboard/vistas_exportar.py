"""Taking a whole case out of the system: confirmed, and written down in its log."""

from tempfile import TemporaryFile

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from expedientes.models import Expediente
from expedientes.services import anotar_exportacion
from senasa.permisos import con_rol

from .exportar import exportar
from .forms import FormularioDeExportacion
from .queries import EXPORTAN


@con_rol(*EXPORTAN)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def expediente_exportar(request: HttpRequest, numero: str) -> HttpResponse | FileResponse:
    expediente = get_object_or_404(Expediente.objects.visibles_para(request.user), numero=numero)
    form = FormularioDeExportacion(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        con_datos = not form.cleaned_data["sin_datos_personales"]
        anotar_exportacion(expediente=expediente, actor=request.user, con_datos_personales=con_datos)
        # On disk: a case with many photographs does not fit in the memory of a web process.
        archivo = TemporaryFile()  # noqa: SIM115, the answer closes it
        exportar(expediente, archivo, con_datos_personales=con_datos)
        archivo.seek(0)
        return FileResponse(archivo, as_attachment=True, filename=f"{numero}.zip", content_type="application/zip")
    return render(
        request,
        "acto.html",
        {
            "titulo": "Exportar el expediente",
            "verbo": "Descargar el ZIP",
            "expediente": expediente,
            "form": form,
            "resumen": [
                "Un archivo ZIP con todo: documentos firmados, adjuntos, bitácora, avisos, datos y la huella SHA-256 "
                "de cada archivo. Para pedidos de acceso a la información y para los tribunales."
            ],
            "volver": reverse("expediente", args=[numero]),
            "que_hara": [
                "La bitácora anota que usted lo exportó, y si llevaba datos personales.",
                "No envía ningún aviso al importador.",
            ],
        },
    )
