# Licensed under the Apache License, Version 2.0 (see LICENSE).
from django.contrib import admin
from django.db import models


class Article(models.Model):
    name = models.CharField(max_length=100)
    price = models.IntegerField()
    picture = models.FileField(blank=True)

    def __str__(self):
        return self.name


admin.site.register(Article)
