# Licensed under the Apache License, Version 2.0 (see LICENSE).
import hashlib

from django import forms
from django.contrib import admin
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.template import engines
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition, require_POST

from .models import Article

PAGE = """<!doctype html><title>Shop</title>
<form method="post" enctype="multipart/form-data" action="/">{% csrf_token %}{{ form.as_p }}
<input type="submit"></form>
<ul>{% for article in articles %}<li><a href="/article/{{ article.id }}">{{ article.name }}</a>:
{{ article.price }}</li>{% endfor %}</ul>
<p>visits: {{ visits }}</p><p>secure: {{ secure }}</p>"""


class ArticleForm(forms.ModelForm):
    class Meta:
        model = Article
        fields = ["name", "price", "picture"]


def index(request):
    """The list, and the form for one more."""
    form = ArticleForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        return redirect("/article/%d" % form.save().pk)
    request.session["visits"] = request.session.get("visits", 0) + 1
    content = engines["django"].from_string(PAGE).render({
        "form": form, "articles": Article.objects.order_by("id"), "secure": request.is_secure(),
        "visits": request.session["visits"]}, request)
    return HttpResponse(content, status=400 if request.method == "POST" else 200)


def _article_tag(request, number):
    article = Article.objects.filter(pk=number).first()
    return article and '"%s"' % hashlib.sha1(
        ("%s %d" % (article.name, article.price)).encode()).hexdigest()


@csrf_exempt
@condition(etag_func=_article_tag)
def article(request, number):
    """JSON; PUT changes the price where If-Match says so."""
    found = get_object_or_404(Article, pk=number)
    if request.method == "PUT":
        found.price = int(request.body)
        found.save()
    return JsonResponse({"name": found.name, "price": found.price, "picture": found.picture.name})


def picture(request, number):
    found = get_object_or_404(Article, pk=number)
    return FileResponse(found.picture.open(), as_attachment=True, filename="p\u00efcture.bin")


def stream(request):
    """A response that has no length, in pieces."""
    return StreamingHttpResponse((b"%d\n" % number * 50 for number in range(5000)),
                                 content_type="text/plain")


@gzip_page
def packed(request):
    return HttpResponse("packed " * 10000)


@csrf_exempt
@require_POST
def digest(request):
    """What has come as the body."""
    return JsonResponse({"length": len(request.body), "stated": request.META.get("CONTENT_LENGTH"),
                         "sha256": hashlib.sha256(request.body).hexdigest()})


def cookies(request):
    response = HttpResponse("; ".join("%s=%s" % item for item in sorted(request.COOKIES.items())))
    for number in range(5):
        response.set_cookie("cookie%d" % number, "value %d" % number, max_age=100, secure=True)
    return response


def fields(request):
    return HttpResponse("\n".join("%s: %s" % item for item in sorted(request.META.items())
                                  if item[0].startswith("HTTP_") or item[0] == "QUERY_STRING"))


def token(request):
    return JsonResponse({"token": get_token(request)})


def failure(request):
    raise RuntimeError("as asked")


def empty(request, status):
    response = HttpResponse(status=status)
    response["X-Status"] = str(status)
    return response


urlpatterns = [
    path("", index), path("article/<int:number>", article), path("picture/<int:number>", picture),
    path("stream", stream), path("packed", packed), path("digest", digest), path("cookies", cookies),
    path("fields", fields), path("token", token), path("failure", failure),
    path("status/<int:status>", empty), path("admin/", admin.site.urls)]
